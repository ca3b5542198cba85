package component

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
)

// Office tells whether this instance is the primary of its target right now,
// and in which term. A component that must act once, wherever it runs, asks
// right before each effect, and sends the term along: whoever is acted upon
// refuses a term lower than one it has seen.
//
// The answer is no from the moment that the peer's word is too old, be it that
// the peer is gone or that this process was stopped for a while; nobody has to
// be there to say so. ctx is one of the component's own.
func Office(ctx context.Context) (term uint64, primary bool) {
	r := runtimeOf(ctx)
	if r == nil {
		return 0, false
	}
	return r.office.now()
}

// office is what the peer has said of being primary.
type office struct {
	telling sync.Mutex // held while the component is told, so that it hears in order

	mu      sync.Mutex // guards all below
	term    uint64
	primary bool
	until   time.Time   // zero: until the next word
	end     *time.Timer // nil: none
	told    ccp.PrimaryNotice
}

func (o *office) now() (term uint64, primary bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.term, o.primary && !o.isOver(time.Now())
}

// isOver goes by two clocks: the wall's goes on while the machine is asleep, and
// the other cannot be set back. o.mu must be held.
func (o *office) isOver(now time.Time) bool {
	return !o.until.IsZero() && (!now.Before(o.until) || !now.Round(0).Before(o.until.Round(0)))
}

// take takes in the peer's word.
func (o *office) take(p ccp.PrimaryNotice, tell func(primary bool, term uint64)) error {
	o.mu.Lock()
	if p.Term < o.term {
		defer o.mu.Unlock()
		return fmt.Errorf("term %d is over: this component has seen term %d", p.Term, o.term)
	}
	o.term, o.primary, o.until = p.Term, p.Primary, time.Time{}
	if o.end != nil {
		o.end.Stop()
	}
	if p.Primary && p.ValidMs > 0 {
		valid := time.Duration(p.ValidMs) * time.Millisecond
		o.until = time.Now().Add(valid)
		o.end = time.AfterFunc(valid, func() { o.tell(tell) })
	}
	o.mu.Unlock()
	o.tell(tell)
	return nil
}

// tell has the component know what holds now, if that is news.
func (o *office) tell(tell func(primary bool, term uint64)) {
	o.telling.Lock()
	defer o.telling.Unlock()
	term, primary := o.now()
	now := ccp.PrimaryNotice{Primary: primary, Term: term}
	o.mu.Lock()
	news := o.told != now
	o.told = now
	o.mu.Unlock()
	if news {
		tell(primary, term)
	}
}

// leave ends the office with the life of the component.
func (o *office) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.primary = false
	if o.end != nil {
		o.end.Stop()
	}
}
