package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// recovery is what a peer finds of an earlier one, on its way to what the
// supervisor begins with.
type recovery struct {
	p        *Peer
	plan     map[supervisor.Key]*profiles.Spec
	held     map[string]keeper.Entry // by the keeper, not looked at yet
	folders  map[string]bool         // names of the private folders still in use
	adopted  map[string]bool         // tokens of the trees that are taken up
	same     bool                    // plan and boot are those of the earlier peer
	restored map[supervisor.Key]supervisor.Restored
	leaving  []profiles.Change // of those who live and are in no plan

	snapshots map[supervisor.Key]*supervisor.Snapshot // what was handed over
}

// recover reads what an earlier peer left: what lives is taken up again, what of
// it has left the plan by changes of its own that stop it, how the rest ended is
// written down, and what cannot be taken up is ended before anything starts, so
// that no instance ever lives twice.
func (p *Peer) recover(ctx context.Context) (restored map[supervisor.Key]supervisor.Restored, leaving []profiles.Change, err error) {
	rows, err := p.journal.Instances()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read what was running: %w", err)
	}
	r := &recovery{
		p: p, plan: map[supervisor.Key]*profiles.Spec{}, held: map[string]keeper.Entry{},
		folders: map[string]bool{}, adopted: map[string]bool{}, restored: map[supervisor.Key]supervisor.Restored{},
		snapshots: p.opts.Handover.snapshots(),
	}
	plan, _ := p.currentPlan()
	r.same = p.sameScene(plan)
	for _, s := range plan.Specs {
		r.plan[supervisor.KeyOf(s)] = s
	}
	if err := r.list(ctx); err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		k := supervisor.Key{Application: row.Application, Name: row.Name}
		if err := r.row(ctx, row); err != nil {
			return nil, nil, fmt.Errorf("cannot take up %s: %w", k, err)
		}
	}
	if err := r.strangers(ctx); err != nil {
		return nil, nil, err
	}
	if err := r.orphans(); err != nil {
		return nil, nil, err
	}
	if rows, err = p.journal.Instances(); err != nil {
		return nil, nil, fmt.Errorf("cannot read what was written down: %w", err)
	}
	p.rows.load(rows)
	return r.restored, r.leaving, r.sweep()
}

// list asks the keeper what it holds.
func (r *recovery) list(ctx context.Context) error {
	if r.p.keeper == nil {
		return nil
	}
	entries, err := r.p.keeper.Entries(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the keeper what it holds: %w", err)
	}
	for _, e := range entries {
		r.held[e.Key] = e
	}
	return nil
}

// row decides what becomes of one instance.
func (r *recovery) row(ctx context.Context, row journal.Instance) error {
	k := supervisor.Key{Application: row.Application, Name: row.Name}
	recs, err := r.p.journal.Read(journal.Filter{Application: row.Application, Name: row.Name, Last: 1})
	if err != nil {
		return fmt.Errorf("cannot read its history: %w", err)
	}
	if snap := r.snapshots[k]; snap != nil && snap.Live != nil && snap.Machine.Generation == row.Generation {
		row.Live = snap.Live // the newest word
	}
	found, err := r.find(k, row)
	if err != nil {
		return err
	}
	r.restored[k] = supervisor.Restored{Generation: row.Generation, Down: row.Desired == "down"}
	var last journal.Record
	if len(recs) > 0 {
		last = recs[0]
	}
	if before, ok := r.handed(k, row.Generation, last.To, found); ok {
		r.restored[k] = before
		return nil
	}
	spec := r.plan[k]
	switch {
	case !lives(last.To):
		if found != nil {
			if err := r.end(ctx, k, row.Generation, found); err != nil {
				return err
			}
		}
		if r.same && spec != nil && rests(last) {
			return r.leave(k, row, last)
		}
	case found != nil && spec != nil && r.p.keeper != nil && (found.kept || found.Alive()):
		return r.adopt(k, row, last, spec, found)
	case found != nil && spec == nil && r.p.keeper != nil && found.Alive():
		return r.dismiss(k, row, last, found)
	case found != nil:
		if err := r.end(ctx, k, row.Generation, found); err != nil {
			return err
		}
	default:
		if err := r.endUnknown(ctx, k, row.Generation); err != nil {
			return err
		}
	}
	return r.closeHistory(row, last, found)
}

// leave prepares the supervisor to leave an instance at rest as it is.
func (r *recovery) leave(k supervisor.Key, row journal.Instance, last journal.Record) error {
	t, err := transitionOf(last)
	if err != nil {
		return err
	}
	r.restored[k] = supervisor.Restored{Generation: row.Generation, Down: row.Desired == "down", Last: t, Rests: true, Since: last.At}
	return nil
}

// foundling is a generation that an earlier peer has launched.
type foundling struct {
	life
	kept bool          // the keeper holds it, ended or not
	exit *process.Exit // as far as the keeper knows it
}

// find looks for the generation of a row: with the keeper, in the journal, and,
// when its start was under way, among all processes.
func (r *recovery) find(k supervisor.Key, row journal.Instance) (*foundling, error) {
	var f foundling
	if row.Live != nil {
		var err error
		if f.life, err = parseLife(row.Live); err != nil {
			return nil, err
		}
	}
	key := keyOf(k, row.Generation)
	if e, ok := r.held[key]; ok && e.Identity != nil {
		delete(r.held, key)
		f.kept = true
		if row.Live == nil {
			f.Identity = *e.Identity
		}
		if f.Identity == *e.Identity { // one that has put itself into the background is another
			f.exit = e.Exit
		}
		if e.First != nil {
			f.Line = *e.First
		}
		return &f, nil
	}
	if row.Live != nil {
		return &f, nil
	}
	return nil, nil
}

