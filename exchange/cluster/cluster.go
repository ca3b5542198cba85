package cluster

import (
	"context"
	"errors"
	"math"
	"time"
)

// Errors that a caller may want to tell apart.
var (
	// ErrConflict refuses a write that was decided on an old revision.
	ErrConflict = errors.New("somebody else has written this key")
	// ErrNotFound is the answer to a Get of a key that is not there.
	ErrNotFound = errors.New("no such key")
	// ErrNobody is the answer to a Request for a subject that nobody serves.
	ErrNobody = errors.New("nobody answers on this subject")
)

// Any as a revision writes whatever is there.
const Any = uint64(math.MaxUint64)

// Engine is one node's door to what all nodes share.
type Engine interface {
	// Node is the name of this node: not empty, its own, and the same after a
	// restart.
	Node() string
	// Bucket opens a bucket, making it if need be. Its options are those it was
	// first made with.
	Bucket(ctx context.Context, name string, o BucketOptions) (Bucket, error)
	// Serve answers requests on a subject, each in a goroutine of its own, until
	// ctx ends; it returns when the last is answered.
	Serve(ctx context.Context, subject string, answer Answer) error
	// Request asks on a subject, which must be served by at most one node, and
	// waits for the answer until ctx ends; the one who answers is told then, if it
	// can be. ErrNobody comes at once, ErrLost when who was asked has gone. Answers before the last are handed to each,
	// in order, from the calling goroutine; an error of it ends the request. If
	// they come faster than it takes them, the request fails; none is left out.
	// With a nil each there are none.
	Request(ctx context.Context, subject string, data []byte, each func([]byte) error) ([]byte, error)
}

// Answer answers a request. An error is sent to the one who asked, as text. part
// sends what comes before the last answer, from one goroutine; it is nil if that
// is not wanted. ctx ends when nobody waits for the answer any more.
type Answer func(ctx context.Context, data []byte, part func([]byte) error) ([]byte, error)

// BucketOptions of a bucket.
type BucketOptions struct {
	Durable bool          // survives the end of all nodes; see the package comment
	TTL     time.Duration // of a key since it was last put; at least 1s, 0: for ever
}

// Bucket is a map with revisions. Keys are paths: words of any bytes, separated
// by "/". Values are at most MaxValue bytes.
type Bucket interface {
	// Get returns what is there now, never an older value.
	Get(ctx context.Context, key string) (Entry, error)
	// Put writes if the key has revision after: 0 is a key that is not there.
	Put(ctx context.Context, key string, value []byte, after uint64) (revision uint64, err error)
	// Delete removes the key if it has revision after. Deleting what is not
	// there is no error, unless after is a revision.
	Delete(ctx context.Context, key string, after uint64) error
	// Watch tells f of all keys below prefix (a path, or "" for all) that are
	// there, then once with Ready set, then of changes as they come, and blocks
	// until ctx ends (nil) or the watch breaks. Of several changes of one key
	// some may be left out, but never the last.
	Watch(ctx context.Context, prefix string, f func(Entry)) error
}

// MaxValue is the largest value of a key, and the largest request or answer.
const MaxValue = 32 << 20

// Entry is one key of a bucket as Watch or Get tells of it.
type Entry struct {
	Key      string
	Value    []byte // must not be changed
	Revision uint64
	Deleted  bool // or expired
	Ready    bool // no entry: all that was there when the watch began has been told
}
