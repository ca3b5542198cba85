package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	sys "golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/unix"
	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/process"
)

// readEstate reads what the program before has written.
func readEstate(f *os.File) (*estate, error) {
	defer f.Close()
	e := &estate{}
	if err := json.NewDecoder(f).Decode(e); err != nil {
		return nil, fmt.Errorf("cannot read what the keeper had: %w", err)
	}
	if !Own().State.Has(e.State) {
		return nil, fmt.Errorf("cannot take over from a keeper of state %d", e.State)
	}
	return e, nil
}

// inherit makes the keeper that goes on with an estate. The captures have begun
// and all ends are seen.
func (e *estate) inherit() (*Keeper, *process.Door, error) {
	var carried []process.Carried
	for _, he := range e.Held {
		if he.Process != nil {
			carried = append(carried, *he.Process)
		}
	}
	door, procs, err := process.OpenCarried(carried)
	if err != nil {
		return nil, nil, err
	}
	k := New(door)
	for _, he := range e.Held {
		h := &held{word: newWord(he.Entry.Key, he.Entry.Folder), opts: he.Output, over: make(chan struct{})}
		h.word.merge(he.Entry)
		k.held[he.Entry.Key] = h
		h.out, err = inheritOutput(&he, h.word, func() { k.tell(h) })
		if err != nil {
			return nil, nil, errors.Join(err, door.Close())
		}
		if he.Notify > 0 {
			sys.CloseOnExec(he.Notify)
			h.ear = &ear{fd: he.Notify, folder: he.Output.Folder, said: he.Said}
		}
		if he.Process != nil {
			k.follow(h, procs[0])
			procs = procs[1:]
		}
	}
	return k, door, nil
}

// inheritOutput goes on with the capture of a process.
func inheritOutput(he *heldEstate, w *word, changed func()) (*output, error) {
	o := &output{opts: he.Output, word: w, changed: changed, closed: he.Drained, lost: he.Lost}
	if o.closed {
		w.silent()
	}
	for _, se := range he.Streams {
		o.streams = append(o.streams, o.inherit(se))
	}
	if he.Ready > 0 {
		o.ready = os.NewFile(uintptr(he.Ready), fifoReady)
	}
	if err := o.watch(); err != nil {
		return nil, err
	}
	for i, s := range o.streams {
		if s.tap != nil {
			s.tap.line = he.Streams[i].Line
		}
	}
	o.begin()
	return o, nil
}

// inherit takes a stream up where it was left.
func (o *output) inherit(se streamEstate) *stream {
	w := logs.ResumeWriter(o.opts.Logs, se.Name, o.opts.Options, se.Loss)
	if se.Loss.Dropped > 0 {
		o.losing.note(se.Name, se.Loss.Dropped, se.Loss.Told)
	}
	w.Listen(func(n int64, why string) { o.hear(se.Name, n, why) })
	name := string(se.Name)
	return &stream{
		name: se.Name, writer: w,
		fifo: &process.FIFO{Write: os.NewFile(uintptr(se.Write), name), Read: os.NewFile(uintptr(se.Read), name)},
	}
}

// inherit answers the order and makes the way to the user who gave it; nil where
// there is none any more.
func (u *userEstate) inherit(s *server) *line {
	if u == nil {
		return nil
	}
	conn, err := unix.FileConn(os.NewFile(uintptr(u.Socket), "user"), u.Unread)
	if err != nil {
		return nil // it comes again
	}
	var refused error
	if u.Refuse != "" {
		refused = errors.New(u.Refuse)
	}
	l := newLine(conn, s.orders)
	l.missed = true
	_ = l.Send(exchange.Frame{Reply: reply(u.Order, refused)})
	return l
}
