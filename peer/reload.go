package peer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// reload loads the profile again and applies what changed; a profile that does
// not load changes nothing.
func (p *Peer) reload(ctx context.Context, r control.ReloadRequest, _ progress) (control.ReloadReply, error) {
	return p.Reload(ctx, r.DryRun, control.CallerFrom(ctx).By)
}

// Reload loads the profile again and applies what changed, or only says what
// would. Reloads exclude one another. An error leaves everything as it was and
// is shown by status until a reload succeeds.
func (p *Peer) Reload(ctx context.Context, dryRun bool, by string) (control.ReloadReply, error) {
	given, err := p.passage.order(ctx, "a reload")
	if err != nil {
		return control.ReloadReply{}, err
	}
	defer given()
	p.reloads.Lock()
	defer p.reloads.Unlock()
	if !dryRun {
		if err := p.canRecord(); err != nil {
			return control.ReloadReply{}, err
		}
	}
	scales, err := scalesIn(p.journal)
	if err != nil {
		return control.ReloadReply{}, err
	}
	return p.reloadTo(ctx, scales, dryRun, by, nil)
}

// reloadTo is Reload with those numbers of replicas; keep, which may be nil, is
// called when the profile is found good, before anything changes. p.reloads is
// held.
func (p *Peer) reloadTo(ctx context.Context, scales map[string]int, dryRun bool, by string, keep func() error) (control.ReloadReply, error) {
	next, err := profiles.Load(p.opts.Profile, loadOptions(scales))
	if !dryRun {
		p.degraded.set("profile", err)
	}
	if err != nil {
		return control.ReloadReply{}, invalid(err)
	}
	old, _ := p.currentPlan()
	changes := profiles.Diff(old, next)
	reply := control.ReloadReply{Changes: []control.Change{}, Warnings: next.Warnings, Hash: next.Hash}
	for _, c := range changes {
		reply.Changes = append(reply.Changes, publicChange(c))
	}
	reply.Warnings = append(reply.Warnings, restartOnly(old, next)...)
	if dryRun {
		return reply, nil
	}
	known := map[supervisor.Key]supervisor.Restored{}
	if err := p.remember(known, changes); err != nil {
		return reply, err
	}
	if keep != nil {
		if err := keep(); err != nil {
			return reply, err
		}
	}
	if err := p.sup.Apply(ctx, next, changes, known, by); err != nil {
		return reply, err
	}
	next.Peer, next.Controller = old.Peer, old.Controller
	p.mu.Lock()
	p.plan, p.applied = next, time.Now()
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	p.degraded.set("journal", p.keepScene(next))
	p.log.Info("profile applied", "changes", len(changes), "hash", next.Hash, "by", by)
	return reply, nil
}

// invalid is the refusal of a profile, each fault in its details.
func invalid(err error) error {
	refusal := control.Errorf(control.CodeInvalid, "%v", err)
	var faults profiles.Errors
	if errors.As(err, &faults) {
		refusal.Details = faults
	}
	return refusal
}

// restartOnly names the sections that changed and hold from the next start of
// the peer only.
func restartOnly(old, next *profiles.Plan) (warnings []string) {
	if !old.Peer.Equal(next.Peer) {
		warnings = append(warnings, "the peer section changed: it takes effect when peerd is started again")
	}
	if !reflect.DeepEqual(old.Controller, next.Controller) {
		warnings = append(warnings, "the controller section changed: it takes effect when peerd is started again")
	}
	return warnings
}

var changeNames = map[profiles.ChangeKind]string{
	profiles.ChangeStart: "start", profiles.ChangeStop: "stop",
	profiles.ChangeRestart: "restart", profiles.ChangeUpdate: "update",
}

func publicChange(c profiles.Change) control.Change {
	spec := c.New
	if spec == nil {
		spec = c.Old
	}
	return control.Change{Name: spec.Name, Application: spec.Application.GUID, Change: changeNames[c.Kind], Fields: c.Fields}
}

// settle is how long the files must be quiet before they are read: editors
// and deployments write in several steps. A folder that is never quiet is read
// after maxSettle all the same.
const (
	settle    = 150 * time.Millisecond
	maxSettle = 2 * time.Second
)

