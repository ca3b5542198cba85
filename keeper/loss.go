package keeper

import (
	"cmp"
	"sync"

	"github.com/seed-04209a44/peerd/logs"
)

// losing is what the two streams of an output lose.
type losing struct {
	mu    sync.Mutex // guards the following fields; held while it is told, so that the news keep their order
	bytes map[logs.Stream]int64
	why   map[logs.Stream]string
}

// hear takes in what one stream loses, and tells what both do.
func (o *output) hear(s logs.Stream, n int64, why string) {
	l := &o.losing
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(s, n, why)
	o.word.loses(o.lost+l.bytes[logs.Out]+l.bytes[logs.Err], cmp.Or(l.why[logs.Out], l.why[logs.Err]))
	o.changed()
}

// note is hear without telling; l.mu is held, or l is nobody else's yet.
func (l *losing) note(s logs.Stream, n int64, why string) {
	if l.bytes == nil {
		l.bytes, l.why = map[logs.Stream]int64{}, map[logs.Stream]string{}
	}
	l.bytes[s], l.why[s] = n, why
}

// settle closes the account of what was lost.
func (o *output) settle() {
	l := &o.losing
	l.mu.Lock()
	defer l.mu.Unlock()
	n := o.lost
	for _, s := range o.streams {
		lost, _ := s.writer.Dropped()
		n += lost
	}
	if n > 0 {
		o.word.loses(n, "")
	}
}
