package handshake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream"
)

// ErrNotLaunched is returned by Serve in a process that no peer launched.
var ErrNotLaunched = errors.New("this program is a component: peerd launches it, with what a profile says of it.\n" +
	"Name it under `components:` in a profile, then:  peerd run PROFILE")

// Serving is how a component serves its peer.
type Serving struct {
	// Accept gets the channel of each peer that attaches, one after the other
	// or at once, and returns when it is done with it; the channel ends then.
	Accept func(exchange.Channel)
	// Shutdown is called when a host stops its plugins the go-plugin way.
	Shutdown func()
	Versions []int // transport versions; default {1}
}

// Server is the component's side of the connection.
type Server struct {
	o        Serving
	out, err *os.File // the real ones

	grpc   *grpc.Server
	made   chan struct{} // closed when grpc is set and has its service
	served chan struct{} // closed when go-plugin has returned
	first  func()        // takes standard output and the environment back, once
}

// Serve prints the handshake line and serves peers until Close. Nothing may be
// printed to standard output before it. From its first call of Accept on,
// os.Stdout and os.Stderr are the process's own and the environment holds no
// trace of the handshake.
func Serve(o Serving) (*Server, error) {
	if os.Getenv(cookieKey) != cookieValue {
		return nil, ErrNotLaunched
	}
	if len(o.Versions) == 0 {
		o.Versions = defaultVersions
	}
	// Left over from a peer's own parent, these would turn on what no peer uses.
	for _, name := range []string{"PLUGIN_CLIENT_CERT", "PLUGIN_MULTIPLEX_GRPC", "PLUGIN_UNIX_SOCKET_GROUP"} {
		_ = os.Unsetenv(name)
	}

	s := &Server{o: o, out: os.Stdout, err: os.Stderr, made: make(chan struct{}), served: make(chan struct{})}
	s.first = sync.OnceFunc(s.takeBack)
	go func() {
		defer close(s.served)
		plugin.Serve(s.config())
	}()
	select {
	case <-s.made:
		return s, nil
	case <-s.served:
		return nil, fmt.Errorf("cannot listen in the folder %q that the peer gave", os.Getenv(envSocketDir))
	}
}

// Done is closed when nothing is served any more.
func (s *Server) Done() <-chan struct{} { return s.served }

// Close stops serving: it waits for the calls of Accept to return, for at most
// grace, and for what they sent to be on the wire. The socket is gone then.
func (s *Server) Close(grace time.Duration) {
	timer := time.AfterFunc(grace, s.grpc.Stop)
	defer timer.Stop()
	s.grpc.GracefulStop()
	<-s.served
}

func (s *Server) config() *plugin.ServeConfig {
	sets := make(map[int]plugin.PluginSet, len(s.o.Versions))
	for _, v := range s.o.Versions {
		sets[v] = plugin.PluginSet{pluginName: serverPlugin{server: s}}
	}
	return &plugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: cookieKey, MagicCookieValue: cookieValue},
		VersionedPlugins: sets,
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "handshake", Level: hclog.Error, Output: s.err}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			opts = append(opts, serverOptions()...)
			s.grpc = grpc.NewServer(append(opts, grpc.ChainUnaryInterceptor(s.softShutdown))...)
			return s.grpc
		},
	}
}

// softShutdown keeps go-plugin's Shutdown from cutting every stream: it is a
// request to stop like any other.
func (s *Server) softShutdown(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if info.FullMethod != "/plugin.GRPCController/Shutdown" {
		return handler(ctx, req)
	}
	if s.o.Shutdown != nil {
		s.o.Shutdown()
	}
	return &emptypb.Empty{}, nil
}

// accept is the handler of the one gRPC method.
func (s *Server) accept(_ context.Context, ch exchange.Channel) error {
	s.first()
	s.o.Accept(ch)
	return nil
}

// takeBack undoes what go-plugin did to the process: it put pipes in place of
// standard output and error, which nobody reads and which would block whoever
// prints 64 KiB.
func (s *Server) takeBack() {
	pipes := [...]*os.File{os.Stdout, os.Stderr}
	os.Stdout, os.Stderr = s.out, s.err
	for _, p := range pipes {
		if p != s.out && p != s.err {
			_ = p.Close()
		}
	}
	scrub()
}

// serverPlugin registers the one gRPC method.
type serverPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *Server
}

func (p serverPlugin) GRPCServer(_ *plugin.GRPCBroker, g *grpc.Server) error {
	stream.Register(g, stream.Options{}, p.server.accept)
	close(p.server.made)
	return nil
}

func (serverPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a component connects to nobody")
}
