package process

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrGone says that the process of an [Identity] does not exist any more:
	// its pid is free or belongs to a stranger.
	ErrGone = errors.New("process is gone")
	// ErrClosed is returned by a [Door] that was closed.
	ErrClosed = errors.New("the door to processes is closed")
)

// killAgain is how often Kill repeats itself while a tree is not yet empty.
const killAgain = 100 * time.Millisecond

// tree holds a leader and all that descends from it.
type tree interface {
	// signal sends to every member, SIGCONT first to stopped ones.
	signal(syscall.Signal) error
	// kill sends SIGKILL to every member once.
	kill() error
	// members lists the living; an error says that the list is not whole.
	members() ([]Member, error)
	// waitEmpty blocks until no member lives, or done is closed.
	waitEmpty(done <-chan struct{}) bool
	usage() (Usage, error)
	// release gives back what holds the tree; it is empty or given up.
	release()
}

// leader is the first process of a tree.
type leader interface {
	// wait blocks until the leader has ended and how is known; false: it was
	// interrupted after done had been closed. Where its parent, somebody else,
	// keeps that back, late is called meanwhile, perhaps several times.
	wait(done <-chan struct{}, late func()) (Exit, bool)
	interrupt()
	// signal reaches the leader alone.
	signal(syscall.Signal) error
	// close gives back what follows the leader. One that was kept is reaped.
	close()
}

// Process is a spawned or adopted leader with its whole tree. Its methods are
// safe for concurrent use.
type Process struct {
	id      Identity
	tree    tree
	leader  leader
	reserve *reserve
	exited  chan struct{}
	exit    Exit // written before exited is closed
	empty   chan struct{}

	limiting sync.Mutex // guards the following field
	joined   []string   // cgroups entered since the spawn
}

func newProcess(id Identity, t tree, l leader, r *reserve) *Process {
	return &Process{
		id: id, tree: t, leader: l, reserve: r,
		exited: make(chan struct{}), empty: make(chan struct{}),
	}
}

// watch follows the process from birth to the end of its tree.
// settle is called when nobody waits for the leader any more.
func (p *Process) watch(done <-chan struct{}, settle func()) {
	var looking sync.WaitGroup
	defer looking.Wait()
	look := sync.OnceFunc(func() {
		looking.Go(func() {
			if p.tree.waitEmpty(done) {
				close(p.empty)
			}
		})
	})
	exit, ok := p.leader.wait(done, look)
	settle()
	if ok {
		p.exit = exit
		close(p.exited)
		look()
	}
}

// Identity of the leader.
func (p *Process) Identity() Identity { return p.id }

// Exited is closed when the leader has ended, as wait says; never by a pipe.
// Members of its tree may outlive it: see Empty.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Exit is valid once Exited is closed.
func (p *Process) Exit() Exit {
	select {
	case <-p.exited:
		return p.exit
	default:
		return Exit{Code: -1, Reason: "still running"}
	}
}

// Empty is closed once the leader has ended and no member of the tree lives. It
// comes after Exited, unless the leader's parent keeps back how it ended.
func (p *Process) Empty() <-chan struct{} { return p.empty }

// Signal sends sig to every member of the tree, SIGCONT first where members
// are stopped. A finished process is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	var err error
	p.reserve.use(func() error {
		err = p.tree.signal(sig)
		return err
	})
	return err
}

// SignalLeader sends sig to the leader alone. A finished one is no error.
func (p *Process) SignalLeader(sig syscall.Signal) error { return p.leader.signal(sig) }

// Kill sends SIGKILL to the whole tree, repeatedly until it is empty or ctx
// ends, and returns what is left then (nil when empty). A member in state D
// cannot be killed before the kernel lets go of it.
func (p *Process) Kill(ctx context.Context) []Member {
	again := time.NewTicker(killAgain)
	defer again.Stop()
	for {
		select {
		case <-p.empty:
			return nil
		default:
		}
		_ = p.leader.signal(syscall.SIGKILL) // works even when no fd is left to find the others
		p.reserve.use(p.tree.kill)
		select {
		case <-p.empty:
			return nil
		case <-again.C:
		case <-ctx.Done():
			return p.left()
		}
	}
}

// left lists what is there now; not nil unless the tree became empty. Members
// that cannot be listed are stood for by the leader, in state "?".
func (p *Process) left() []Member {
	left, _ := p.list()
	select {
	case <-p.empty:
		return nil
	default:
	}
	if len(left) == 0 {
		return p.unlisted()
	}
	return left
}

// Members lists the living (zombies excluded) of the tree. Where they cannot be
// listed, the leader stands for them, in state "?": none is never a guess.
func (p *Process) Members() []Member {
	members, err := p.list()
	if err != nil && len(members) == 0 {
		return p.unlisted()
	}
	return members
}

func (p *Process) list() (members []Member, err error) {
	p.reserve.use(func() error {
		members, err = p.tree.members()
		return err
	})
	return members, err
}

func (p *Process) unlisted() []Member { return []Member{{Pid: p.id.Pid, State: "?"}} }

// Usage samples the tree.
func (p *Process) Usage() (Usage, error) { return p.tree.usage() }

// Release frees the tree's cgroup and fds; call it once the tree is empty or
// given up. A leader that still lives then is reaped like an orphan, and one
// that was kept (see [Door.KeepDead]) at once.
// The other methods must not be called afterwards, save Identity, Exit and the
// channels.
func (p *Process) Release() {
	p.leader.close()
	p.tree.release()
	p.leave()
}
