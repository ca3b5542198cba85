package journal

import (
	"context"
	"iter"
	"time"
)

// Record is one step of one instance's history. Its JSON is the public form.
type Record struct {
	Seq         uint64    `json:"seq"`
	At          time.Time `json:"at"`
	Name        string    `json:"name"`
	Application string    `json:"application"`
	Generation  uint64    `json:"generation"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	State       string    `json:"state"`
	Cause       string    `json:"cause"`
	By          string    `json:"by"`
	Pid         int       `json:"pid"`
	Exit        *Exit     `json:"exit,omitempty"`
	Detail      string    `json:"detail"`
}

// Exit is how a generation ended.
type Exit struct {
	Code   int    `json:"code"` // -1: ended by Signal, or unknown with a Reason
	Signal string `json:"signal"`
	Reason string `json:"reason,omitempty"`
}

// Instance is what must be known of an instance after a crash of the peer.
type Instance struct {
	Application string `json:"application"`
	Name        string `json:"name"`
	Generation  uint64 `json:"generation"`
	Desired     string `json:"desired"` // "up" | "down" | "" as the profile says
	// Live is the identity of the running generation (opaque to the journal),
	// nil when none runs.
	Live []byte `json:"live,omitempty"`
}

// Journal is the durable memory of a peer in one folder. It is safe for
// concurrent use; writes that arrive together share one fsync.
type Journal struct{}

// Options of Open.
type Options struct {
	Keep int // history records kept per instance; default 1000
}

// ErrLocked says that another process holds the folder's journal.
var ErrLocked error

// Open opens or creates the journal in dir. It fails within 1 s with ErrLocked
// when another process has it, and with a clear error when the file is damaged.
func Open(dir string, o Options) (*Journal, error) { panic("seam") }

// Append writes records (their Seq is assigned, in order) together with the
// instances that changed with them, in one transaction; it returns when they
// are on disk, with the last sequence number.
func (j *Journal) Append(recs []Record, insts ...Instance) (uint64, error) { panic("seam") }

// Instances returns all instances known.
func (j *Journal) Instances() ([]Instance, error) { panic("seam") }

// Forget drops the instance row (its history stays until it ages out).
func (j *Journal) Forget(application, name string) error { panic("seam") }

// Filter selects records; zero values select all.
type Filter struct {
	Application, Name string
	Since             uint64 // records with Seq > Since
	Last              int    // only the last N
}

// Read returns the matching records in order.
func (j *Journal) Read(f Filter) ([]Record, error) { panic("seam") }

// Watch yields matching records, those on disk first, then new ones as they
// are written, until ctx ends. A reader that falls more than a bounded number
// of records behind is caught up from disk; nothing is skipped silently.
func (j *Journal) Watch(ctx context.Context, f Filter) iter.Seq2[Record, error] { panic("seam") }

// Get and Put keep small opaque values (settings that survive) by key.
func (j *Journal) Get(key string) ([]byte, error) { panic("seam") }

// Put stores value under key, on disk when it returns; nil deletes.
func (j *Journal) Put(key string, value []byte) error { panic("seam") }

// Close flushes and closes.
func (j *Journal) Close() error { panic("seam") }
