package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream/internal/exchangepb"
)

// Open opens a channel on conn, which stays the caller's. ctx bounds the opening
// only; the channel lives until it is closed by either side. That Open succeeds
// does not prove that the other side answers: only a reply does.
func Open(ctx context.Context, conn grpc.ClientConnInterface, o Options) (exchange.Channel, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, cancel)
	limit := o.maxMessage() + recvSlack
	s, err := exchangepb.NewExchangeClient(conn).Channel(life, grpc.MaxCallRecvMsgSize(limit), grpc.MaxCallSendMsgSize(limit))
	if !release() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("cannot open a channel: %w", err)
	}
	return &clientChannel{half: newHalf(o, s.Send), stream: s, life: life, cancel: cancel}, nil
}

type clientChannel struct {
	half
	stream   exchangepb.Exchange_ChannelClient
	life     context.Context
	cancel   context.CancelFunc
	halfShut atomic.Bool
}

// Send implements exchange.Channel.
func (c *clientChannel) Send(f exchange.Frame) error {
	err := c.half.Send(f)
	if c.isClosed() {
		c.closeSend() // Close found this Send in progress
	}
	return err
}

// Recv implements exchange.Channel.
func (c *clientChannel) Recv() (exchange.Frame, error) {
	for {
		m, err := c.stream.Recv()
		if err == nil && !c.isClosed() {
			return fromProto(m), nil
		}
		if err == nil {
			continue // what is on its way when we have closed is of no interest
		}
		c.cancel()
		switch {
		case c.isClosed():
			return exchange.Frame{}, exchange.ErrClosed
		case errors.Is(err, io.EOF):
			return exchange.Frame{}, io.EOF
		}
		return exchange.Frame{}, fmt.Errorf("stream: %w", err)
	}
}

// Close implements exchange.Channel. What was sent before still arrives: the
// stream is half-closed, and cut only if the other side does not end it in time.
func (c *clientChannel) Close() error {
	c.once.Do(func() {
		close(c.closed)
		cut := time.AfterFunc(closeGrace, c.cancel)
		context.AfterFunc(c.life, func() { cut.Stop() })
		c.closeSend()
	})
	return nil
}

// closeSend half-closes, unless a Send is in progress: that then does it.
func (c *clientChannel) closeSend() {
	select {
	case c.sending <- struct{}{}:
	default:
		return
	}
	defer func() { <-c.sending }()
	if c.halfShut.CompareAndSwap(false, true) {
		_ = c.stream.CloseSend() // never fails; the stream's end is told by Recv
	}
}
