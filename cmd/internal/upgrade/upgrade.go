// Package upgrade is what `ccpc upgrade` and `peerd upgrade` share: it asks a
// peer to become another program, and waits for how that went.
package upgrade

import (
	"context"
	"path/filepath"
	"time"

	"github.com/seed-04209a44/peerd/control"
)

// Client reaches the peer.
type Client interface {
	Call(ctx context.Context, typ string, req, resp any) error
}

// pause is the time between two questions how it went, and away how long the
// peer may be out of reach, as it is for its controller.
const (
	pause = 100 * time.Millisecond
	away  = 15 * time.Second
)

// Run has the peer replaced by the program in the file binary ("": the one that
// it was started from) and returns how it went; an error says that it goes on as
// before, or that nobody knows. patience bounds the peer's wait for what has to
// end before; 0 leaves it to the peer. begun is told when there is no way back.
func Run(ctx context.Context, c Client, binary string, patience time.Duration, begun func(control.Upgrade)) (control.Upgrade, error) {
	req := control.UpgradeRequest{TimeoutMs: patience.Milliseconds()}
	if binary != "" {
		path, err := filepath.Abs(binary)
		if err != nil {
			return control.Upgrade{}, control.Errorf(control.CodeUsage, "%v", err)
		}
		req.Binary = path
	}
	var u control.Upgrade
	if err := c.Call(ctx, control.OpUpgrade, req, &u); err != nil || u.Outcome != "underway" {
		return u, err
	}
	begun(u)
	u, err := outcome(ctx, c, u)
	if err == nil && u.Outcome == "failed" {
		err = control.Errorf(control.CodeFailed, "version %s could not go on, and gave back to %s: %s", u.To, u.From, u.Detail)
	}
	return u, err
}

// outcome waits until the peer says how its upgrade went. That it cannot be
// reached for a moment is part of it when it is a controller that is asked.
func outcome(ctx context.Context, c Client, begun control.Upgrade) (control.Upgrade, error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	gone := time.NewTimer(away)
	defer gone.Stop()
	for {
		var s control.PeerStatus
		err := c.Call(ctx, control.OpStatus, nil, &s)
		if err == nil {
			gone.Reset(away)
		}
		if err == nil && s.Upgrade != nil && s.Upgrade.At.Equal(begun.At) && s.Upgrade.Outcome != begun.Outcome {
			return *s.Upgrade, nil
		}
		select {
		case <-tick.C:
			continue
		case <-gone.C:
		case <-ctx.Done():
		}
		return begun, control.Errorf(control.CodeTimeout, "nobody says how the upgrade to %s went (%v): `ccpc status` shows it, and `peerd run` goes on with all components if peerd has ended", begun.To, err)
	}
}
