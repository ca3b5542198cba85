package peer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/supervisor"
)

// logs sends captured lines of the selected instances, merged by time.
func (p *Peer) logs(ctx context.Context, r control.LogsRequest, tell progress) (unused, error) {
	views, err := p.pick(r.Selection)
	if err != nil {
		return unused{}, err
	}
	q := logs.Query{Stream: logs.Stream(r.Stream), Tail: -1, Follow: r.Follow}
	if r.Stream != "" && q.Stream != logs.Out && q.Stream != logs.Err {
		return unused{}, control.Errorf(control.CodeUsage, "no stream %q; there is out and err", r.Stream)
	}
	if r.Tail != nil {
		q.Tail = *r.Tail
	}
	if r.Since != nil {
		q.Since = *r.Since
	}
	sources := make([]logs.Source, len(views))
	for i, v := range views {
		sources[i] = logs.Source{Name: v.Name, Dir: p.logFolder(v.Key)}
	}
	ctx, cancel := p.passage.whileHere(ctx)
	defer cancel()
	var trouble error
	sent, skip := sent{at: q.Since, lines: r.Skip}, r.Skip
	for line, err := range logs.Read(ctx, sources, q) {
		switch {
		case err != nil:
			trouble = errors.Join(trouble, err) // one source's; the others go on
			continue
		case skip > 0:
			skip--
			continue
		}
		if err := tell(line); err != nil {
			return unused{}, errOrAgain(ctx, err, sent.resume())
		}
		sent.count(line.At)
	}
	return unused{}, errOrAgain(ctx, trouble, sent.resume())
}

// sent is how far a stream of lines has come.
type sent struct {
	at    time.Time // of the last line
	lines int       // of that time, the last ones
}

func (s *sent) count(at time.Time) {
	if !at.Equal(s.at) {
		s.at, s.lines = at, 0
	}
	s.lines++
}

// resume is what a request for the rest says in place of the first one.
func (s *sent) resume() map[string]any {
	if s.lines == 0 {
		return nil
	}
	return map[string]any{"since": s.at, "skip": s.lines, "tail": nil}
}

func (p *Peer) logFolder(k supervisor.Key) string {
	return filepath.Join(p.logDir, k.Application, k.Name)
}

// onDisk changes what is in a folder, unless the disk does not answer, and
// returns when the change is on it. It takes no room, so that logs can be
// cleared from a disk that is full.
func onDisk(folder string, change func() error) error {
	if err := syncFolder(folder); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever written there
	}
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// clearCaptured empties an instance's captured files, through their writers
// while it lives.
func (p *Peer) clearCaptured(ctx context.Context, v *supervisor.View) error {
	if g := atHand(ctx, v); g != nil {
		return g.clearOutput()
	}
	for _, s := range []logs.Stream{logs.Out, logs.Err} {
		w, err := logs.OpenWriter(p.logFolder(v.Key), s, logs.Options{})
		if err != nil {
			return err
		}
		err = w.Clear()
		_ = w.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
