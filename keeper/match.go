package keeper

import (
	"bytes"
	"fmt"
	"regexp"
	"sync"
)

// maxMatch bounds how much of a line is looked at.
const maxMatch = 64 << 10

// matcher looks for a line that matches, in two streams at a time.
type matcher struct {
	re      *regexp.Regexp
	matched func() // called once

	mu   sync.Mutex // guards the following field
	done bool
}

func newMatcher(expr string, matched func()) (*matcher, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q as a line to wait for: %w", expr, err)
	}
	return &matcher{re: re, matched: matched}, nil
}

// found ends the search.
func (m *matcher) found() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.done {
		m.done = true
		m.matched()
	}
}

func (m *matcher) isDone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done
}

// lines is the io.Writer of one stream: a line's pieces do not mix with those
// of the other stream.
type lines struct {
	m    *matcher
	line []byte // begun, at most maxMatch bytes of it
}

// Write looks at the lines that b completes. It never fails.
func (l *lines) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0 && !l.m.isDone(); {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, part[:min(len(part), maxMatch-len(l.line))]...)
		if rest = after; !whole {
			break
		}
		if l.m.re.Match(bytes.TrimSuffix(l.line, []byte("\r"))) {
			l.m.found()
		}
		l.line = l.line[:0]
	}
	return len(b), nil
}
