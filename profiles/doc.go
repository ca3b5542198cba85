// Package profiles reads YAML profiles: which components a peer runs, and how.
//
//	plan, err := profiles.Load("/etc/peerd/peerd.yaml", profiles.LoadOptions{UID: os.Getuid()})
//	for _, change := range profiles.Diff(running, plan) { … }
//
// The way is one-directional: text → ProfileConfig (the Config types, as it is
// written) → Plan (Specs: resolved, validated, ordered, replicas expanded) →
// Changes. A Plan is immutable: share it freely. Load reads files and keeps
// nothing; Diff and everything of a Plan is pure.
//
// A profile is old or new, whole: with any fault there is no plan, and Errors
// lists every fault with file, line, column, field, what is wrong and what is
// allowed. Size, values (aliases expanded), depth, instances and faults are
// bounded.
//
// The tags of the Config types are the single source of the decoder's checks,
// of the defaults, of Schema and of the reference in docs/profile.md.
//
// How a field reaches what runs is decided in one table, specFields: what is
// given to a process at its start needs a restart, what peerd acts on itself
// changes live.
package profiles
