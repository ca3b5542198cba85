//go:build !linux

package keeper

// thin does nothing: here no keeper has a process of its own.
func thin() {}
