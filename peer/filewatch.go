package peer

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// watchSources restarts instances whose `watch` paths change, until ctx ends.
func (p *Peer) watchSources(ctx context.Context) {
	for {
		plan, changed := p.planAndChange()
		round, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.watchPlan(round, plan)
		}()
		select {
		case <-ctx.Done():
		case <-changed:
		}
		cancel()
		<-done
		if ctx.Err() != nil {
			return
		}
	}
}

// watchPlan watches for one plan.
func (p *Peer) watchPlan(ctx context.Context, plan *profiles.Plan) {
	watched := map[supervisor.Key][]string{}
	for _, s := range plan.Specs {
		if len(s.Watch) > 0 {
			watched[supervisor.KeyOf(s)] = s.Watch
		}
	}
	if len(watched) == 0 {
		return
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		p.degraded.set("watch", err)
		return
	}
	defer w.Close()
	for _, paths := range watched {
		for _, path := range paths {
			p.addTree(w, path)
		}
	}
	due := map[supervisor.Key]bool{}
	changes := newQuiet()
	defer changes.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.Events:
			p.addTree(w, e.Name) // a new folder
			for k, paths := range watched {
				if underAny(e.Name, paths) {
					due[k] = true
					changes.event()
				}
			}
		case err := <-w.Errors:
			p.log.Warn("cannot watch a component's files", "error", err)
		case <-changes.timer.C:
			changes.fired()
			for k := range due {
				p.restartChanged(ctx, k)
			}
			clear(due)
		}
	}
}

// addTree watches a folder with all below it, or the folder of a file.
func (p *Peer) addTree(w *fsnotify.Watcher, path string) {
	_ = filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // gone again, or not there yet
		case d.IsDir():
			err = w.Add(at)
		case at == path:
			err = w.Add(filepath.Dir(at))
		}
		if err != nil {
			p.log.Warn("cannot watch a component's files", "path", at, "error", err)
		}
		return nil
	})
}

func underAny(name string, paths []string) bool {
	for _, path := range paths {
		if name == path || strings.HasPrefix(name, strings.TrimSuffix(path, "/")+"/") {
			return true
		}
	}
	return false
}

func (p *Peer) restartChanged(ctx context.Context, k supervisor.Key) {
	v, ok := p.sup.View(k)
	if !ok || v.Machine.Desired != lifecycle.Up {
		return
	}
	if err := p.order(ctx, lifecycle.EvRestart, lifecycle.CauseReload, "watched files changed", k); err != nil && ctx.Err() == nil {
		p.log.Error("cannot restart after a change", "component", k.String(), "error", err)
	}
}
