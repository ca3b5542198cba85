package probe

import (
	"bytes"
	"fmt"
	"regexp"
)

// maxMatch bounds how much of a line is looked at.
const maxMatch = 64 << 10

// LineMatcher waits for a line that matches a regular expression. It is an
// io.Writer for a tap on one captured stream (two that write to the same
// matcher would mix their lines): write from one goroutine at a time, wait for
// Matched anywhere. Once matched it costs nothing.
type LineMatcher struct {
	re      *regexp.Regexp
	line    []byte // begun, at most maxMatch bytes of it
	matched chan struct{}
	done    bool
}

// NewLineMatcher compiles expr, in Go's (RE2) syntax: matching takes time
// linear in the line.
func NewLineMatcher(expr string) (*LineMatcher, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q as a log line to wait for: %w", expr, err)
	}
	return &LineMatcher{re: re, matched: make(chan struct{})}, nil
}

// Matched is closed when a line has matched.
func (m *LineMatcher) Matched() <-chan struct{} { return m.matched }

// Write looks at the lines that b completes. It never fails or blocks.
func (m *LineMatcher) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0 && !m.done; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		m.line = append(m.line, part[:min(len(part), maxMatch-len(m.line))]...)
		rest = after
		if !whole {
			break
		}
		if m.re.Match(bytes.TrimSuffix(m.line, []byte("\r"))) {
			m.done, m.line = true, nil
			close(m.matched)
			break
		}
		m.line = m.line[:0]
	}
	return len(b), nil
}
