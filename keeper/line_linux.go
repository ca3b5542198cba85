package keeper

import (
	"context"
	"errors"
	"sync"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/unix"
)

// line is the way to one user. Its endpoint sees it as its channel, but for the
// order to become another program: that one is answered by the other program,
// so it goes to whoever runs the keeper, and nothing is read after it until it
// is refused.
type line struct {
	conn   *unix.Conn
	orders chan<- *order
	shut   chan struct{} // closed with the endpoint
	once   sync.Once

	missed   bool               // news may have got lost on the way
	endpoint *exchange.Endpoint // set before it is run

	mu     sync.Mutex      // guards all following fields
	open   map[string]bool // commands that have no answer yet
	quiet  chan struct{}   // closed once there are none; nil while nobody waits for it
	kept   bool            // the connection outlives the endpoint
	broken bool            // something could not be sent
}

func newLine(conn *unix.Conn, orders chan<- *order) *line {
	return &line{conn: conn, orders: orders, shut: make(chan struct{}), open: map[string]bool{}}
}

// Recv implements exchange.Channel.
func (l *line) Recv() (exchange.Frame, error) {
	for {
		f, err := l.conn.Recv()
		if err != nil || f.Command == nil {
			return f, err
		}
		if f.Command.Type != TypeBecome {
			l.opened(f.Command)
			return f, nil
		}
		o := &order{line: l, command: *f.Command, refused: make(chan struct{})}
		select {
		case l.orders <- o:
		case <-l.shut:
			return exchange.Frame{}, exchange.ErrClosed
		}
		select {
		case <-o.refused:
		case <-l.shut:
			return exchange.Frame{}, exchange.ErrClosed
		}
	}
}

// opened notes a command that will be answered.
func (l *line) opened(c *exchange.Command) {
	if c.Type == exchange.TypeCancel || c.ID == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c.ID] = true
}

// Send implements exchange.Channel.
func (l *line) Send(f exchange.Frame) error {
	err := l.conn.Send(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && f.Reply != nil && f.Reply.Status.Terminal():
		delete(l.open, f.Reply.CommandID)
	case err != nil && !errors.Is(err, exchange.ErrTooLarge):
		l.broken = true
	}
	if len(l.open) == 0 && l.quiet != nil {
		close(l.quiet)
		l.quiet = nil
	}
	return err
}

// settle waits until every command that was received is answered.
func (l *line) settle(ctx context.Context) error {
	l.mu.Lock()
	if len(l.open) == 0 {
		l.mu.Unlock()
		return nil
	}
	quiet := make(chan struct{})
	l.quiet = quiet
	l.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet = nil
	return context.Cause(ctx)
}

// keep has the connection outlive its endpoint.
func (l *line) keep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = true
}

// Close implements exchange.Channel.
func (l *line) Close() error {
	l.once.Do(func() { close(l.shut) })
	l.mu.Lock()
	kept := l.kept && !l.broken
	l.mu.Unlock()
	if kept {
		return nil
	}
	return l.conn.Close()
}
