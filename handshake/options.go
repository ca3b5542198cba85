package handshake

import (
	"context"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/seed-04209a44/peerd/exchange/stream"
)

// Keepalive, so that a component that no longer reads its socket is noticed.
const (
	keepaliveTime    = time.Minute // of the host; idle connections included
	keepaliveTimeout = time.Minute // a frozen component is cut off after both
	keepaliveMinTime = 10 * time.Second
)

type dialFunc = func(context.Context, string) (net.Conn, error)

// dialOptions of the host. go-plugin's own services are refused on this side,
// before they cost anything: its broker dies with the first stream, its stdio
// shares bytes out among clients, and its Shutdown stops the component hard.
func dialOptions(dialer dialFunc) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(dialer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithDisableServiceConfig(),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn,
			method string, streamer grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			if goPluginMethod(method) {
				return nil, errNotUsed
			}
			return streamer(ctx, desc, cc, method, opts...)
		}),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any,
			cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			if goPluginMethod(method) {
				return errNotUsed
			}
			return invoker(ctx, method, req, reply, cc, opts...)
		}),
	}
}

var errNotUsed = status.Error(codes.Unimplemented, "not used here")

func goPluginMethod(method string) bool { return strings.HasPrefix(method, "/plugin.") }

// serverOptions of a component: limits of its own and a keepalive policy that
// lets the host's pings through.
func serverOptions() []grpc.ServerOption {
	return append(stream.ServerOptions(stream.Options{}),
		grpc.MaxConcurrentStreams(16),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinTime, PermitWithoutStream: true}))
}
