package process

import "errors"

// SetLimits bounds a living tree anew; this system cannot.
func (d *Door) SetLimits(_ *Process, l Limits) error {
	if l.Memory == 0 && l.CPU == 0 && l.Pids == 0 {
		return nil
	}
	return errors.New("this system cannot bound a process tree")
}

func (p *Process) leave() {}
