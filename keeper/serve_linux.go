package keeper

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/unix"
)

// lonely is how long a keeper for which nothing lives waits for somebody to
// attend.
const lonely = 2 * time.Second

// server is a keeper with a process of its own.
type server struct {
	*Keeper
	home   *home
	turn   sync.Mutex  // held by the one user who is heard
	orders chan *order // to become another program
}

func newServer(k *Keeper, h *home) *server {
	k.forgotten = h.forget
	return &server{Keeper: k, home: h, orders: make(chan *order)}
}

// serve answers on l, and to user if it is there already, until ctx ends or the
// keeper leaves; or until an order to become another program is ready to be
// carried out, which it returns: then all captures are halted and nobody is
// heard any more. It closes l.
func (s *server) serve(ctx context.Context, l *unix.Listener, user *line) (*order, error) {
	inside, quit := context.WithCancel(ctx)
	defer quit()
	var work sync.WaitGroup
	if user != nil {
		s.turn.Lock()
		work.Go(func() { s.converse(inside, user) })
	}
	work.Go(func() { s.accept(inside, l, &work) })
	o := s.await(inside, quit, l)
	if o != nil {
		o.line.keep()
		_ = o.line.endpoint.Close()
		<-o.line.endpoint.Done()
	}
	quit()
	err := l.Close()
	work.Wait()
	return o, errors.Join(ctx.Err(), err)
}

// await returns when ctx has ended, when the keeper leaves, or with an order
// that is ready to be carried out. A keeper that holds nothing leaves with its
// last user; one for which nothing lives when it has been alone for a while.
func (s *server) await(ctx context.Context, quit func(), l *unix.Listener) *order {
	alone := time.NewTimer(lonely)
	defer alone.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-s.orders:
			err := s.prepare(ctx, l, o)
			if err == nil {
				return o
			}
			o.refuse(err)
		case <-s.less:
			if s.holdsNothing() && s.leave(quit) {
				return nil
			}
			alone.Reset(lonely)
		case <-alone.C:
			if s.leave(quit) {
				return nil
			}
		}
	}
}

// accept serves whoever connects, until l is closed. The next user is heard when
// all that the one before has sent is done: what it finds then does not change
// behind its back.
func (s *server) accept(ctx context.Context, l *unix.Listener, work *sync.WaitGroup) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, unix.ErrStranger):
			continue
		case err != nil:
			return
		}
		work.Go(func() {
			s.turn.Lock()
			if ctx.Err() != nil { // it asks the next keeper
				s.turn.Unlock()
				_ = conn.Close()
				return
			}
			s.converse(ctx, newLine(conn, s.orders))
		})
	}
}

// converse answers one user until its channel ends. It has the turn, and gives
// it back.
func (s *server) converse(ctx context.Context, l *line) {
	defer s.poke()
	defer s.turn.Unlock()
	e := exchange.NewEndpoint(l, exchange.Options{Handlers: s.handlers(), Window: window})
	l.endpoint = e
	var telling sync.WaitGroup
	leave := s.attend(func(news Entry) { telling.Go(func() { tell(ctx, e, news) }) })
	if l.missed {
		for _, h := range s.all() {
			s.tell(h)
		}
	}
	_ = e.Run(ctx)        // why it ended is of no matter: what is held stays held
	s.door.KeepDead(true) // until it is known who comes next
	leave()
	telling.Wait()
}

// tell passes on what has changed; one that is not heard is listed to the next
// who asks.
func tell(ctx context.Context, e *exchange.Endpoint, news Entry) {
	if cmd, err := exchange.NewCommand(TypeTold, news); err == nil {
		_, _ = e.Call(ctx, cmd)
	}
}

// handlers answer the commands.
func (s *server) handlers() *exchange.Mux {
	m := &exchange.Mux{}
	handle(m, TypeCapture, func(o captureOrder) (any, error) {
		h, err := s.capture(o)
		if err != nil {
			return nil, err
		}
		if o.Notify != "" {
			_ = s.listen(h, o.Notify) // without it the user hears, as long as it lives
		}
		return h.word.now(), nil
	})
	handle(m, TypeNotify, func(o earOrder) (any, error) { return s.handOut(o) })
	handle(m, TypeListen, func(o earOrder) (any, error) {
		h, err := s.find(o.Key)
		if err != nil {
			return nil, err
		}
		return nil, s.listen(h, o.Path)
	})
	handle(m, TypeSaid, func(o saidOrder) (any, error) { return nil, s.noteSaid(o) })
	handle(m, TypeSpawn, func(o spawnOrder) (any, error) {
		h, err := s.spawn(o.Key, o.Spec)
		if err != nil {
			return nil, err
		}
		return h.word.now(), nil
	})
	handle(m, TypeList, func(o listOrder) (any, error) {
		s.door.KeepDead(o.Zombies)
		if !o.Notify {
			s.loseEars()
		}
		return listing{Pid: os.Getpid(), Speaks: Own(), Entries: s.list()}, nil
	})
	handle(m, TypeDrain, func(o keyOrder) (any, error) {
		h, err := s.drain(o.Key)
		if err != nil {
			return nil, err
		}
		return h.word.now(), nil
	})
	handle(m, TypeClear, func(o keyOrder) (any, error) { return nil, s.clear(o.Key) })
	handle(m, TypeForget, func(o keyOrder) (any, error) { return nil, s.forget(o.Key) })
	handle(m, TypeDropped, func(o keyOrder) (any, error) {
		n, err := s.dropped(o.Key)
		return droppedBytes{n}, err
	})
	return m
}
