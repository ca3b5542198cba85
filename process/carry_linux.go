package process

import "fmt"

// Carried is a process as one program hands it to the next, when an
// operating-system process executes another program: children and open files
// stay, what the program knew of them does not.
type Carried struct {
	Identity Identity `json:"identity"`
	// PidFD is the open pidfd of the leader; -1 where it has been reaped.
	PidFD int `json:"pidFd"`
	// Seen are the members, pid and start time, of a tree that no cgroup holds.
	Seen map[int]uint64 `json:"seen,omitempty"`
}

// Carry hands p over to the next program, which takes it up with OpenCarried.
// The Door must have been closed, and p is of no use afterwards. The pidfd is
// the caller's, to be left open when it executes the next program.
func (p *Process) Carry() (Carried, error) {
	c := Carried{Identity: p.id, PidFD: -1}
	if t, ok := p.tree.(*sessionTree); ok {
		c.Seen = t.holder.(*sessionHolder).seen()
	}
	l, ok := p.leader.(*pidLeader)
	if !ok {
		return c, nil
	}
	defer l.file.Close()
	select {
	case <-p.exited:
		if !l.dead.Load() {
			return c, nil
		}
	default:
	}
	fd, err := KeepFD(l.file)
	if err != nil {
		return c, fmt.Errorf("cannot hand over process %d: %w", p.id.Pid, err)
	}
	c.PidFD = fd
	return c, nil
}

// OpenCarried is Open for a program that another has become. It takes up what
// that one carried, in the same order, before it reaps any orphan: what ended
// in between is told like any other end. The dead are kept (see [Door.KeepDead]).
func OpenCarried(carried []Carried) (*Door, []*Process, error) {
	d, err := makeDoor(hold())
	if err != nil {
		return nil, nil, err
	}
	d.keeping = true
	procs := make([]*Process, len(carried))
	for i, c := range carried {
		if procs[i], err = d.takeUp(c); err != nil {
			d.begin()
			_ = d.Close()
			return nil, nil, err
		}
	}
	d.begin()
	return d, procs, nil
}

func (d *Door) takeUp(c Carried) (*Process, error) {
	t := d.treeOf(c.Identity)
	if s, ok := t.(*sessionTree); ok && c.Seen != nil {
		s.holder.(*sessionHolder).known = c.Seen
	}
	if c.PidFD < 0 {
		return d.follow(c.Identity, t, d.gone(c.Identity))
	}
	l, err := newLeader(c.Identity.Pid, c.PidFD)
	if err != nil {
		return nil, fmt.Errorf("cannot take up process %d: %w", c.Identity.Pid, err)
	}
	return d.follow(c.Identity, t, l)
}
