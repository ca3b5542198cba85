package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// Headers of requests and answers.
const (
	idHeader      = "Id"      // of the request, by which it is cancelled
	streamHeader  = "Stream"  // of a request whose answers before the last are wanted
	partHeader    = "Part"    // the number of an answer that is not the last, from 1 on
	partsHeader   = "Parts"   // of the last answer: how many were before it
	failureHeader = "Failure" // the answer is the text of an error
)

// Bounds of requests.
const (
	maxServed  = 16_384 // answered at one time, of one subject
	partBuffer = 1_024  // answers that wait for one who is slow
)

// errSlow ends a request whose answers are not read as fast as they come.
var errSlow = errors.New("the answers came faster than they were read")

// serving are the requests of a subject that are being answered.
type serving struct {
	conn   *nats.Conn
	ctx    context.Context
	answer Answer
	wg     sync.WaitGroup

	mu    sync.Mutex // guards under
	under map[string]context.CancelFunc
}

// Serve implements Engine.
func (e *NATS) Serve(ctx context.Context, subject string, answer Answer) error {
	s := &serving{conn: e.conn, ctx: ctx, answer: answer, under: make(map[string]context.CancelFunc)}
	cancels, err := e.conn.Subscribe(cancelSubject(subject), s.cancel)
	if err != nil {
		return fmt.Errorf("cannot serve %s: %w", subject, err)
	}
	defer func() { _ = cancels.Unsubscribe() }()
	sub, err := e.conn.Subscribe(encodeKey(subject), s.take)
	if err != nil {
		return fmt.Errorf("cannot serve %s: %w", subject, err)
	}
	<-ctx.Done()
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	if err := sub.Drain(); err == nil {
		<-drained
	}
	s.wg.Wait()
	return nil
}

// cancelSubject is where who asked says that it wants no answer any more. No
// encoded key looks like it.
func cancelSubject(subject string) string { return encodeKey(subject) + ".=cancel" }

// take begins to answer a request.
func (s *serving) take(m *nats.Msg) {
	id := m.Header.Get(idHeader)
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	full := len(s.under) >= maxServed
	if !full {
		s.under[id] = cancel
	}
	s.mu.Unlock()
	if full {
		cancel()
		s.reply(m, 0, nil, errors.New("too many requests at a time"))
		return
	}
	s.wg.Go(func() {
		defer cancel()
		parts := 0
		var part func([]byte) error
		if m.Header.Get(streamHeader) != "" {
			part = func(data []byte) error {
				parts++
				return s.part(m, parts, data)
			}
		}
		data, err := s.answer(ctx, m.Data, part)
		s.mu.Lock()
		delete(s.under, id)
		s.mu.Unlock()
		s.reply(m, parts, data, err)
	})
}

// part sends an answer before the last.
func (s *serving) part(m *nats.Msg, n int, data []byte) error {
	part := nats.NewMsg(m.Reply)
	part.Data = data
	part.Header.Set(partHeader, strconv.Itoa(n))
	return m.RespondMsg(part)
}

// reply sends the last answer. It fails if the connection is over: then the one
// who asks knows.
func (s *serving) reply(m *nats.Msg, parts int, data []byte, err error) {
	last := nats.NewMsg(m.Reply)
	last.Data = data
	last.Header.Set(partsHeader, strconv.Itoa(parts))
	if err != nil {
		last.Data = []byte(err.Error())
		last.Header.Set(failureHeader, "1")
	}
	_ = m.RespondMsg(last)
}

// cancel ends the answering of a request.
func (s *serving) cancel(m *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.under[string(m.Data)]; cancel != nil {
		cancel()
	}
}

// Request implements Engine.
func (e *NATS) Request(ctx context.Context, subject string, data []byte, each func([]byte) error) ([]byte, error) {
	id := nats.NewInbox()
	request := nats.NewMsg(encodeKey(subject))
	request.Data = data
	request.Header.Set(idHeader, id)
	m, err := e.ask(ctx, request, id, each)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNobody
	case err != nil:
		// It may be under way. That nobody wants the answer is a courtesy to say.
		_ = e.conn.Publish(cancelSubject(subject), []byte(id))
		return nil, err
	case m.Header.Get(failureHeader) != "":
		return nil, errors.New(string(m.Data))
	}
	return m.Data, nil
}

// ask returns the last answer; those before it go to each.
func (e *NATS) ask(ctx context.Context, request *nats.Msg, inbox string, each func([]byte) error) (*nats.Msg, error) {
	if each == nil {
		return e.conn.RequestMsgWithContext(ctx, request)
	}
	answers := make(chan *nats.Msg, partBuffer)
	sub, err := e.conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	request.Reply = inbox
	request.Header.Set(streamHeader, "1")
	if err := e.conn.PublishMsg(request); err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		var m *nats.Msg
		select {
		case m = <-answers:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch part, parts := m.Header.Get(partHeader), m.Header.Get(partsHeader); {
		case len(m.Data) == 0 && m.Header.Get("Status") == "503":
			return nil, nats.ErrNoResponders
		case parts == strconv.Itoa(n-1):
			return m, nil
		case part != strconv.Itoa(n): // some were dropped
			return nil, errSlow
		}
		if err := each(m.Data); err != nil {
			return nil, err
		}
	}
}
