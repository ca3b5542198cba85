package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// record puts transitions into the journal, each with the row of its instance.
func (p *Peer) record(entries []supervisor.Entry) error {
	recs := make([]journal.Record, len(entries))
	for i, e := range entries {
		recs[i] = recordOf(e)
		p.log.Info("transition", "component", e.Name, "generation", recs[i].Generation,
			"from", recs[i].From, "to", recs[i].To, "state", recs[i].State, "cause", recs[i].Cause, "detail", recs[i].Detail)
	}
	last := entries[len(entries)-1]
	return p.rows.change([]supervisor.Key{last.Key}, func(row *journal.Instance) {
		row.Generation, row.Live = last.Transition.Generation, last.Live
		if isStartedByCommand(last.Transition) {
			row.Desired = "up" // though nobody named it: who depends on it pulled it up
		}
	}, func(rows []journal.Instance) error {
		write := p.journal.Append
		if goesDown(last.Transition) {
			write = p.journal.AppendUrgent
		}
		_, err := write(recs, rows...)
		p.degraded.set("journal", err)
		return err
	})
}

// goesDown reports whether an instance is being stopped, or is: that is recorded
// though the disk is full.
func goesDown(t lifecycle.Transition) bool {
	return t.To == lifecycle.Stopping || t.To == lifecycle.Stopped
}

// isStartedByCommand reports whether an operator's start takes an instance from
// rest.
func isStartedByCommand(t lifecycle.Transition) bool {
	return t.Cause == lifecycle.CauseCommand && !t.From.Live() && (t.To == lifecycle.Starting || t.To == lifecycle.Waiting)
}

// recordOf is the journal's form of a transition.
func recordOf(e supervisor.Entry) journal.Record {
	t := e.Transition
	r := journal.Record{
		At: e.At, Name: e.Name, Application: e.Application, Generation: t.Generation,
		From: t.From.String(), To: t.To.String(), State: t.State.String(), Cause: t.Cause.String(),
		By: t.By, Pid: t.Pid, Detail: t.Detail,
	}
	if e.Lost > 0 {
		r.Detail = strings.TrimSpace(fmt.Sprintf("%s [%d records before this one are lost: the journal refused them for too long]", t.Detail, e.Lost))
	}
	if t.Exit != nil {
		r.Exit = &journal.Exit{Code: t.Exit.Code, Signal: t.Exit.Signal, Reason: t.Exit.Reason}
	}
	return r
}

// wish puts an operator's wish on disk before it is acted on. unwish takes it
// back where nothing was done.
func (p *Peer) wish(keys []supervisor.Key, desired string) (unwish func() error, err error) {
	before := map[supervisor.Key]string{}
	err = p.wishEach(keys, func(k supervisor.Key, was string) string {
		before[k] = was
		return desired
	})
	return func() error {
		return p.wishEach(keys, func(k supervisor.Key, is string) string {
			if is != desired {
				return is // somebody else wants something meanwhile
			}
			return before[k]
		})
	}, err
}

// wishEach changes what is wanted of each instance.
func (p *Peer) wishEach(keys []supervisor.Key, next func(k supervisor.Key, is string) string) error {
	return p.rows.change(keys, func(row *journal.Instance) {
		row.Desired = next(supervisor.Key{Application: row.Application, Name: row.Name}, row.Desired)
	}, func(rows []journal.Instance) error {
		write := p.journal.Append
		if !slices.ContainsFunc(rows, func(row journal.Instance) bool { return row.Desired != "down" }) {
			write = p.journal.AppendUrgent
		}
		_, err := write(nil, rows...)
		return p.noted(err)
	})
}

// isUnwanted reports whether an operator wants the instance down.
func (p *Peer) isUnwanted(k supervisor.Key) bool { return p.rows.of(k).get().Desired == "down" }

func (p *Peer) forget(k supervisor.Key) {
	p.rows.drop(k)
	p.degraded.set("journal", errors.Join(p.journal.Forget(k.Application, k.Name), p.timetable.forget(k)))
}

