package process

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Door is the spawner: it owns waiting for children and reaping orphans. Make
// one per operating-system process.
type Door struct {
	hierarchies hierarchies
	held        containment
	table       *table
	null        *os.File
	reserve     *reserve
	closing     chan struct{}
	running     sync.WaitGroup
	// inherited are the children of the program that this one was before, which
	// may be adopted yet.
	inherited map[int]bool

	// spawning is held for reading from before a fork until the child is
	// known, and for writing while the reaper decides who is an orphan.
	spawning sync.RWMutex

	recent recent // orphans that were reaped

	mu      sync.Mutex // guards the following fields
	closed  bool
	keeping bool              // see KeepDead
	known   map[int]*Process  // by the leader's pid, until it is reaped
	live    map[*Process]bool // every process that is still watched
}

// Open prepares spawning: child subreaper, cgroup root where the host gives
// one. It never fails for want of a feature: Containment says what is had.
func Open() (*Door, error) {
	h, held := hold()
	return open(h, held, nil)
}

// Reopen is Open in a program that another one has become (see Become): the
// children which that one had are left to be adopted for a minute, ended or not.
func Reopen() (*Door, error) {
	inherited := map[int]bool{}
	for _, pid := range children() {
		inherited[pid] = true
	}
	h, held := hold()
	return open(h, held, inherited)
}

// hold finds the strongest means to hold trees that the host gives.
func hold() (hierarchies, containment) {
	h := findHierarchies()
	h.sweep(time.Now())
	switch {
	case h.unified != "":
		return h, cgroupV2
	case h.v1["freezer"] != "":
		return h, cgroupFreezer
	}
	return h, session
}

// open is Open with the containment decided.
func open(h hierarchies, held containment, inherited map[int]bool) (*Door, error) {
	d, err := makeDoor(h, held)
	if err != nil {
		return nil, err
	}
	d.inherited = inherited
	d.begin()
	return d, nil
}

// begin starts reaping orphans.
func (d *Door) begin() { d.running.Go(d.reapOrphans) }

// makeDoor is open before the first orphan is reaped.
func makeDoor(h hierarchies, held containment) (*Door, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the door to processes: %w", err)
	}
	// Files that this program inherited itself are not for its children.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && err != unix.ENOSYS && err != unix.EINVAL {
		null.Close()
		return nil, fmt.Errorf("cannot keep inherited files from children: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		null.Close()
		return nil, fmt.Errorf("cannot become the reaper of orphans: %w", err)
	}
	return &Door{
		hierarchies: h,
		held:        held,
		table:       &table{},
		null:        null,
		reserve:     newReserve(),
		closing:     make(chan struct{}),
		known:       map[int]*Process{},
		live:        map[*Process]bool{},
	}, nil
}

// Containment says how trees are held: "cgroup v2", "cgroup v1 freezer" or
// "process group and subreaper". In the last case the environment of every
// process gets one addition, PEERD_INSTANCE, by which its tree is recognised.
func (d *Door) Containment() string { return string(d.held) }

// Close waits for the reaper to end; running children stay untouched. Their
// Exited and Empty stay open.
func (d *Door) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.closing)
	for p := range d.live {
		p.leader.interrupt()
	}
	d.mu.Unlock()
	d.running.Wait()
	d.reserve.close()
	return d.null.Close()
}

// Adopt takes over a process that another operating-system process started
// with a Door, typically one that has died since or may die later.
//
// The exit of a leader that lives at this moment is exact if it is, or becomes,
// a child of this process (this being the subreaper above its parent);
// otherwise from Linux 6.15 on, and unknown with a reason before. If the leader
// is gone already, Exited is closed soon, its Exit is unknown unless this Door
// has reaped it as an orphan a while ago, and the Process stands for what is left
// of the tree. A recycled pid is noticed.
func (d *Door) Adopt(id Identity) (*Process, error) {
	if id.BootID != bootID() {
		return d.follow(id, noTree{}, d.gone(id))
	}
	d.spawning.RLock() // it may be an orphan
	defer d.spawning.RUnlock()
	fd, err := unix.PidfdOpen(id.Pid, 0)
	if ignoreGone(err) != nil {
		return nil, fmt.Errorf("cannot adopt process %d: %w", id.Pid, err)
	}
	if err != nil {
		return d.follow(id, d.treeOf(id), d.gone(id))
	}
	if s, err := readStat(id.Pid); err != nil || !id.matches(s) {
		unix.Close(fd)
		return d.follow(id, d.treeOf(id), d.gone(id))
	}
	l, err := newLeader(id.Pid, fd)
	if err != nil {
		return nil, fmt.Errorf("cannot adopt process %d: %w", id.Pid, err)
	}
	return d.follow(id, d.treeOf(id), l)
}

// follow makes a Process of a tree and its leader, and starts watching it.
func (d *Door) follow(id Identity, t tree, l leader) (*Process, error) {
	p := newProcess(id, t, l, d.reserve)
	if err := d.register(p); err != nil {
		l.close()
		return nil, err
	}
	return p, nil
}

// register starts watching p.
func (d *Door) register(p *Process) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	settle := func() {}
	if l, ok := p.leader.(*pidLeader); ok {
		d.known[p.id.Pid] = p
		l.forget = func() { d.forgetLeader(p) }
		settle = func() { d.settle(l) }
	}
	d.live[p] = true
	d.running.Go(func() {
		p.watch(d.closing, settle)
		d.mu.Lock()
		delete(d.live, p)
		d.mu.Unlock()
	})
	return nil
}

// forgetLeader leaves the pid to the reaper: it was waited for, or will not be.
func (d *Door) forgetLeader(p *Process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[p.id.Pid] == p {
		delete(d.known, p.id.Pid)
	}
}

// KeepDead says what becomes of children that have ended. On: each stays a zombie
// until its Process is released, so that the next subreaper above inherits it,
// with the exact status, if this program dies before. Off, as a Door begins: each
// is reaped once its status is known; those that were kept are reaped now.
func (d *Door) KeepDead(on bool) {
	d.mu.Lock()
	d.keeping = on
	var dead []*pidLeader
	for _, p := range d.known {
		if l, ok := p.leader.(*pidLeader); ok && l.dead.Load() && !on {
			dead = append(dead, l)
		}
	}
	d.mu.Unlock()
	for _, l := range dead {
		l.bury()
	}
}

// settle buries a leader that is not waited for any more, or keeps it. Whoever
// outlives the Door is nobody's orphan: the next one may take it up.
func (d *Door) settle(l *pidLeader) {
	d.mu.Lock()
	keep := d.closed
	if l.dead.Load() {
		keep = d.keeping
	}
	d.mu.Unlock()
	if !keep {
		l.bury()
	}
}

// treeOf finds the tree of a process by what its identity says.
func (d *Door) treeOf(id Identity) tree {
	g := d.hierarchies.find(id)
	switch {
	case g.unified != "":
		return newUnifiedTree(g)
	case g.freezer != "":
		return newFreezerTree(g)
	}
	return newSessionTree(id, d.table, g)
}

// newToken names one generation: the instance's name and 64 random bits.
func newToken(name string) string {
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return name + ":" + hex.EncodeToString(nonce[:])
}
