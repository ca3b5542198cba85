package logs

import (
	"context"
	"io"
	"iter"
	"time"
)

// Options bound a captured stream's files.
type Options struct {
	MaxSize  int64 // bytes of one file before it is rotated; default 10 MiB
	MaxFiles int   // files kept per stream, the current one included; default 4
	MaxLine  int   // longer lines are split with a continuation mark when read; default 64 KiB
}

// Writer appends one stream of one instance to rotated files: current file
// DIR/out.log (or err.log), older DIR/out.log.1 … Rotation happens at an exact
// byte boundary; every byte lands in exactly one file.
//
// A line index (DIR/out.idx …) or in-band time stamp is the room's own affair;
// readers must be able to merge instances by time.
type Writer struct{}

// Stream is "out" or "err".
type Stream string

// The two streams.
const (
	Out Stream = "out"
	Err Stream = "err"
)

// OpenWriter opens (creating folders) the stream's current file for appending.
func OpenWriter(dir string, s Stream, o Options) (*Writer, error) { panic("seam") }

// Write appends b. It never fails for the caller's sake: when the disk refuses,
// bytes are counted as dropped, a marker line is written once it accepts again,
// and Dropped tells. It notices a removed or renamed file and reopens.
func (w *Writer) Write(b []byte) (int, error) { panic("seam") }

// Dropped is the number of bytes lost since opening, with the last error.
func (w *Writer) Dropped() (int64, error) { panic("seam") }

// Clear empties the stream's files.
func (w *Writer) Clear() error { panic("seam") }

// Close closes the file.
func (w *Writer) Close() error { panic("seam") }

// Capture copies r to w until EOF or until stop is closed (then it drains what
// is there without waiting), and never blocks on anything but r and the file.
// first, when not nil, is offered the first line (at most 64 KiB) before it is
// stored; returning true swallows it (the plugin handshake line).
func Capture(r io.Reader, w *Writer, stop <-chan struct{}, first func(line string) bool) error {
	panic("seam")
}

// Line is one line as read back.
type Line struct {
	At      time.Time `json:"at"`
	Name    string    `json:"name"` // the source's label
	Stream  Stream    `json:"stream"`
	Text    string    `json:"text"`              // without the newline
	Partial bool      `json:"partial,omitempty"` // continues in the next line
	Level   string    `json:"level,omitempty"`   // parsed: hclog, JSON, logfmt
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
	Stream Stream    // "" both
	Tail   int       // only the last N over all sources; <0 all
	Since  time.Time // zero: all
	Follow bool      // go on with new lines, across rotation and restarts
}

// Read merges the sources by time and yields their lines until the end, or
// with Follow until ctx ends.
func Read(ctx context.Context, sources []Source, q Query) iter.Seq2[Line, error] { panic("seam") }