// remember adds to known what history tells of instances that join the plan
// again: their generations go on where they ended.
func (p *Peer) remember(known map[supervisor.Key]supervisor.Restored, changes []profiles.Change) error {
	for _, c := range changes {
		if c.Kind != profiles.ChangeStart {
			continue
		}
		k := supervisor.KeyOf(c.New)
		if _, ok := known[k]; ok {
			continue
		}
		recs, err := p.journal.Read(journal.Filter{Application: k.Application, Name: k.Name, Last: 1})
		if err != nil {
			return fmt.Errorf("cannot read the history of %s: %w", k, err)
		}
		if len(recs) > 0 {
			known[k] = supervisor.Restored{Generation: recs[0].Generation}
		}
	}
	return nil
}

// toRest are the steps of the machine from an instance's last record to
// stopped, where every instance of a new peer begins.
func (p *Peer) toRest(last journal.Record, exit process.Exit) ([]journal.Record, error) {
	status, err := lifecycle.ParseStatus(last.To)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history of %s/%s: %w", last.Application, last.Name, err)
	}
	step := journal.Record{
		At: p.startedAt, Name: last.Name, Application: last.Application, Generation: last.Generation,
		From: last.To, To: lifecycle.Stopped.String(), Cause: lifecycle.CauseRecovery.String(), By: "peerd", Detail: "recovery",
	}
	if status == lifecycle.Stopped {
		return nil, nil
	}
	if !status.Live() {
		return []journal.Record{step}, nil
	}
	step.Pid = last.Pid
	stopping := step
	stopping.To, stopping.State = lifecycle.Stopping.String(), last.State
	step.From, step.Exit = stopping.To, &journal.Exit{Code: exit.Code, Signal: exit.Signal, Reason: exit.Reason}
	return []journal.Record{stopping, step}, nil
}

// killLeftover ends what an earlier peer left of one instance and returns how
// its leader ended and what could not be ended. A zombie is nothing that is
// left; but how it ended is known only when its parent, who is somebody else
// now, has waited for it, and that is waited for within the same time.
func (p *Peer) killLeftover(id process.Identity) (process.Exit, []process.Member, error) {
	proc, err := p.door.Adopt(id)
	if err != nil {
		return process.Exit{}, nil, err
	}
	defer proc.Release()
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	look := time.NewTicker(leftoverInterval)
	defer look.Stop()
	for {
		attempt, done := context.WithTimeout(ctx, leftoverInterval)
		proc.Kill(attempt)
		done()
		left := proc.Members()
		if len(left) == 0 {
			return exitWithin(ctx, proc), nil, nil
		}
		if ctx.Err() != nil {
			return proc.Exit(), left, nil
		}
		<-look.C
	}
}

// leftoverInterval is the time between two looks at what is being killed.
const leftoverInterval = 20 * time.Millisecond

// exitWithin is how a process ended of which nothing lives.
func exitWithin(ctx context.Context, proc *process.Process) process.Exit {
	select {
	case <-proc.Exited():
		return proc.Exit()
	case <-ctx.Done():
		return process.Exit{Code: -1, Reason: "it was killed, and nobody has waited for it"}
	}
}

// degraded are the reasons why the peer does less than it should.
type degraded struct {
	mu      sync.Mutex // guards the following field
	reasons map[string]string
}

// set notes or clears (nil) the trouble of one part.
func (d *degraded) set(part string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.reasons, part)
		return
	}
	if d.reasons == nil {
		d.reasons = map[string]string{}
	}
	d.reasons[part] = err.Error()
}

func (d *degraded) list() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]string, 0, len(d.reasons))
	for part, why := range d.reasons {
		out = append(out, part+": "+why)
	}
	slices.Sort(out)
	return out
}

// has reports whether a part is in trouble.
func (d *degraded) has(part string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reasons[part] != ""
}
