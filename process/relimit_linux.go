package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// SetLimits bounds a living tree anew in memory, CPU and pids; zero lifts a
// limit. The other limits of l are fixed since the spawn and not looked at. On
// an error some of the limits may be in force.
func (d *Door) SetLimits(p *Process, l Limits) error {
	if why := d.Unsupported(Spec{Limits: Limits{Memory: l.Memory, CPU: l.CPU, Pids: l.Pids}}); len(why) > 0 {
		return errors.New(why[0])
	}
	p.limiting.Lock()
	defer p.limiting.Unlock()
	var errs []error
	if g := d.hierarchies.find(p.id); g.unified != "" {
		for _, s := range l.again2() {
			if d.hierarchies.v2[s.controller] {
				errs = append(errs, s.write(g.unified))
			}
		}
	}
	for _, controller := range limitControllers {
		if d.hierarchies.onV1(d.held, controller) {
			errs = append(errs, d.setV1(p, controller, l))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot change the limits: %w", err)
	}
	return nil
}

// setV1 writes what one controller of cgroup v1 is to enforce. A tree that it
// did not bound so far moves into a cgroup of its own.
func (d *Door) setV1(p *Process, controller string, l Limits) error {
	dir := filepath.Join(d.hierarchies.v1[controller], cgroupName(p.id.Token))
	bounded := exists(dir)
	if !bounded {
		if !l.bounds(controller) {
			return nil
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		p.joined = append(p.joined, dir)
	}
	for _, s := range l.again1() {
		if s.controller == controller {
			if err := s.write(dir); err != nil {
				return err
			}
		}
	}
	if bounded {
		return nil
	}
	return p.moveInto(dir)
}

// moveInto moves the whole tree into a cgroup: until nobody of it is outside,
// as members may fork meanwhile.
func (p *Process) moveInto(dir string) error {
	for {
		members, err := p.tree.members()
		if err != nil {
			return err
		}
		inside, err := cgroupPids(dir)
		if err != nil {
			return err
		}
		outside := slices.DeleteFunc(members, func(m Member) bool { return slices.Contains(inside, m.Pid) })
		if len(outside) == 0 {
			return nil
		}
		for _, m := range outside {
			if err := ignoreGone(writeFile(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(m.Pid))); err != nil {
				return err
			}
		}
	}
}

// bounds says whether l asks anything of a controller.
func (l Limits) bounds(controller string) bool {
	return slices.ContainsFunc(l.v1(), func(s setting) bool { return s.controller == controller })
}

// again2 are the settings of cgroup v2 with those that lift a limit.
func (l Limits) again2() []setting {
	s := l.v2()
	if l.Memory == 0 {
		s = append(s, setting{"memory", "memory.max", "max"}, setting{"memory", "memory.swap.max", "max"})
	}
	if l.CPU == 0 {
		s = append(s, setting{"cpu", "cpu.max", "max " + strconv.Itoa(cpuPeriod)})
	}
	if l.Pids == 0 {
		s = append(s, setting{"pids", "pids.max", "max"})
	}
	return s
}

// again1 are the settings of cgroup v1 with those that lift a limit. The limit
// of memory with swap may at no time be the lower one, so it is lifted first.
func (l Limits) again1() []setting {
	s := append([]setting{{"memory", "memory.memsw.limit_in_bytes", "-1"}}, l.v1()...)
	if l.Memory == 0 {
		s = append(s, setting{"memory", "memory.limit_in_bytes", "-1"})
	}
	if l.CPU == 0 {
		s = append(s, setting{"cpu", "cpu.cfs_quota_us", "-1"})
	}
	if l.Pids == 0 {
		s = append(s, setting{"pids", "pids.max", "max"})
	}
	return s
}

// leave gives back the cgroups that the tree moved into after its spawn.
func (p *Process) leave() {
	p.limiting.Lock()
	defer p.limiting.Unlock()
	group{others: p.joined}.remove()
	p.joined = nil
}
