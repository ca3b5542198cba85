package keeper

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/notify"
	"github.com/seed-04209a44/peerd/process"
)

// maxSaid bounds how many messages are kept of one process; the oldest go first.
const maxSaid = 16

// ear is the notify socket of a process, kept open so that nothing that was said
// on it is lost with whoever hears it. While nobody does, the keeper hears it
// itself: a process must not stand still because its messages pile up.
type ear struct {
	folder string
	proc   atomic.Pointer[process.Process] // whose tree may speak

	mu   sync.Mutex // guards the following fields
	fd   int        // the runtime's poller does not know it: who does not hear is not woken; -1: closed
	said []string   // in order; of those that name the same variables the latest
	stop func()     // ends hearing, and waits for that; nil while the keeper does not
	user int        // the number of the last one who was to hear
}

// hear begins to hear, as the user of that number is gone and no later one hears.
func (e *ear) hear(last int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop != nil || e.user > last {
		return
	}
	fd, err := e.duplicate()
	if err != nil {
		return
	}
	socket, err := notify.Inherit(os.NewFile(uintptr(fd), "notify"), e.folder)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var hearing sync.WaitGroup
	hearing.Go(func() {
		_ = socket.Hear(ctx, e.isMember, func(text []byte) { e.note(string(text)) })
	})
	e.stop = func() {
		cancel()
		hearing.Wait()
		_ = socket.LetGo()
	}
}

// duplicate is the socket under another number; e.mu is held.
func (e *ear) duplicate() (fd int, err error) {
	return unix.FcntlInt(uintptr(e.fd), unix.F_DUPFD_CLOEXEC, 0)
}

// giveTo sends the socket to the user who waits at path.
func (e *ear) giveTo(path string) error {
	e.mu.Lock()
	fd, err := e.duplicate() // as the ear may be lost meanwhile
	e.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot hand over a socket of sd_notify: %w", err)
	}
	defer unix.Close(fd)
	return give(path, fd)
}

// hush has the user of that number hear.
func (e *ear) hush(user int) {
	e.mu.Lock()
	stop := e.stop
	e.stop, e.user = nil, user
	e.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// note keeps what was said.
func (e *ear) note(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := variables(text)
	e.said = append(slices.DeleteFunc(e.said, func(s string) bool { return slices.Equal(variables(s), names) }), text)
	e.said = e.said[max(0, len(e.said)-maxSaid):]
}

// variables are the names that a message gives values to.
func variables(text string) (names []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if name, _, ok := strings.Cut(line, "="); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// tell returns what was said. What lasts is told to whoever asks, everything else
// to the first.
func (e *ear) tell() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	said := e.said
	e.said = slices.DeleteFunc(slices.Clone(said), func(s string) bool { return !notify.Lasts(s) })
	return said
}

// isMember reports whether a process is of the tree whose ear it is.
func (e *ear) isMember(pid int) bool {
	proc := e.proc.Load()
	return proc != nil && slices.ContainsFunc(proc.Members(), func(m process.Member) bool { return m.Pid == pid })
}

func (e *ear) close() {
	e.hush(math.MaxInt)
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = unix.Close(e.fd)
	e.fd = -1
}

// listen gives what is held an ear: the socket that its user offers at a path. The
// user hears it, as long as there is one.
func (k *Keeper) listen(h *held, path string) error {
	fd, err := accept(path)
	if err != nil {
		return err
	}
	user := k.user()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return unix.Close(fd)
	}
	next := &ear{fd: fd, folder: h.opts.Folder, user: user}
	next.proc.Store(h.proc)
	if h.ear != nil {
		next.said = h.ear.tell()
	}
	h.loseEar()
	h.ear = next
	return nil
}

// loseEar ends all hearing; h.mu is held.
func (h *held) loseEar() {
	if h.ear != nil {
		h.ear.close()
		h.ear = nil
	}
}

// loseEars is loseEar for all: who hears now makes sockets anew.
func (k *Keeper) loseEars() {
	for _, h := range k.all() {
		h.mu.Lock()
		h.loseEar()
		h.mu.Unlock()
	}
}

// user is the number of the latest one.
func (k *Keeper) user() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.visitors
}

// hearAll hears what nobody else does, since the user of that number is gone.
func (k *Keeper) hearAll(last int) {
	for _, h := range k.all() {
		h.mu.Lock()
		if h.ear != nil {
			h.ear.hear(last)
		}
		h.mu.Unlock()
	}
}

// earOf is the ear of what is held under key; nil: it has none.
func (k *Keeper) earOf(key string) (*ear, error) {
	h, err := k.find(key)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ear, nil
}

// handOut gives the socket of a process to a user, who hears it from now on, at
// the path that the user waits at; with what was said while there was none, which
// is known to nobody else and told even where the socket does not get there.
func (k *Keeper) handOut(o earOrder) (earAnswer, error) {
	e, err := k.earOf(o.Key)
	if err != nil || e == nil {
		return earAnswer{}, err
	}
	e.hush(k.user())
	if err := e.giveTo(o.Path); err != nil {
		return earAnswer{Said: e.tell(), Trouble: err.Error()}, nil
	}
	return earAnswer{Held: true, Said: e.tell()}, nil
}

// noteSaid keeps what a user is about to hear.
func (k *Keeper) noteSaid(o saidOrder) error {
	e, err := k.earOf(o.Key)
	if err == nil && e != nil {
		e.note(o.Text)
	}
	return err
}
