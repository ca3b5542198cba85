package cluster

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// What goes from server to server may be lost when a route breaks or is made
// anew. So who asks sends the request again when it has heard nothing for a
// while, and who answers knows it by its reply subject: it is answered once.

// Headers of requests and answers.
const (
	streamHeader  = "Stream"  // of a request whose answers before the last are wanted
	partHeader    = "Part"    // the number of an answer that is not the last, from 1 on
	partsHeader   = "Parts"   // of the last answer: how many were before it
	failureHeader = "Failure" // the answer is the text of an error
	busyHeader    = "Busy"    // no answer: the request is under way
)

// askAgainAfter is after how long of silence a request is sent again.
const askAgainAfter = time.Second

// ErrLost is why a request that may have been seen has no answer: nobody is there
// any more who could have one.
var ErrLost = errors.New("who was asked has gone")

// errSlow ends a request whose answers are not read as fast as they come.
var errSlow = errors.New("the answers came faster than they were read")

// asker is what waits for answers, all on one subscription.
type asker struct {
	conn   *nats.Conn
	prefix string // of reply subjects

	mu      sync.Mutex // guards waiting
	waiting map[string]chan *nats.Msg
}

func newAsker(conn *nats.Conn) (*asker, error) {
	a := &asker{conn: conn, prefix: nats.NewInbox() + ".", waiting: make(map[string]chan *nats.Msg)}
	_, err := conn.Subscribe(a.prefix+"*", a.dispatch)
	return a, err
}

// dispatch hands an answer to who waits for it. One that there is no room for is
// dropped, and its number missed.
func (a *asker) dispatch(m *nats.Msg) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.waiting[m.Subject] <- m:
	default:
	}
}

// wait returns a reply subject and its answers, until done.
func (a *asker) wait(room int) (reply string, answers <-chan *nats.Msg, done func()) {
	reply = a.prefix + nats.NewInbox()[len(nats.InboxPrefix):]
	ch := make(chan *nats.Msg, room)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[reply] = ch
	return reply, ch, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, reply)
	}
}

// partBuffer bounds the answers that wait for one who is slow.
const partBuffer = 1_024

// Request implements Engine.
func (e *NATS) Request(ctx context.Context, subject string, data []byte, each func([]byte) error) ([]byte, error) {
	room := 4
	if each != nil {
		room = partBuffer
	}
	reply, answers, done := e.asker.wait(room)
	defer done()
	request := &nats.Msg{Subject: encodeKey(subject), Reply: reply, Data: data, Header: nats.Header{}}
	if each != nil {
		request.Header.Set(streamHeader, "1")
	}
	m, err := e.ask(ctx, request, answers, each)
	switch {
	case errors.Is(err, ErrNobody), errors.Is(err, ErrLost):
		return nil, err
	case err != nil:
		// It may be under way. That nobody wants the answer is a courtesy to say.
		_ = e.conn.Publish(cancelSubject(subject), []byte(reply))
		return nil, err
	case m.Header.Get(failureHeader) != "":
		return nil, errors.New(string(m.Data))
	}
	return m.Data, nil
}

// ask sends a request until it is answered and returns the last answer; those
// before it go to each.
func (e *NATS) ask(ctx context.Context, request *nats.Msg, answers <-chan *nats.Msg, each func([]byte) error) (*nats.Msg, error) {
	silence := time.NewTimer(0) // the first time at once
	defer silence.Stop()
	sent := 0
	for next := 1; ; {
		var m *nats.Msg
		select {
		case <-silence.C:
			if err := e.conn.PublishMsg(request); err != nil {
				return nil, err
			}
			sent++
			silence.Reset(askAgainAfter)
			continue
		case m = <-answers:
			silence.Reset(askAgainAfter)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch part, parts := m.Header.Get(partHeader), m.Header.Get(partsHeader); {
		case m.Header.Get("Status") == "503" && sent == 1:
			return nil, ErrNobody
		case m.Header.Get("Status") == "503":
			return nil, ErrLost
		case m.Header.Get(busyHeader) != "":
			continue
		case parts == strconv.Itoa(next-1):
			return m, nil
		case part != strconv.Itoa(next): // some were dropped
			return nil, errSlow
		}
		next++
		if err := each(m.Data); err != nil {
			return nil, err
		}
	}
}
