package logs

import (
	"fmt"
	"time"
)

// Options bound a captured stream's files.
type Options struct {
	MaxSize  int64 // bytes of one file before it is rotated; default 10 MiB
	MaxFiles int   // files kept per stream, the current one included; default 4
	MaxLine  int   // longer lines are split with a continuation mark when read; default 64 KiB
}

const (
	defaultMaxSize  = 10 << 20
	defaultMaxFiles = 4
	defaultMaxLine  = 64 << 10
)

func (o Options) withDefaults() Options {
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = defaultMaxFiles
	}
	if o.MaxLine <= 0 {
		o.MaxLine = defaultMaxLine
	}
	return o
}

// Stream is "out" or "err".
type Stream string

// The two streams.
const (
	Out Stream = "out"
	Err Stream = "err"
)

func (s Stream) valid() error {
	if s != Out && s != Err {
		return fmt.Errorf("unknown stream %q: use %q or %q", s, Out, Err)
	}
	return nil
}

// Line is one line as read back.
type Line struct {
	At      time.Time `json:"at"`   // when its first byte was captured
	Name    string    `json:"name"` // the source's label
	Stream  Stream    `json:"stream"`
	Text    string    `json:"text"`              // without the newline; any bytes
	Partial bool      `json:"partial,omitempty"` // continues in the next line of its stream
	Level   string    `json:"level,omitempty"`   // parsed: hclog, JSON, logfmt; lower case
	Logger  string    `json:"logger,omitempty"`
	Message string    `json:"message,omitempty"`
}

// Source is one instance's folder with a label for Line.Name.
type Source struct {
	Name string
	Dir  string
}

// Query selects lines.
type Query struct {
	Stream  Stream    // "" both
	Tail    int       // only the last N over all sources; <0 all
	Since   time.Time // zero: all
	Follow  bool      // go on with new lines, across rotation and restarts
	MaxLine int       // bytes of a longer line are yielded in Partial pieces; default 64 KiB
}