// quiet fires once nothing has happened for settle, at the latest maxSettle
// after the first event. It belongs to one goroutine.
type quiet struct {
	timer *time.Timer
	first time.Time // of the events waiting; zero without any
}

func newQuiet() *quiet {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &quiet{timer: t}
}

// event puts the firing off.
func (q *quiet) event() {
	now := time.Now()
	if q.first.IsZero() {
		q.first = now
	}
	q.timer.Reset(min(settle, max(0, maxSettle-now.Sub(q.first))))
}

// fired begins anew; it is called when the timer has fired.
func (q *quiet) fired() { q.first = time.Time{} }

// watch reloads when a file of the profile changes, until ctx ends. It watches
// folders, as a watch on a file goes deaf with the first atomic rename.
func (p *Peer) watch(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		p.degraded.set("watch", err)
		return
	}
	defer w.Close()
	p.follow(w)
	changes := newQuiet()
	defer changes.timer.Stop()
	refused := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.Events:
			changes.event()
		case err := <-w.Errors:
			changes.event() // events were lost
			p.log.Warn("cannot watch the profile; reload by hand or by SIGHUP", "error", err)
		case <-changes.timer.C:
			changes.fired()
			refused = p.reloadIfChanged(ctx, refused)
			p.follow(w)
		}
	}
}

// reloadIfChanged reads the files and applies them when they say something else.
// It returns why they were refused, and tells so unless they were refused for the
// same before: this peer's own log may be in one of the folders.
func (p *Peer) reloadIfChanged(ctx context.Context, before string) (refused string) {
	old, _ := p.currentPlan()
	var next *profiles.Plan
	scales, err := scalesIn(p.journal)
	if err == nil {
		next, err = profiles.Load(p.opts.Profile, loadOptions(scales))
	}
	switch {
	case err == nil && next.Hash == old.Hash:
		p.degraded.set("profile", nil)
		return ""
	case err != nil && err.Error() == before:
		return before
	}
	if _, err := p.Reload(ctx, false, "file change"); err != nil {
		if err.Error() != before {
			p.log.Error("the profile was not applied; what runs is untouched", "error", err)
		}
		return err.Error()
	}
	return ""
}

// follow watches the folders of all files of the plan, and of every symbolic
// link on the way to them. The profile's own folder is among them also when it
// is what the profile is.
func (p *Peer) follow(w *fsnotify.Watcher) {
	plan, _ := p.currentPlan()
	want := []string{}
	for _, file := range append([]string{p.opts.Profile}, plan.Files...) {
		want = append(want, foldersOf(file)...)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			want = append(want, foldersOf(filepath.Join(file, "any"))...)
		}
	}
	have := w.WatchList()
	for _, dir := range want {
		if !slices.Contains(have, dir) {
			if err := w.Add(dir); err != nil {
				p.log.Warn("cannot watch for changes; reload by hand or by SIGHUP", "folder", dir, "error", err)
			}
			have = append(have, dir)
		}
	}
	for _, dir := range have {
		if !slices.Contains(want, dir) {
			_ = w.Remove(dir)
		}
	}
}

// maxLinks bounds the symbolic links on the way to a file, as the kernel does.
const maxLinks = 40

// foldersOf are the folders in which a change can change what file is: the one
// it really lies in, and those of the symbolic links that lead there.
func foldersOf(file string) (dirs []string) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	for range maxLinks {
		link, target, rest := firstLink(path)
		if link == "" {
			break
		}
		dirs = append(dirs, filepath.Dir(link))
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		path = filepath.Join(target, rest)
	}
	return append(dirs, filepath.Dir(path))
}

// firstLink finds the first symbolic link in an absolute path: the link, what
// it points to, and what of the path comes behind it.
func firstLink(path string) (link, target, rest string) {
	for at := 1; at <= len(path); at++ {
		if at < len(path) && path[at] != filepath.Separator {
			continue
		}
		if target, err := os.Readlink(path[:at]); err == nil {
			return path[:at], target, path[at:]
		}
	}
	return "", "", ""
}
