package process

// Heir follows a program that has put itself into the background: of the
// members that p's ended leader has left, the oldest whose parent has ended
// too becomes the leader of the same tree. It is nil when nobody is left. Its
// exit is exact, as this process inherits it. Release both, the heir first.
func (d *Door) Heir(p *Process) (*Process, error) {
	members, err := p.tree.members()
	if err != nil {
		return nil, err
	}
	inside := make(map[int]bool, len(members))
	for _, m := range members {
		inside[m.Pid] = true
	}
	var oldest stat
	for pid := range inside {
		s, err := readStat(pid)
		if err != nil || !s.alive() || inside[s.ppid] {
			continue
		}
		if oldest.pid == 0 || s.start < oldest.start || s.start == oldest.start && s.pid < oldest.pid {
			oldest = s
		}
	}
	if oldest.pid == 0 {
		return nil, nil
	}
	id := p.id
	id.Pid, id.StartTicks = oldest.pid, oldest.start
	return d.Adopt(id)
}