// adopt prepares the supervisor to go on with a generation.
func (r *recovery) adopt(k supervisor.Key, row journal.Instance, last journal.Record, spec *profiles.Spec, f *foundling) error {
	t, err := transitionOf(last)
	if err != nil {
		return err
	}
	r.folders[folderName(k, row.Generation)], r.adopted[f.Token] = true, true
	r.restored[k] = supervisor.Restored{
		Generation: row.Generation, Down: row.Desired == "down", Last: t, Live: rawJSON(f.life),
		Changed: f.Hash != "" && f.Hash != spec.Hash,
	}
	return nil
}

// transitionOf is a record as the machine knows it.
func transitionOf(rec journal.Record) (t lifecycle.Transition, err error) {
	t = lifecycle.Transition{Generation: rec.Generation, Pid: rec.Pid, Detail: rec.Detail, By: rec.By, Cause: lifecycle.CauseRecovery}
	var errs [3]error
	t.From, errs[0] = lifecycle.ParseStatus(rec.From)
	t.To, errs[1] = lifecycle.ParseStatus(rec.To)
	if rec.State != "" {
		t.State, errs[2] = lifecycle.ParseState(rec.State)
	}
	if x := rec.Exit; x != nil {
		t.Exit = &lifecycle.Exit{Code: x.Code, Signal: x.Signal, Reason: x.Reason}
	}
	return t, errors.Join(errs[:]...)
}

// end ends what nobody goes on with, and has the keeper forget it.
func (r *recovery) end(ctx context.Context, k supervisor.Key, generation uint64, f *foundling) error {
	exit, left, err := r.p.killLeftover(f.Identity)
	if err != nil {
		return fmt.Errorf("cannot look for what is left of it: %w", err)
	}
	if len(left) > 0 {
		return fmt.Errorf("something of it is still there, and cannot be killed: %s", describeMembers(left))
	}
	if f.exit == nil {
		f.exit = &exit
	}
	if r.p.keeper == nil || !f.kept {
		return nil
	}
	return r.p.keeper.Forget(ctx, keyOf(k, generation))
}

// endUnknown ends what was spawned and could be told to nobody: the keeper died
// over it, and the peer too.
func (r *recovery) endUnknown(ctx context.Context, k supervisor.Key, generation uint64) error {
	found, err := keeper.Leftovers(r.p.door, r.p.launcher.treeName(k))
	if err != nil {
		return err
	}
	for _, id := range found {
		if err := r.end(ctx, k, generation, &foundling{life: life{Identity: id}}); err != nil {
			return err
		}
	}
	return nil
}

// closeHistory ends the story of a generation that nobody goes on with.
func (r *recovery) closeHistory(row journal.Instance, last journal.Record, f *foundling) error {
	if last.To == "" {
		return nil
	}
	exit := process.Exit{Code: -1, Reason: "it ended while no peer was watching"}
	switch {
	case f != nil && f.exit != nil:
		exit = *f.exit
	case f == nil && last.Pid == 0 && r.p.keeper != nil:
		exit.Reason = "not spawned: the peer died before it asked the keeper for a process"
	}
	steps, err := r.p.toRest(last, exit)
	if len(steps) == 0 || err != nil {
		return err
	}
	_, err = r.p.journal.AppendUrgent(steps, journal.Instance{Application: row.Application, Name: row.Name, Generation: row.Generation, Desired: row.Desired})
	return err
}

// strangers ends what the keeper holds and the journal does not know: it was
// acknowledged to nobody.
func (r *recovery) strangers(ctx context.Context) error {
	for _, key := range slices.Sorted(maps.Keys(r.held)) {
		e := r.held[key]
		r.p.log.Warn("the keeper holds what the journal does not know; it is ended", "key", key)
		if e.Identity != nil {
			_, left, err := r.p.killLeftover(*e.Identity)
			if err != nil || len(left) > 0 {
				return errors.Join(err, fmt.Errorf("cannot end %s, which the keeper holds: %s", key, describeMembers(left)))
			}
		}
		if err := r.p.keeper.Forget(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// orphans ends what a peer on this state folder has spawned and nobody knows
// any more: the journal that knew it was lost, and the keeper with it.
func (r *recovery) orphans() error {
	found, err := keeper.LeftoversOf(r.p.door, r.p.launcher.tag+"-")
	if err != nil {
		return err
	}
	for _, id := range found {
		if r.adopted[id.Token] {
			continue
		}
		r.p.log.Warn("a process of this peer is there that nobody knows; it is ended", "pid", id.Pid)
		if _, left, err := r.p.killLeftover(id); err != nil || len(left) > 0 {
			return errors.Join(err, fmt.Errorf("cannot end what an earlier peer left: %s", describeMembers(left)))
		}
	}
	return nil
}

// sweep removes the private folders that nobody uses any more.
func (r *recovery) sweep() error {
	run := r.p.launcher.run
	entries, err := os.ReadDir(run)
	if err != nil {
		return fmt.Errorf("cannot look into the runtime folder: %w", err)
	}
	for _, e := range entries {
		if !r.folders[e.Name()] {
			if err := os.RemoveAll(filepath.Join(run, e.Name())); err != nil {
				return fmt.Errorf("cannot tidy the runtime folder: %w", err)
			}
		}
	}
	return nil
}

// lives reports whether a status is one of a living generation.
func lives(status string) bool {
	s, err := lifecycle.ParseStatus(status)
	return err == nil && s.Live()
}
