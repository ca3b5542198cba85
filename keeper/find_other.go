//go:build !linux

package keeper

import "github.com/seed-04209a44/peerd/process"

// Leftovers are none: here no keeper has a process of its own.
func Leftovers(*process.Door, string) ([]process.Identity, error) { return nil, nil }

// LeftoversOf: nothing is left where there is no keeper.
func LeftoversOf(*process.Door, string) ([]process.Identity, error) { return nil, nil }
