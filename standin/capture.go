package standin

import (
	"bytes"
	"io"
	"regexp"
)

// handshakeLine is what a component greets its peer with; a debugger's prompt may
// stand before it.
var handshakeLine = regexp.MustCompile(`\d+\|\d+\|unix\|[^|]+\|grpc.*$`)

// maxGreeting bounds a line that is looked at.
const maxGreeting = 64 << 10

// capture hands on what is written from the handshake line on, which the peer
// takes for the first line of all. It never fails: who captures may be gone.
type capture struct {
	to      io.Writer
	line    []byte // begun, at most maxGreeting bytes of it
	greeted bool
	lost    bool
}

// Write takes what a terminal shows, where lines end with CR LF.
func (c *capture) Write(b []byte) (int, error) {
	rest := b
	for !c.greeted && len(rest) > 0 {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		c.line = append(c.line, part[:min(len(part), maxGreeting-len(c.line))]...)
		if rest = after; !whole {
			break
		}
		if found := handshakeLine.Find(bytes.TrimRight(c.line, "\r")); found != nil {
			c.greeted = true
			c.pass(append(found, '\n'))
		}
		c.line = c.line[:0]
	}
	if c.greeted {
		c.pass(bytes.ReplaceAll(rest, []byte("\r\n"), []byte("\n")))
	}
	return len(b), nil
}

func (c *capture) pass(b []byte) {
	if c.lost || len(b) == 0 {
		return
	}
	_, err := c.to.Write(b)
	c.lost = err != nil
}
