package keeper

import "github.com/seed-04209a44/peerd/process"

// Leftovers are the living trees that a dead keeper has spawned under a name.
func Leftovers(d *process.Door, name string) ([]process.Identity, error) { return d.Find(name) }
