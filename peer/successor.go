package peer

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/process"
)

// Successor is the program that this process is to become, with all that it
// goes on with. The peer that it comes from has ended.
type Successor struct {
	candidate *candidate
	doc       document
	files     map[string]*os.File
	folder    string // for the document, which has no name
	log       hclog.Logger
}

// keep duplicates what stays open when everything else is closed. What cannot
// be kept is opened anew by the successor.
func (p *Peer) keep(listeners []net.Listener) map[string]*os.File {
	files := map[string]*os.File{}
	keep := func(name string, open func() (*os.File, error)) {
		f, err := open()
		if err != nil {
			p.log.Warn("cannot be handed over, and is opened anew", "file", name, "error", err)
			return
		}
		files[name] = f
	}
	keep(fileJournal, p.journal.KeepLock)
	keep(fileRuntime, func() (*os.File, error) { return duplicate(p.claim) })
	keep(fileBefore, func() (*os.File, error) { return os.Open(ownProgram) })
	for i, l := range listeners {
		keep([]string{fileSocket, fileTCP}[i], func() (*os.File, error) { return api.Keep(l) })
	}
	return files
}

// letGo ends this peer so that s goes on: nobody is left without an answer, and
// end waits until nothing is under way any more.
func (p *Peer) letGo(s *succession, listeners []net.Listener, server *api.Server, end func() error) *Successor {
	files := p.keep(listeners)
	sockets := p.keepNotify(files)
	server.Retire()
	if err := end(); err != nil {
		p.log.Warn("not everything ended as it should", "error", err)
	}
	return p.successor(s, files, sockets)
}

// keepNotify keeps the sockets by which processes say that they are ready, and
// returns their names by generation.
func (p *Peer) keepNotify(files map[string]*os.File) map[*generation]string {
	names := map[*generation]string{}
	for i, v := range p.sup.Views() {
		g := generationOf(v)
		if g == nil {
			continue
		}
		f, err := g.leaveNotify()
		switch {
		case err != nil:
			g.log.Warn("cannot pass the notify socket on", "error", err)
		case f != nil:
			names[g] = fmt.Sprintf("notify-%d", i)
			files[names[g]] = f
		}
	}
	return names
}

// successor gathers what the next program needs to know, when all that this peer
// had under way is over.
func (p *Peer) successor(s *succession, files map[string]*os.File, sockets map[*generation]string) *Successor {
	plan, _ := p.currentPlan()
	doc := document{
		Format: handoverFormat, Upgrade: s.upgrade, Program: p.program, Handover: s.state,
		Socket: plan.Peer.Socket, Listen: plan.Peer.Listen,
	}
	for _, v := range p.sup.Views() {
		if g := generationOf(v); g != nil {
			f := g.fact()
			f.Notify = sockets[g]
			doc.Facts = append(doc.Facts, f)
		}
	}
	return &Successor{candidate: s.candidate, doc: doc, files: files, folder: plan.Peer.RuntimeDir, log: p.log}
}

// Become makes this process the successor, and returns only if that fails. A
// program that cannot be started is not the end: this process then becomes what
// it is once more, and says so. stop: it was told to stop meanwhile.
func (s *Successor) Become(argv, env []string, stop bool) error {
	s.doc.Stop, s.doc.Argv = s.doc.Stop || stop, argv
	now, err := os.Stat(s.candidate.path)
	switch {
	case err != nil:
	case !os.SameFile(now, s.candidate.info):
		err = fmt.Errorf("%s is not the file any more that was asked", s.candidate.path)
	default:
		err = become(s.candidate.path, argv, env, s.doc, s.files, s.folder)
	}
	s.log.Error("cannot hand over; goes on as before", "to", s.doc.Upgrade.To, "error", err)
	s.doc.fail(err)
	return errors.Join(err, become(ownProgram, argv, env, s.doc, s.files, s.folder))
}

// fail makes a handover a return.
func (d *document) fail(why error) {
	d.Back, d.Upgrade.Outcome, d.Upgrade.Detail = true, "failed", why.Error()
}

// Return makes this process again what it was before, because of why, and
// returns only if that fails.
func (h *Handover) Return(env []string, why error) error {
	switch {
	case h.Accepted() || h.files[fileBefore] == nil:
		return why
	case h.doc.Back || len(h.doc.Argv) == 0:
		return fmt.Errorf("neither this program nor the one before can go on: %w", why)
	}
	h.doc.fail(why)
	program := h.doc.Program
	there, err := os.Stat(program)
	if before, fault := h.files[fileBefore].Stat(); err != nil || fault != nil || !os.SameFile(there, before) {
		program = fmt.Sprintf("/proc/self/fd/%d", h.files[fileBefore].Fd())
	}
	return errors.Join(why, become(program, h.doc.Argv, env, h.doc, h.files, os.TempDir()))
}

// become writes the document and makes this process another program.
func become(path string, argv, env []string, doc document, files map[string]*os.File, folder string) error {
	f, err := os.CreateTemp(folder, "handover-*")
	if err != nil {
		return fmt.Errorf("cannot write down what is handed over: %w", err)
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(rawJSON(doc)); err != nil {
		return fmt.Errorf("cannot write down what is handed over: %w", err)
	}
	files[fileDocument] = f
	return process.Become(path, argv, env, files)
}
