package controller

import (
	"errors"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// Defaults of BatchOptions.
const (
	DefaultRetryInterval = time.Minute
	DefaultMaxRetry      = 5
	DefaultKeepBatches   = 24 * time.Hour
	DefaultMaxBatches    = 10_000
	DefaultBatchBytes    = 256 << 20
	DefaultDoubt         = 10 * time.Minute
)

// NoRetry as Batch.MaxRetry ends a batch with its first error.
const NoRetry = -1

// BatchOptions of a Controller.
type BatchOptions struct {
	Disabled      bool
	RetryInterval time.Duration // before the first retry; the nth waits n times as long
	Keep          time.Duration // of batches that have ended
	Max           int           // batches in the store; over it none is taken
	MaxBytes      int           // of their commands and replies; over it none is taken
	// Doubt is how long a batch waits for a connector that has gone in the middle
	// of a command, and may have carried it out: only that one knows, and carries
	// it out once. Then the batch ends with an error.
	Doubt time.Duration
}

func (o BatchOptions) withDefaults() BatchOptions {
	if o.RetryInterval <= 0 {
		o.RetryInterval = DefaultRetryInterval
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeepBatches
	}
	if o.Max <= 0 {
		o.Max = DefaultMaxBatches
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultBatchBytes
	}
	if o.Doubt <= 0 {
		o.Doubt = DefaultDoubt
	}
	return o
}

// Errors of batches that a caller may want to tell apart.
var (
	ErrBatchesOff   = errors.New("batches are turned off")
	ErrBatchInvalid = errors.New("the batch is not valid")
	ErrBatchExists  = errors.New("a batch with this id exists")
	ErrNoBatch      = errors.New("no such batch")
	ErrBatchState   = errors.New("the batch is in a state that does not allow this")
	ErrBatchesFull  = errors.New("too many batches in the store")
)

// BatchStatus is where a batch stands.
type BatchStatus string

// The statuses of a batch. SUCCEEDED and ERROR are terminal; a batch that was
// cancelled is in ERROR.
const (
	BatchCreated    BatchStatus = "CREATED"
	BatchPending    BatchStatus = "PENDING" // waits for its next pass
	BatchInProgress BatchStatus = "IN_PROGRESS"
	BatchSucceeded  BatchStatus = "SUCCEEDED"
	BatchError      BatchStatus = "ERROR"
)

// Terminal tells whether a batch has ended.
func (s BatchStatus) Terminal() bool { return s == BatchSucceeded || s == BatchError }

// Batch is a list of commands for one target, sent one after the other.
type Batch struct {
	ID       string // default: a new one
	Key      string // what its maker knows it by; several batches may have the same
	Target   string
	Commands []BatchCommand
	MaxRetry int // passes after the first that may fail; 0: DefaultMaxRetry

	// The rest is the controller's to fill in.
	Created      time.Time
	Status       BatchStatus
	ErrorDetails string
	Retry        *int       // failed passes but one; nil: none has failed
	LastRetryAt  *time.Time // end of the last failed pass
}

// BatchCommand is a command of a batch, with what became of it.
type BatchCommand struct {
	Command      exchange.Command
	Status       exchange.Status // PENDING, IN_PROGRESS, SUCCEEDED or ERROR
	ErrorDetails string
	Reply        *exchange.Reply // nil: none has come
}

// Done counts the commands that succeeded.
func (b Batch) Done() (n int) {
	for _, c := range b.Commands {
		if c.Status == exchange.Succeeded {
			n++
		}
	}
	return n
}

// definition is what of a batch never changes.
type definition struct {
	Key      string             `json:"key,omitempty"`
	Target   string             `json:"target"`
	Commands []exchange.Command `json:"commands"`
	MaxRetry int                `json:"maxRetry"`
	Created  time.Time          `json:"created"`
}

// progress is what of a batch changes from pass to pass. What became of its
// commands is kept apart.
type progress struct {
	Status       BatchStatus `json:"status"`
	ErrorDetails string      `json:"errorDetails,omitempty"`
	Retry        *int        `json:"retry,omitempty"`
	LastRetryAt  *time.Time  `json:"lastRetryAt,omitempty"`
	Due          time.Time   `json:"due,omitzero"`   // with PENDING
	Ended        time.Time   `json:"ended,omitzero"` // with SUCCEEDED and ERROR
	Node         string      `json:"node,omitempty"` // with IN_PROGRESS

	// Connector gets the commands of a pass. Left behind by one that is over, it
	// may have carried out the first command that has no reply.
	Connector string    `json:"connector,omitempty"`
	Missed    time.Time `json:"missed,omitzero"` // since when it is waited for
}
