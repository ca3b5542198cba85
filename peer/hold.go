package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// holder holds the processes of generations: the keeper's process, by its
// client, or, where there is none, this very one.
type holder interface {
	Capture(ctx context.Context, key string, o keeper.Output) (*keeper.Capture, error)
	Close() error
}

// openHolder connects to the keeper, or spawns directly where no program can
// be one.
func (p *Peer) openHolder(ctx context.Context, programs [][]string, folder string) (err error) {
	if len(programs) == 0 {
		p.holder = keeper.New(p.door)
		return nil
	}
	p.keeper, err = keeper.Connect(ctx, keeper.Settings{
		Folder: folder, Programs: programs, Door: p.door,
		Trouble: func(err error) { p.degraded.set("keeper", err) },
	})
	if err != nil {
		return fmt.Errorf("cannot have a keeper: %w", err)
	}
	p.holder = p.keeper
	return nil
}

// key names a generation to the keeper.
func (l *launcher) key(spec *profiles.Spec, generation uint64) string {
	return keyOf(supervisor.KeyOf(spec), generation)
}

func keyOf(k supervisor.Key, generation uint64) string {
	return k.String() + "/" + strconv.FormatUint(generation, 10)
}

// folder is the private folder of a generation. Its name is short, as sockets
// lie in it, and follows from the key, so that it is found again.
func (l *launcher) folder(spec *profiles.Spec, generation uint64) string {
	return filepath.Join(l.run, folderName(supervisor.KeyOf(spec), generation))
}

func folderName(k supervisor.Key, generation uint64) string {
	sum := sha256.Sum256([]byte(keyOf(k, generation)))
	return "c" + hex.EncodeToString(sum[:6])
}

// output says how the output of a generation is captured.
func (l *launcher) output(spec *profiles.Spec, dir string) keeper.Output {
	return keeper.Output{
		Folder: dir, Logs: filepath.Join(l.logs, spec.Application.GUID, spec.Name),
		Options:   logs.Options{MaxSize: spec.Logs.MaxSize, MaxFiles: spec.Logs.MaxFiles, MaxLine: spec.Logs.MaxLine},
		Handshake: spec.CCP, Match: spec.Ready.LogLine, ReadyFD: spec.Ready.FD,
		Lease: l.lease(spec),
	}
}

// life is what the journal remembers of a living generation.
type life struct {
	process.Identity
	StartedAt time.Time `json:"startedAt"`
	Line      string    `json:"line,omitempty"`     // the handshake line of a component
	Hash      string    `json:"hash,omitempty"`     // of the definition it was launched by
	LiveHash  string    `json:"liveHash,omitempty"` // of what of it can change live
	// Background says that the program has put itself there, and is this process now.
	Background bool `json:"background,omitempty"`
	// Will says how it is stopped when its definition is there no more; nil: an
	// earlier version has written this.
	Will *will `json:"will,omitempty"`
}

// Identity implements supervisor.Identifier.
func (g *generation) Identity() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proc == nil {
		return nil
	}
	s := g.definition()
	return rawJSON(life{
		Identity: g.proc.Identity(), StartedAt: g.spawnedAt, Line: g.output.Seen(),
		Hash: s.Hash, LiveHash: s.LiveHash, Background: g.isInBackground(), Will: willOf(s),
	})
}

func parseLife(live []byte) (l life, err error) {
	if err = json.Unmarshal(live, &l); err != nil {
		err = fmt.Errorf("cannot read who lived: %w", err)
	}
	return l, err
}
