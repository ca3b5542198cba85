package keeper

import "github.com/seed-04209a44/peerd/process"

// Leftovers are the living trees that a dead keeper has spawned under a name.
func Leftovers(d *process.Door, name string) ([]process.Identity, error) { return d.Find(name) }

// LeftoversOf are the living trees that any keeper has spawned under a name that
// begins with prefix.
func LeftoversOf(d *process.Door, prefix string) ([]process.Identity, error) {
	return d.FindAll(prefix)
}
