//go:build !linux

package keeper

import (
	"errors"
	"io"
)

// Main refuses: here no keeper has a process of its own.
func Main([]string, io.Writer) error {
	return errors.New("cannot be a keeper: on this platform peerd spawns its components itself")
}
