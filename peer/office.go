package peer

import (
	"context"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// deputies are the instances that run on the target's primary only, and know
// from their peer in which term they act. Each is told again and again while a
// controller confirms the peer: without that its own lease ends, whether or not
// anybody is there to say so. Replicas have a primary of their own instead.
type deputies struct {
	told map[supervisor.Key]notice
}

// inform tells the deputies of the term, and returns after how long they have to
// be told again; 0: not before something changes.
func (d *deputies) inform(ctx context.Context, p *Peer, views []*supervisor.View) time.Duration {
	word, confirmed := p.standing.word()
	told := map[supervisor.Key]notice{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, v := range views {
		if !confirmed || !v.Spec.CCP || v.Spec.Replicas > 1 || v.Spec.RunOn != "primary" || v.Machine.Status != lifecycle.Running {
			continue
		}
		now := notice{v.Machine.Generation, word.Term}
		if word.ValidMs == 0 && d.told[v.Key] == now {
			told[v.Key] = now
			continue
		}
		wg.Go(func() {
			err := p.tellPrimary(ctx, v, word)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				told[v.Key] = now
			case ctx.Err() == nil:
				told[v.Key] = notice{}
				p.log.Warn("cannot tell in which term it acts, yet", "component", v.Key.String(), "term", word.Term, "error", err)
			}
		})
	}
	wg.Wait()
	d.told = told
	for _, n := range told {
		if n == (notice{}) || word.ValidMs > 0 {
			return min(primaryPatience, p.standing.lease/4)
		}
	}
	return 0
}

// word is what those are told who run on the primary only; confirmed is whether
// there is anything to tell them.
func (s *standing) word() (word ccp.PrimaryNotice, confirmed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	word = ccp.PrimaryNotice{Primary: true, Term: s.past.Term}
	if !s.joined {
		return word, true
	}
	if !s.connected || !s.told || s.heard == nil {
		return word, false
	}
	// A controller that was there a while ago confirms nothing: this process may
	// have been asleep since, and its office be another's.
	word.ValidMs = (s.lease - age(s.heard(), time.Now())).Milliseconds()
	return word, word.ValidMs > 0
}

// age is how long ago something was, by the clock that says more: the wall's goes
// on while the machine is asleep, and the other cannot be set back.
func age(at, now time.Time) time.Duration {
	return max(now.Sub(at), now.Round(0).Sub(at.Round(0)))
}
