package keeper

import "github.com/seed-04209a44/peerd/process"

// find looks for what a dead keeper has spawned under a name.
func find(d *process.Door, name string) ([]process.Identity, error) { return d.Find(name) }
