package journal

import "fmt"

// DamageError says that the file does not hold what was written to it.
type DamageError struct {
	Path   string
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("journal %s is damaged: %s; nothing was changed: restore it from a backup, or move it away to begin with an empty history (running components are then no longer known)", e.Path, e.Reason)
}

// VersionError says that a newer peer wrote the file.
type VersionError struct {
	Path             string
	Found, Supported int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("journal %s has format %d and this version reads up to %d: run the newer version that wrote it, or use another state folder", e.Path, e.Found, e.Supported)
}

// GapError is what Watch yields in place of records that aged out before a
// slow reader had them. The watch goes on after it.
type GapError struct {
	After, Before uint64 // some matching records with After < Seq < Before are missing
}

func (e *GapError) Error() string {
	return fmt.Sprintf("records between sequence numbers %d and %d aged out before they were read", e.After, e.Before)
}
