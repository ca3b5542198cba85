package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// Options of a Peer.
type Options struct {
	Profile string // file or folder
	Version string // shown by status
	Logger  hclog.Logger
	// LevelFromProfile sets the logger's level to the profile's peer.logLevel.
	LevelFromProfile bool
	// Keepers are command lines that start a keeper: what calls keeper.Main. The
	// first that is there and fits is taken, the last unasked. Empty: components
	// are spawned by the peer itself and do not outlive it.
	Keepers [][]string
	// Handover is what this process has from the program that it was before; nil:
	// it was no peer before.
	Handover *Handover
	// Ready is called once, when the first plan is applied and the API listens;
	// may be nil.
	Ready func()
}

// Peer is one host's daemon, put together: plan, supervisor, journal, launcher
// and control API. Make one with New, then Run it once.
type Peer struct {
	opts      Options
	log       hclog.Logger
	startedAt time.Time
	door      *process.Door
	holder    holder
	keeper    *keeper.Client // nil where the peer spawns directly
	journal   *journal.Journal
	sup       *supervisor.Supervisor
	launcher  *launcher
	levels    *levelStore
	usage     usage
	degraded  degraded
	rows      rows
	primaries primaries
	standing  standing
	timetable timetable
	fleet     fleet
	host      host
	clock     clock
	replies   *replies
	logDir    string
	claim     *os.File      // of the runtime folder
	hasten    chan struct{} // closed when a stop of the peer shall not be patient
	failed    chan error    // a group's escalation
	isReady   atomic.Bool
	reloads   sync.Mutex // one reload at a time
	upgrading sync.Mutex // one upgrade at a time
	passage   passage
	next      *Successor // written by Run
	program   string     // the file that this program was started from

	mu      sync.Mutex // guards all following fields
	plan    *profiles.Plan
	applied time.Time
	changed chan struct{} // closed when there is another plan
}

// New loads the profile, takes the state folder for its own and prepares
// everything; nothing is started. ErrLocked of the journal says that another
// peer has the folder.
func New(o Options) (*Peer, error) {
	plan, j, err := openState(o)
	if err != nil {
		return nil, err
	}
	set := plan.Peer
	door, err := openDoor(o.Handover)
	if err != nil {
		_ = j.Close()
		return nil, fmt.Errorf("cannot prepare to spawn: %w", err)
	}
	if o.LevelFromProfile {
		o.Logger.SetLevel(hclog.LevelFromString(set.LogLevel))
	}
	p := &Peer{
		opts: o, log: o.Logger, startedAt: time.Now(), door: door, journal: j, plan: plan,
		levels: &levelStore{journal: j}, logDir: filepath.Join(set.StateDir, "logs"),
		hasten: make(chan struct{}), failed: make(chan error, 1), changed: make(chan struct{}),
		timetable: timetable{journal: j, stamps: map[supervisor.Key]stamp{}},
		usage:     usage{latest: map[supervisor.Key]figures{}},
		clock:     clock{nudged: make(chan struct{}, 1)},
		primaries: primaries{wake: make(chan struct{}, 1), held: map[string]office{}},
	}
	p.passage.init()
	p.passage.note(p.pastUpgrade())
	if p.program, err = os.Executable(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot find out what program this is: %w", err), p.close())
	}
	run, err := p.takeRuntimeDir(set.RuntimeDir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot use the runtime folder %s: %w", set.RuntimeDir, err), p.close())
	}
	if err := p.openHolder(context.Background(), o.Keepers, set.RuntimeDir); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.launcher = &launcher{
		door: door, holder: p.holder, log: o.Logger.Named("component"), run: run, logs: p.logDir,
		slots: make(chan struct{}, maxStarting()), levels: p.levels, tag: tagOf(set.StateDir), lease: p.standing.leaseOf,
		facts: o.Handover.facts(), left: o.Handover.sockets(),
	}
	p.sup = supervisor.New(supervisor.Options{
		Launcher: p.launcher,
		Record:   p.record, Forget: p.forget, Escalate: p.escalate,
		Changed: p.primaries.notify, Permit: p.standing.permit, Groups: o.Handover.groups(),
	})
	p.replies = openReplies(j)
	p.standing = standing{memory: j, lease: primaryLease, changed: func() { p.sup.Reconsider(); p.primaries.notify() }}
	if m := membershipOf(plan); m != nil {
		p.standing.join(m.target) // before anything starts
		p.fleet.begin(*m)
	}
	return p, nil
}

// openState loads the profile and opens the journal in the state folder that it
// names.
func openState(o Options) (*profiles.Plan, *journal.Journal, error) {
	plan, err := profiles.Load(o.Profile, profiles.LoadOptions{UID: os.Geteuid()})
	if err != nil {
		return nil, nil, control.Errorf(control.CodeInvalid, "%v", err)
	}
	dir := plan.Peer.StateDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	j, err := journal.Open(dir, journal.Options{Lock: o.Handover.take(fileJournal)})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the state folder %s: %w", dir, err)
	}
	scales, err := scalesIn(j)
	if err == nil && len(scales) > 0 {
		plan, err = profiles.Load(o.Profile, loadOptions(scales))
	}
	if err != nil {
		return nil, nil, errors.Join(err, j.Close())
	}
	return plan, j, nil
}

// tagOf makes a short word of the state folder, which belongs to one peer.
func tagOf(stateDir string) string {
	sum := sha256.Sum256([]byte(stateDir))
	return hex.EncodeToString(sum[:4])
}

// maxStarting bounds the starts at one time: they are bound by the processors.
func maxStarting() int { return max(8, 4*runtime.NumCPU()) }

// takeRuntimeDir claims the runtime folder and returns the one within it for
// the private folders of generations.
func (p *Peer) takeRuntimeDir(dir string) (run string, err error) {
	if p.claim, err = claimFolder(dir, p.opts.Handover.take(fileRuntime)); err != nil {
		return "", err
	}
	return runFolder(dir)
}

func (p *Peer) close() error {
	var err error
	if p.holder != nil {
		err = p.holder.Close()
	}
	err = errors.Join(err, p.door.Close(), p.journal.Close())
	if p.claim != nil {
		err = errors.Join(err, p.claim.Close())
	}
	return err
}

// escalate ends the peer because a group said so.
func (p *Peer) escalate(why string) {
	select {
	case p.failed <- &EscalationError{why}:
	default:
	}
}

// EscalationError ends a peer whose group with onFailure stopPeer has failed.
type EscalationError struct{ Why string }

func (e *EscalationError) Error() string { return e.Why }

func (p *Peer) currentPlan() (*profiles.Plan, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan, p.applied
}

// planAndChange returns the plan with a channel that is closed when it is no
// longer in force.
func (p *Peer) planAndChange() (*profiles.Plan, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan, p.changed
}

// Instances implements api.Source.
func (p *Peer) Instances() []control.Instance {
	views := p.sup.Views()
	rows := make([]control.Instance, len(views))
	for i, v := range views {
		rows[i] = p.row(v)
	}
	return rows
}

// DroppedLogBytes implements api.Source.
func (p *Peer) DroppedLogBytes() uint64 {
	n := uint64(p.launcher.lost.Load())
	for _, v := range p.sup.Views() {
		if g := generationOf(v); g != nil && g.loss() != nil {
			n += uint64(g.dropped())
		}
	}
	return n
}
