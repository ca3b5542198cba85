//go:build !linux

package standin

import (
	"context"
	"errors"
	"io"
)

// Available says whether this platform has stand-ins.
const Available = false

// Session is a person's side of an attached component.
type Session struct {
	In     io.Reader
	Out    io.Writer
	Prefix []string
	Term   string
}

var errUnavailable = errors.New("a component can be attached on Linux only")

// Args is not to be used: Available is false.
func Args(_, program string, args []string) []string { return append([]string{program}, args...) }

// Socket is where a stand-in would wait.
func Socket(string) string { return "" }

// Waits is false.
func Waits(string) bool { return false }

// Main returns at once.
func Main() {}

// Attach fails.
func Attach(context.Context, string, Session) error { return errUnavailable }
