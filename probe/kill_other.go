//go:build !linux

package probe

// killTagged finds nobody here: only the process group is killed.
func killTagged(string) {}
