package peer

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// The formats of a Handover's document: the one that this build writes, and the
// oldest that it reads.
const (
	handoverFormat = 1
	handoverOldest = 1
)

// Names of the files that are handed over.
const (
	fileDocument = "handover"
	fileJournal  = "journal" // its lock
	fileRuntime  = "runtime" // the claim of the runtime folder
	fileSocket   = "socket"  // of the API
	fileTCP      = "tcp"     // likewise
	fileBefore   = "before"  // the program that handed over
)

// document is what a peer tells the one that it becomes. Its JSON is read by
// programs one version apart.
type document struct {
	Format  int             `json:"format"`
	Upgrade control.Upgrade `json:"upgrade"`
	Program string          `json:"program"`        // the path of the one that handed over
	Argv    []string        `json:"argv"`           // likewise
	Stop    bool            `json:"stop,omitempty"` // it was told to stop meanwhile
	Back    bool            `json:"back,omitempty"` // the one it was handed to could not go on
	Socket  string          `json:"socket"`
	Listen  string          `json:"listen,omitempty"`
	Facts   []fact          `json:"facts,omitempty"`

	supervisor.Handover
}

// fact is what a launcher knows of a generation beyond its machine.
type fact struct {
	Key       string `json:"key"` // as the keeper has it
	Ready     bool   `json:"ready,omitempty"`
	PreStop   bool   `json:"preStop,omitempty"` // the hook has had its turn
	Says      string `json:"says,omitempty"`
	Reloading bool   `json:"reloading,omitempty"`
	Notify    string `json:"notify,omitempty"`   // the name of its sd_notify socket among the files
	Watchdog  int64  `json:"watchdog,omitempty"` // nanoseconds, as it has asked for
}

// Handover is what this process has from the program that it was before.
type Handover struct {
	doc      document
	files    map[string]*os.File // kept until Accept, as it may have to be handed back
	accepted bool
}

// Receive reads what an earlier program has left to this one; nil without
// files. An error says that it cannot be read, and Return gives it back.
func Receive(files map[string]*os.File) (*Handover, error) {
	if files[fileDocument] == nil {
		return nil, nil
	}
	h := &Handover{files: files}
	raw, err := io.ReadAll(io.NewSectionReader(files[fileDocument], 0, maxDocument))
	if err == nil {
		err = json.Unmarshal(raw, &h.doc)
	}
	switch {
	case err != nil:
		return h, fmt.Errorf("cannot read what was handed over: %w", err)
	case h.doc.Format < handoverOldest || h.doc.Format > handoverFormat:
		return h, fmt.Errorf("cannot read what was handed over: its format is %d; %d to %d are known here", h.doc.Format, handoverOldest, handoverFormat)
	}
	return h, nil
}

// maxDocument bounds the document of a handover.
const maxDocument = 256 << 20

// Stop reports that the peer was told to stop while it was handed over.
func (h *Handover) Stop() bool { return h != nil && h.doc.Stop }

// take returns a duplicate of a file that was handed over, nil if there is none.
func (h *Handover) take(name string) *os.File {
	if h == nil || h.files[name] == nil {
		return nil
	}
	f, err := duplicate(h.files[name])
	if err != nil {
		return nil
	}
	return f
}

// Accept lets go of what only a return would need. h may be nil.
func (h *Handover) Accept() {
	if h != nil {
		closeFiles(h.files)
		h.accepted = true
	}
}

// Accepted reports whether there is nothing to return any more. h may be nil.
func (h *Handover) Accepted() bool { return h == nil || h.accepted }

func closeFiles(files map[string]*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// snapshots are the instances that were handed over.
func (h *Handover) snapshots() map[supervisor.Key]*supervisor.Snapshot {
	if h == nil {
		return nil
	}
	out := make(map[supervisor.Key]*supervisor.Snapshot, len(h.doc.Instances))
	for i := range h.doc.Instances {
		out[h.doc.Instances[i].Key()] = &h.doc.Instances[i]
	}
	return out
}

func (h *Handover) groups() []supervisor.GroupSnapshot {
	if h == nil {
		return nil
	}
	return h.doc.Groups
}

func (h *Handover) facts() map[string]fact {
	if h == nil {
		return nil
	}
	out := make(map[string]fact, len(h.doc.Facts))
	for _, f := range h.doc.Facts {
		out[f.Key] = f
	}
	return out
}

// sockets are the notify sockets that were left, by name.
func (h *Handover) sockets() map[string]*os.File {
	out := map[string]*os.File{}
	for _, f := range h.facts() {
		if f.Notify != "" {
			out[f.Notify] = h.take(f.Notify)
		}
	}
	return out
}

// listener goes on listening on a socket that was handed over, or listens by
// listen where there is none for this address.
func (h *Handover) listener(name, address string, listen func(string) (net.Listener, error)) (net.Listener, error) {
	f := h.take(name)
	if f == nil {
		return listen(address)
	}
	before := h.doc.Listen
	if name == fileSocket {
		before = h.doc.Socket
	}
	if before != address {
		_ = f.Close()
		return listen(address)
	}
	return api.TakeOver(f)
}

// recall takes over what another peer's launcher knew.
func (g *generation) recall(f fact) {
	g.saidReady.Store(f.Ready)
	g.stopTold.Store(f.PreStop)
	g.watchdogEvery.Store(f.Watchdog)
	if f.Notify != "" {
		g.socket = g.l.left[f.Notify]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.says, g.reloading = f.Says, f.Reloading
}

// fact is what the next peer's launcher needs to know.
func (g *generation) fact() fact {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fact{
		Key: g.l.key(g.spec, g.number), Ready: g.saidReady.Load(), PreStop: g.stopTold.Load(),
		Says: g.says, Reloading: g.reloading, Watchdog: g.watchdogEvery.Load(),
	}
}

// handed restores an instance as a handover says; ok is false when the handover
// does not know it as history left it.
func (r *recovery) handed(k supervisor.Key, generation uint64, to string, found *foundling) (before supervisor.Restored, ok bool) {
	snap := r.snapshots[k]
	if snap == nil || snap.Machine.Generation != generation || snap.Machine.Status.String() != to || r.plan[k] == nil {
		return before, false
	}
	before = supervisor.Restored{Generation: generation, Handed: snap}
	m := snap.Machine
	switch {
	case !m.Status.Live():
		return before, found == nil
	case found == nil:
		return before, m.StartedAt.IsZero() && (m.Status == lifecycle.Starting || m.Status == lifecycle.Stopping)
	}
	before.Live = rawJSON(found.life)
	before.Changed = found.Hash != "" && found.Hash != r.plan[k].Hash
	r.folders[folderName(k, generation)], r.adopted[found.Token] = true, true
	return before, found.kept || found.Alive()
}
