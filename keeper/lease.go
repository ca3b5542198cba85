package keeper

import (
	"context"
	"time"
)

// killPatience bounds how long the end of a tree is waited for.
const killPatience = 10 * time.Second

// forsaken begins the leases of all that is held, and hears what is said: the last
// user has gone. k.mu is held.
func (k *Keeper) forsaken() {
	last := k.visitors
	if k.halted { // the user is still there, and the next program's
		return
	}
	k.watching.Go(func() { k.hearAll(last) })
	for _, h := range k.held {
		if h.opts.Lease > 0 {
			k.watching.Go(func() { k.lease(h, last) })
		}
	}
}

// lease ends a process by force, unless a user later than last comes in time.
func (k *Keeper) lease(h *held, last int) {
	timer := time.NewTimer(h.opts.Lease)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.closing:
		return
	}
	k.mu.Lock()
	alone := k.visitors == last
	k.mu.Unlock()
	h.mu.Lock()
	proc := h.proc
	h.mu.Unlock()
	if !alone || proc == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	_ = proc.Kill(ctx) // what is left is found by the next user
}
