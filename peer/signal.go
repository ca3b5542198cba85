package peer

import (
	"context"
	"syscall"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// signal hands a signal to the process of each instance, not to its tree: to a
// master, which knows what its workers are to do. What is wanted of the instance
// stays as it is.
func (p *Peer) signal(ctx context.Context, r control.ActRequest) ([]control.Outcome, error) {
	sig, err := profiles.ParseSignal(r.Signal)
	if err != nil {
		return nil, control.Errorf(control.CodeUsage, "%v", err)
	}
	views, err := p.pick(r.Selection)
	if err != nil {
		return nil, err
	}
	by := control.CallerFrom(ctx).By
	outcomes := make([]control.Outcome, len(views))
	for i, v := range views {
		outcomes[i] = outcome(v, "accepted", "")
		if err := signalLeader(ctx, v, sig); err != nil {
			outcomes[i] = outcome(v, "failed", err.Error())
			continue
		}
		p.log.Info("signal", "component", v.Name, "generation", v.Machine.Generation, "signal", sig.String(), "by", by)
	}
	return outcomes, nil
}

func signalLeader(ctx context.Context, v *supervisor.View, sig syscall.Signal) error {
	g := atHand(ctx, v)
	if g == nil {
		return errNotSpawned
	}
	proc := g.process()
	if proc == nil {
		return errNotSpawned
	}
	return proc.SignalLeader(sig)
}
