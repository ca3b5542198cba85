package peer_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/peer"
)

// BenchmarkLaunch brings the sample component from an operator's start to
// COMPONENT_EXECUTION, journal and all, in turn with the floor: go-plugin
// alone launching the same binary up to the first answered call.
func BenchmarkLaunch(b *testing.B) {
	sample := buildSample(b)
	b.Run("keeper", func(b *testing.B) { benchmarkLaunch(b, sample, []string{"/proc/self/exe", "keeper"}) })
	b.Run("direct", func(b *testing.B) { benchmarkLaunch(b, sample) })
}

func benchmarkLaunch(b *testing.B, sample string, keepers ...[]string) {
	client := runPeer(b, sample, keepers)
	var ours, floor time.Duration
	for b.Loop() {
		begin := time.Now()
		act(b, client, control.OpStart)
		ours += time.Since(begin)
		act(b, client, control.OpStop)
		floor += bareLaunch(b, sample)
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "launch-µs")
	b.ReportMetric(float64(floor.Microseconds())/float64(b.N), "floor-µs")
	b.ReportMetric(float64(ours)/float64(floor), "ratio")
}

func buildSample(b *testing.B) string {
	sample := filepath.Join(b.TempDir(), "ccpcomponent")
	if out, err := exec.Command("go", "build", "-o", sample, "../samples/CCPComponent").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return sample
}

// runPeer runs a peer with one component that is not started yet.
func runPeer(b *testing.B, sample string, keepers [][]string) *api.Client {
	dir, err := os.MkdirTemp("", "pd")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	profile := filepath.Join(dir, "bench.yaml")
	text := "peer: {stateDir: " + dir + "/state, runtimeDir: " + dir + "/run}\n" +
		"components: {c: {command: [" + sample + "], ccp: true, enabled: false}}\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	ready := make(chan struct{})
	p, err := peer.New(peer.Options{Profile: profile, Keepers: keepers, Logger: hclog.NewNullLogger(), Ready: func() { close(ready) }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-ready
	client := api.NewClient(dir + "/run/peerd.sock")
	b.Cleanup(func() {
		client.Close()
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return client
}

func act(b *testing.B, client *api.Client, op string) {
	b.Helper()
	var out []control.Outcome
	req := control.ActRequest{Selection: control.Selection{Names: []string{"c"}}}
	if err := client.Call(b.Context(), op, req, &out); err != nil {
		b.Fatal(err)
	}
	if len(out) != 1 || out[0].Outcome == "failed" || out[0].Outcome == "timeout" {
		b.Fatalf("%s: %+v", op, out)
	}
}

// bareLaunch launches the sample by go-plugin alone and waits for its first
// answer.
func bareLaunch(b *testing.B, sample string) time.Duration {
	key, value, _ := strings.Cut((&handshake.Host{}).Env()[0], "=")
	begin := time.Now()
	c := plugin.NewClient(&plugin.ClientConfig{
		Cmd:              exec.Command(sample),
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: key, MagicCookieValue: value},
		VersionedPlugins: map[int]plugin.PluginSet{1: {}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	defer c.Kill()
	rpc, err := c.Client()
	if err != nil {
		b.Fatal(err)
	}
	if err := rpc.Ping(); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}
