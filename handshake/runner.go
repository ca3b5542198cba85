package handshake

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	goplugin "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
)

// pluginName is the one plugin in every set.
const pluginName = "ccp"

// runner shows go-plugin a process that is launched, watched and ended by
// others: all go-plugin ever reads of it is the handshake line.
type runner struct {
	process Process
	line    string
	closed  chan struct{}
	once    sync.Once
}

func newRunner(p Process, g greeting) *runner {
	return &runner{process: p, line: g.line() + "\n", closed: make(chan struct{})}
}

// close makes Wait return, so that go-plugin takes the process for ended.
func (r *runner) close() { r.once.Do(func() { close(r.closed) }) }

// Start has nothing to do: the process runs.
func (r *runner) Start(context.Context) error { return nil }

// Stdout is the handshake line, already read and checked.
func (r *runner) Stdout() io.ReadCloser { return io.NopCloser(strings.NewReader(r.line)) }

// Stderr is empty: go-plugin parses what it reads there and can be made to
// panic by it.
func (r *runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Wait returns when the process has ended or the connection was let go.
func (r *runner) Wait(context.Context) error {
	select {
	case <-r.process.Exited():
	case <-r.closed:
	}
	return nil
}

// Kill does nothing: ending processes is for the stop policy.
func (r *runner) Kill(context.Context) error { return nil }

// ID is the process id.
func (r *runner) ID() string { return strconv.Itoa(r.process.Pid()) }

// Name is used in go-plugin's logs only, which are off.
func (r *runner) Name() string { return pluginName }

// Diagnose knows nothing: the line was checked before.
func (r *runner) Diagnose(context.Context) string { return "" }

// PluginToHost leaves addresses as they are.
func (r *runner) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin leaves addresses as they are.
func (r *runner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// clientConfig closes every trap that go-plugin's defaults leave open.
func (h *Host) clientConfig(r *runner, dialer dialFunc) *plugin.ClientConfig {
	sets := make(map[int]plugin.PluginSet, len(h.versions()))
	for _, v := range h.versions() {
		sets[v] = plugin.PluginSet{pluginName: clientPlugin{}}
	}
	return &plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: cookieKey, MagicCookieValue: cookieValue},
		VersionedPlugins: sets,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, _ *exec.Cmd, dir string) (goplugin.Runner, error) {
			return r, os.Remove(dir) // made for each client; the component listens in Host.Dir itself
		},
		UnixSocketConfig:    &plugin.UnixSocketConfig{TempDir: h.Dir},
		StartTimeout:        h.timeout(),
		SkipHostEnv:         true,
		PluginLogBufferSize: 16,
		// Only level Off keeps go-plugin from parsing what it would log.
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
		GRPCDialOptions: dialOptions(dialer),
	}
}

// clientPlugin hands out the bare connection.
type clientPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (clientPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (clientPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, cc *grpc.ClientConn) (any, error) {
	return cc, nil
}
