package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// Bounds of what is answered, of one subject.
const (
	maxServed       = 16_384   // at one time
	maxAnswered     = 65_536   // answers that are kept, should a request come again
	maxAnsweredSize = 64 << 20 // bytes of them
)

// serving are the requests of a subject: those that are being answered, and the
// last ones that were.
type serving struct {
	ctx    context.Context
	answer Answer
	wg     sync.WaitGroup

	mu       sync.Mutex // guards all below
	under    map[string]context.CancelFunc
	answered map[string]*nats.Msg
	order    []string // keys of answered, the oldest first
	size     int
}

// Serve implements Engine.
func (e *NATS) Serve(ctx context.Context, subject string, answer Answer) error {
	s := &serving{ctx: ctx, answer: answer, under: make(map[string]context.CancelFunc), answered: make(map[string]*nats.Msg)}
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

// take begins to answer a request, unless it is one that came before.
func (s *serving) take(m *nats.Msg) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	last, under, full := s.answered[m.Reply], s.under[m.Reply] != nil, len(s.under) >= maxServed
	if last == nil && !under && !full {
		s.under[m.Reply] = cancel
		s.wg.Go(func() { s.run(ctx, m) })
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	cancel()
	switch {
	case last != nil:
		send(m, last)
	case under:
		busy := nats.NewMsg("")
		busy.Header.Set(busyHeader, "1")
		send(m, busy)
	default:
		send(m, lastAnswer(0, nil, errors.New("too many requests at a time")))
	}
}

// run answers a request.
func (s *serving) run(ctx context.Context, m *nats.Msg) {
	parts := 0
	var part func([]byte) error
	if m.Header.Get(streamHeader) != "" {
		part = func(data []byte) error {
			parts++
			p := nats.NewMsg("")
			p.Data = data
			p.Header.Set(partHeader, strconv.Itoa(parts))
			return m.RespondMsg(p)
		}
	}
	data, err := s.answer(ctx, m.Data, part)
	last := lastAnswer(parts, data, err)
	s.done(m.Reply, last)
	send(m, last)
}

// done keeps an answer, and forgets the oldest.
func (s *serving) done(id string, last *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under[id]()
	delete(s.under, id)
	s.answered[id] = last
	s.order = append(s.order, id)
	s.size += len(last.Data)
	for len(s.order) > maxAnswered || s.size > maxAnsweredSize {
		s.size -= len(s.answered[s.order[0]].Data)
		delete(s.answered, s.order[0])
		s.order = s.order[1:]
	}
}

func lastAnswer(parts int, data []byte, err error) *nats.Msg {
	last := nats.NewMsg("")
	last.Data = data
	last.Header.Set(partsHeader, strconv.Itoa(parts))
	if err != nil {
		last.Data = []byte(err.Error())
		last.Header.Set(failureHeader, "1")
	}
	return last
}

// send sends an answer. It fails if the connection is over: then the one who asks
// knows. The answer may be sent again meanwhile, so it is not touched.
func send(m, answer *nats.Msg) {
	_ = m.RespondMsg(&nats.Msg{Data: answer.Data, Header: answer.Header})
}

// cancel ends the answering of a request.
func (s *serving) cancel(m *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.under[string(m.Data)]; cancel != nil {
		cancel()
	}
}
