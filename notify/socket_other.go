//go:build !linux

package notify

import (
	"context"
	"errors"
	"os"
)

// Socket needs credentials that only Linux passes with a datagram.
type Socket struct{}

// Listen fails here.
func Listen(string) (*Socket, error) {
	return nil, errors.New("readiness by sd_notify needs Linux: use another readiness check")
}

// Leave fails here.
func (n *Socket) Leave() (*os.File, error) { return nil, errors.ErrUnsupported }

// Inherit fails here.
func Inherit(*os.File, string) (*Socket, error) { return nil, errors.ErrUnsupported }

// Path is empty here.
func (n *Socket) Path() string { return "" }

// Refused is 0 here.
func (n *Socket) Refused() int64 { return 0 }

// Run returns at once here.
func (n *Socket) Run(context.Context, func(pid int) bool, func(string), func(Message)) error {
	return nil
}

// Hear returns at once here.
func (n *Socket) Hear(context.Context, func(pid int) bool, func([]byte)) error { return nil }

// LetGo does nothing here.
func (n *Socket) LetGo() error { return nil }

// Close does nothing here.
func (n *Socket) Close() error { return nil }
