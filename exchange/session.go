package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// session is one connection of a Connector.
type session struct {
	c         *Connector
	endpoint  string
	e         *Endpoint
	connected bool
	target    string

	mu      sync.Mutex
	goodBye *GoodBye // as received
}

// run lives through one connection and returns why it ended.
func (s *session) run(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, s.c.o.HelloTimeout)
	ch, err := s.c.o.Dial(dial, s.endpoint)
	cancel()
	if err != nil {
		return err
	}
	o := s.c.o.Channel
	o.Handlers = s.handlers()
	s.e = NewEndpoint(ch, o)
	s.c.running.Go(func() { _ = s.e.Run(context.WithoutCancel(ctx)) }) // Err has it
	unhook := context.AfterFunc(ctx, func() { s.e.Close() })
	defer unhook()

	if err := s.hello(ctx); err != nil {
		s.e.Close()
		<-s.e.Ended()
		return err
	}
	s.connected = true
	s.c.set(s.e, s.target)
	s.c.o.Observe(ConnectorEvent{Kind: Connected, Endpoint: s.endpoint, Target: s.target})
	<-s.e.Ended()
	s.c.set(nil, s.target)
	return s.e.Err()
}

// hello introduces the connector; the answer names its target.
func (s *session) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.o.HelloTimeout)
	defer cancel()
	cmd, err := NewCommand(TypeHello, s.c.o.Hello)
	if err != nil {
		return err
	}
	reply, err := s.e.Call(ctx, cmd)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", s.endpoint, err)
	}
	if err := reply.Err(); err != nil {
		return &RefusedError{Endpoint: s.endpoint, Details: err.Error()}
	}
	answer := s.c.o.Hello
	if len(reply.Payload) > 0 {
		if err := json.Unmarshal(reply.Payload, &answer); err != nil {
			return fmt.Errorf("cannot connect to %s: cannot read the answer to HELLO: %w", s.endpoint, err)
		}
	}
	s.target = answer.TargetID
	return nil
}

// forGood tells whether the controller ended the connection for good.
func (s *session) forGood(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.c.o.AutoReconnect:
		return false
	case s.goodBye != nil:
		return !s.goodBye.Reconnect
	}
	return err == nil
}

// handlers are those of the options and the ones that keep the channel.
func (s *session) handlers() *Mux {
	m := s.c.o.Channel.Handlers.clone()
	own := func(typ string, register func(string, Handler), h Handler) {
		if m.handlers[typ] == nil {
			register(typ, h)
		}
	}
	own(TypeHealthCheck, m.Handle, func(ctx context.Context, _ *Request) (any, error) { return s.c.o.Health(ctx), nil })
	own(TypePrimary, m.HandleOrdered, s.primary)
	own(TypeGoodBye, m.Handle, s.bye)
	return m
}

func (s *session) primary(ctx context.Context, req *Request) (any, error) {
	var p Primary
	if err := req.Decode(&p); err != nil {
		return nil, err
	}
	if err := s.c.admit(p); err != nil {
		return nil, err
	}
	if s.c.o.Primary == nil {
		return nil, nil
	}
	return nil, s.c.o.Primary(ctx, p)
}

// bye answers, and ends the channel with the code that says whether to return.
func (s *session) bye(_ context.Context, req *Request) (any, error) {
	var p GoodBye
	if err := req.Decode(&p); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.goodBye = &p
	s.mu.Unlock()
	code := CloseNormal
	if p.Reconnect || s.c.o.AutoReconnect {
		code = CloseTryAgain
	}
	return Hello{TargetID: p.TargetID}, s.e.CloseWith(code, "goodbye")
}
