package supervisor

import (
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// Entry is one transition for the journal.
type Entry struct {
	Key
	At         time.Time
	Transition lifecycle.Transition
	Live       []byte // identity of the living generation, nil when none lives
	Lost       int    // transitions just before this one that were given up, as the journal refused for too long
}

// retrySave is how long an actor waits before it offers the journal again what
// it refused.
const retrySave = time.Second

// maxUnsaved bounds what an actor remembers for a journal that refuses; beyond
// it the oldest are given up, which the next one tells (Entry.Lost). How a
// process ended is never given up: while the journal refuses none is started,
// so there is one such end at most.
const maxUnsaved = 256

func (a *actor) entry(t lifecycle.Transition) Entry {
	return Entry{Key: a.key, At: a.sup.now(), Transition: t, Live: a.identity()}
}

func (a *actor) identity() []byte {
	if id, ok := a.handle.(Identifier); ok && living(a.machine) {
		return id.Identity()
	}
	return nil
}

// save writes what is unsaved. While it fails, the view carries the fault.
func (a *actor) save() {
	if len(a.unsaved) == 0 {
		return
	}
	a.fault = a.sup.opts.Record(a.unsaved)
	if a.fault == nil {
		a.unsaved = nil
		for _, s := range a.settling {
			s.Settled()
		}
		a.settling = nil
		return
	}
	for len(a.unsaved) > maxUnsaved {
		a.unsaved = giveUpOldest(a.unsaved)
	}
	if !a.retrying {
		a.retrying = true
		time.AfterFunc(retrySave, func() { a.mail.put(saveMsg{}) })
	}
}

// giveUpOldest drops the oldest entry that is not the end of a process. The one
// after it tells.
func giveUpOldest(unsaved []Entry) []Entry {
	i := slices.IndexFunc(unsaved, func(e Entry) bool { return e.Transition.Exit == nil || e.Transition.Pid == 0 })
	i = max(i, 0)
	unsaved[i+1].Lost += unsaved[i].Lost + 1
	return slices.Delete(unsaved, i, i+1)
}

// publish replaces the view and wakes whoever waits for a change.
func (a *actor) publish() {
	old := a.view.Load()
	v := &View{
		Key: a.key, Spec: a.spec, Machine: a.machine,
		Health: a.health, HealthDetail: a.detail, LastExitAt: a.exitAt, Fault: a.fault,
		handle: a.handle, heard: a.heard, changed: make(chan struct{}),
	}
	if c := v.Commander(); c != nil {
		v.Version = c.ProtocolVersion()
	}
	if v.sameAs(old) {
		return
	}
	a.view.Store(v)
	close(old.changed)
	a.sup.notice(a.key)
}
