package stream

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream/internal/exchangepb"
)

// ServiceName is the full name of the gRPC service.
const ServiceName = "peerd.exchange.v1.Exchange"

// DefaultMaxMessage is the default of Options.MaxMessage: 16 MiB.
const DefaultMaxMessage = 16 << 20

// recvSlack is how much more a receiver takes than a sender sends, so that it
// is the sender that refuses: on the receiving side it would end the stream.
const recvSlack = 64 << 10

// closeGrace bounds how long Close waits for a Send in progress, and for the
// other side to end the stream too.
const closeGrace = time.Second

// Options of a stream; the zero value is usable.
type Options struct {
	// MaxMessage is the largest encoded frame in bytes, in both directions. Both
	// sides should agree. Default DefaultMaxMessage.
	MaxMessage int
}

func (o Options) maxMessage() int {
	if o.MaxMessage > 0 {
		return o.MaxMessage
	}
	return DefaultMaxMessage
}

// ServerOptions returns what a gRPC server needs to take frames of that size.
func ServerOptions(o Options) []grpc.ServerOption {
	limit := o.maxMessage() + recvSlack
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(limit), grpc.MaxSendMsgSize(limit)}
}

// lock is a mutex that can be waited for beside other things.
type lock chan struct{}

// half is what both kinds of channel share: the sending direction.
type half struct {
	limit   int
	send    func(*exchangepb.Frame) error
	sending lock          // held during send
	closed  chan struct{} // Close was called
	once    sync.Once
}

func newHalf(o Options, send func(*exchangepb.Frame) error) half {
	return half{limit: o.maxMessage(), send: send, sending: make(lock, 1), closed: make(chan struct{})}
}

// Send implements exchange.Channel.
func (h *half) Send(f exchange.Frame) error {
	m := toProto(f)
	if n := proto.Size(m); n > h.limit {
		return fmt.Errorf("%w: %d bytes, at most %d", exchange.ErrTooLarge, n, h.limit)
	}
	select {
	case <-h.closed:
		return exchange.ErrClosed
	default:
	}
	select {
	case h.sending <- struct{}{}:
	case <-h.closed:
		return exchange.ErrClosed
	}
	defer func() { <-h.sending }()
	if err := h.send(m); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}

func (h *half) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}
