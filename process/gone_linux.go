package process

import "syscall"

// goneLeader had ended before it was adopted.
type goneLeader struct{ exit Exit }

func (l goneLeader) wait(<-chan struct{}, func()) (Exit, bool) { return l.exit, true }
func (goneLeader) signal(syscall.Signal) error                 { return nil }
func (goneLeader) interrupt()                                  {}
func (goneLeader) close()                                      {}

// noTree is what is left of a tree after the host was booted anew.
type noTree struct{}

func (noTree) signal(syscall.Signal) error    { return nil }
func (noTree) kill() error                    { return nil }
func (noTree) members() ([]Member, error)     { return nil, nil }
func (noTree) waitEmpty(<-chan struct{}) bool { return true }
func (noTree) usage() (Usage, error)          { return Usage{}, nil }
func (noTree) release()                       {}
