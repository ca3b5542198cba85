package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream/internal/exchangepb"
)

// Accept uses one channel until it ends; ctx ends with the stream. What it
// returns becomes the stream's status.
type Accept func(ctx context.Context, ch exchange.Channel) error

// Service is the serving side, registered on a gRPC server.
type Service struct {
	exchangepb.UnimplementedExchangeServer
	o      Options
	accept Accept
	wg     sync.WaitGroup
}

// Register adds the exchange to s, which must have been made with ServerOptions
// of the same Options. accept is called for each channel, in a goroutine of its own.
func Register(s grpc.ServiceRegistrar, o Options, accept Accept) *Service {
	service := &Service{o: o, accept: accept}
	exchangepb.RegisterExchangeServer(s, service)
	return service
}

// Wait blocks until every Accept has returned. Call it after the server has
// stopped: a closed stream ends before its Accept does.
func (s *Service) Wait() { s.wg.Wait() }

// Channel implements the gRPC method.
func (s *Service) Channel(stream exchangepb.Exchange_ChannelServer) error {
	c := &serverChannel{half: newHalf(s.o, stream.Send), stream: stream}
	ended := make(chan error, 1)
	s.wg.Go(func() { ended <- s.accept(stream.Context(), c) })
	select {
	case err := <-ended:
		return err
	case <-c.closed:
	}
	// Only by returning can a Recv or Send that still blocks be ended. A Send
	// that goes on gets its chance; later ones see that the channel is closed.
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case c.sending <- struct{}{}:
	case <-grace.C:
	}
	return nil
}

type serverChannel struct {
	half
	stream exchangepb.Exchange_ChannelServer
}

// Recv implements exchange.Channel.
func (c *serverChannel) Recv() (exchange.Frame, error) {
	m, err := c.stream.Recv()
	switch {
	case c.isClosed():
		return exchange.Frame{}, exchange.ErrClosed
	case errors.Is(err, io.EOF):
		return exchange.Frame{}, io.EOF
	case err != nil:
		return exchange.Frame{}, fmt.Errorf("stream: %w", err)
	}
	return fromProto(m), nil
}

// Close implements exchange.Channel: it lets the gRPC method return, after
// what was sent before.
func (c *serverChannel) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
