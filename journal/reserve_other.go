//go:build !linux

package journal

import "errors"

// allocate is not to be had on this platform.
func allocate(string, int64, int64) error { return errors.ErrUnsupported }
