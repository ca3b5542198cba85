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

// window is how many commands may be in flight on one channel.
const window = 1024

// lonely is how long a keeper that holds nothing waits for somebody to attach.
const lonely = 5 * time.Second

// Serve answers on l until ctx ends, or until nothing is held and nobody is
// connected. It closes l.
func (k *Keeper) Serve(ctx context.Context, l *unix.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := make(chan struct{}, 1)
	k.onIdle(func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	var work sync.WaitGroup
	work.Go(func() { k.accept(ctx, l, &work) })
	first := time.NewTimer(lonely)
	defer first.Stop()
	wait := first.C
	for {
		select {
		case <-ctx.Done():
		case <-news:
		case <-wait:
		}
		if ctx.Err() == nil && !k.isIdle() {
			continue
		}
		cancel()
		err := l.Close()
		work.Wait()
		return errors.Join(ignoreCanceled(ctx.Err()), err)
	}
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (k *Keeper) onIdle(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.idle = f
}

// accept serves whoever connects, until l is closed.
func (k *Keeper) accept(ctx context.Context, l *unix.Listener, work *sync.WaitGroup) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, unix.ErrStranger):
			continue
		case err != nil:
			return
		}
		work.Go(func() { k.converse(ctx, conn) })
	}
}

// converse answers one user until its channel ends. The next one is heard when
// all that the one before has sent is done: what it finds then does not change
// behind its back.
func (k *Keeper) converse(ctx context.Context, conn *unix.Conn) {
	k.turn.Lock()
	defer k.turn.Unlock()
	e := exchange.NewEndpoint(conn, exchange.Options{Handlers: k.handlers(), Window: window})
	var telling sync.WaitGroup
	leave := k.attend(func(news Entry) { telling.Go(func() { tell(ctx, e, news) }) })
	_ = e.Run(ctx) // why it ended is of no matter: what is held stays held
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
func (k *Keeper) handlers() *exchange.Mux {
	m := &exchange.Mux{}
	handle(m, TypeCapture, func(o captureOrder) (any, error) {
		h, err := k.capture(o)
		if err != nil {
			return nil, err
		}
		return h.word.now(), nil
	})
	handle(m, TypeSpawn, func(o spawnOrder) (any, error) {
		h, err := k.spawn(o.Key, o.Spec)
		if err != nil {
			return nil, err
		}
		return h.word.now(), nil
	})
	handle(m, TypeList, func(struct{}) (any, error) { return listing{Pid: os.Getpid(), Speaks: Own(), Entries: k.list()}, nil })
	handle(m, TypeDrain, func(o keyOrder) (any, error) {
		h, err := k.drain(o.Key)
		if err != nil {
			return nil, err
		}
		return h.word.now(), nil
	})
	handle(m, TypeClear, func(o keyOrder) (any, error) { return nil, k.clear(o.Key) })
	handle(m, TypeForget, func(o keyOrder) (any, error) { return nil, k.forget(o.Key) })
	handle(m, TypeDropped, func(o keyOrder) (any, error) {
		n, err := k.dropped(o.Key)
		return droppedBytes{n}, err
	})
	return m
}

// handle registers do with its payload decoded.
func handle[T any](m *exchange.Mux, typ string, do func(T) (any, error)) {
	m.Handle(typ, func(_ context.Context, r *exchange.Request) (any, error) {
		var order T
		if err := r.Decode(&order); err != nil {
			return nil, err
		}
		return do(order)
	})
}
