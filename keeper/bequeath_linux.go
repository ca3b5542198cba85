package keeper

import (
	"errors"
	"math"
	"os"

	"github.com/seed-04209a44/peerd/process"
)

// bequeath makes the estate of a keeper that has been served to its end by an
// order. The door is closed on the way. The keeper is of no use afterwards, and
// an error says that something is lost.
func (s *server) bequeath(o *order, lock int) (*estate, error) {
	close(s.closing)
	s.watching.Wait()
	errs := []error{s.door.Close()}
	keep := func(f *os.File) int {
		fd, err := process.KeepFD(f)
		errs = append(errs, err, f.Close())
		return fd
	}
	e := &estate{State: state, Socket: keep(o.socket), Lock: lock, User: o.line.bequeath(o, keep)}
	for _, h := range s.all() {
		he, err := h.bequeath(keep)
		e.Held = append(e.Held, he)
		errs = append(errs, err)
	}
	return e, errors.Join(errs...)
}

// bequeath gives the connection away; a user whose connection is broken comes
// again.
func (l *line) bequeath(o *order, keep func(*os.File) int) *userEstate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return nil
	}
	f, unread, err := l.conn.File()
	_ = l.conn.Close()
	if err != nil {
		return nil
	}
	return &userEstate{Socket: keep(f), Unread: unread, Order: o.command.ID}
}

func (h *held) bequeath(keep func(*os.File) int) (heldEstate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	he := heldEstate{Output: h.opts}
	var err error
	if h.proc != nil {
		select {
		case <-h.proc.Exited():
			x := h.proc.Exit()
			h.word.merge(Entry{Exit: &x})
		default:
		}
		var c process.Carried
		c, err = h.proc.Carry()
		he.Process = &c
	}
	if h.ear != nil {
		h.ear.hush(math.MaxInt)
		he.Notify, he.Said = h.ear.fd, h.ear.said
	}
	he.Entry = h.word.now()
	h.out.bequeath(&he, keep)
	return he, err
}

// bequeath gives the files of a halted output away.
func (o *output) bequeath(he *heldEstate, keep func(*os.File) int) {
	he.Lost = o.lost
	if he.Drained = o.isClosed(); he.Drained {
		he.Lost = o.dropped()
		return
	}
	if o.ready != nil && he.Process == nil {
		he.Ready = keep(o.ready)
	}
	for _, s := range o.streams {
		se := streamEstate{Name: s.name, Write: keep(s.fifo.Write), Read: keep(s.fifo.Read), Loss: s.writer.Loss()}
		if s.tap != nil {
			se.Line = s.tap.line
		}
		_ = s.writer.Close()
		he.Streams = append(he.Streams, se)
	}
}
