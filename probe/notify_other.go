//go:build !linux

package probe

import (
	"context"
	"errors"
	"os"
)

// Notify needs credentials that only Linux passes with a datagram.
type Notify struct{}

// ListenNotify fails here.
func ListenNotify(string) (*Notify, error) {
	return nil, errors.New("readiness by sd_notify needs Linux: use another readiness check")
}

// Leave fails here.
func (n *Notify) Leave() (*os.File, error) { return nil, errors.ErrUnsupported }

// InheritNotify fails here.
func InheritNotify(*os.File, string) (*Notify, error) { return nil, errors.ErrUnsupported }

// Path is empty here.
func (n *Notify) Path() string { return "" }

// Refused is 0 here.
func (n *Notify) Refused() int64 { return 0 }

// Run returns at once here.
func (n *Notify) Run(context.Context, func(pid int) bool, func(Message)) error { return nil }

// Close does nothing here.
func (n *Notify) Close() error { return nil }
