package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/internal/loopback"
)

// shared are the engines that all tests of the suite share, as a cluster takes a
// while to come up. They are opened when first asked for.
var shared struct {
	once      sync.Once
	dir       string
	engines   map[string]Engine
	nodes     []*NATS
	elsewhere *server.Server
	fault     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, e := range shared.nodes {
		e.Close()
	}
	if shared.elsewhere != nil {
		shared.elsewhere.Shutdown()
		shared.elsewhere.WaitForShutdown()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	if code == 0 {
		// The server keeps one for all of a process's life.
		if err := goleak.Find(goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.init.0.func1")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// each runs a test on every engine: the twin, a node that is alone, two nodes of
// a cluster, and servers elsewhere.
func each(t *testing.T, f func(t *testing.T, e Engine)) {
	t.Helper()
	shared.once.Do(openShared)
	if shared.fault != nil {
		t.Fatal(shared.fault)
	}
	for name, e := range shared.engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait for leases to expire
			f(t, e)
		})
	}
}

func openShared() {
	shared.dir, shared.fault = os.MkdirTemp("", "engines")
	if shared.fault != nil {
		return
	}
	shared.engines = map[string]Engine{"memory": NewMemory().Engine("one")}
	add := func(name string, open func() (*NATS, error)) {
		e, err := open()
		if err != nil {
			shared.fault = errors.Join(shared.fault, fmt.Errorf("%s: %w", name, err))
			return
		}
		shared.nodes = append(shared.nodes, e)
		shared.engines[name] = e
	}
	add("nats", func() (*NATS, error) {
		return OpenNATS(NATSOptions{Node: "one", Dir: filepath.Join(shared.dir, "nats")})
	})
	for _, o := range members(3, shared.dir) {
		add(o.Node, func() (*NATS, error) { return OpenNATS(o) })
	}
	delete(shared.engines, "c3") // the same as the others
	add("external", func() (e *NATS, err error) {
		if shared.elsewhere, err = elsewhere(shared.dir, server.RANDOM_PORT); err != nil {
			return nil, err
		}
		return OpenExternal(ExternalOptions{Node: "x1", Dir: filepath.Join(shared.dir, "x1"), URL: shared.elsewhere.ClientURL()})
	})
	for _, e := range shared.nodes {
		if err := wait(e); err != nil {
			shared.fault = errors.Join(shared.fault, err)
		}
	}
}

// patient is how long a test waits for what has to come.
const patient = 2 * time.Minute

func wait(e *NATS) error {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	return e.Wait(ctx, func(string) {})
}

// members are the options of the n nodes of a cluster, with folders in dir.
func members(n int, dir string) (all []NATSOptions) {
	routes := loopback.Addresses(n)
	for i := range n {
		name := fmt.Sprint("c", i+1)
		all = append(all, NATSOptions{
			Node: name, Dir: filepath.Join(dir, name),
			Cluster: &Membership{Name: "east", Listen: routes[i], Routes: routes},
		})
	}
	return all
}

// elsewhere is a server that somebody else runs.
func elsewhere(dir string, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: filepath.Join(dir, "elsewhere"), NoSigs: true,
	})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(patient) {
		return nil, errors.New("the server elsewhere does not start")
	}
	return s, nil
}

func openNATS(t *testing.T, dir string) *NATS {
	t.Helper()
	e, err := OpenNATS(NATSOptions{Node: "one", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// buckets numbers the buckets, as tests share their engines.
var buckets atomic.Int64

// bucket opens a bucket of the test's own.
func bucket(t *testing.T, e Engine, o BucketOptions) Bucket {
	t.Helper()
	b, err := e.Bucket(t.Context(), fmt.Sprint("things-", buckets.Add(1)), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serve serves a subject until the test or stop ends it; it is served when it
// returns. It is the test's own: what is served no more may seem to be, for a
// moment, on another node.
func serve(t *testing.T, e Engine, subject string, answer Answer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.Serve(ctx, subject, func(ctx context.Context, data []byte, part func([]byte) error) ([]byte, error) {
			if string(data) == "are you there?" {
				return nil, nil
			}
			return answer(ctx, data, part)
		}); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	for {
		if _, err := e.Request(t.Context(), subject, []byte("are you there?"), nil); !errors.Is(err, ErrNobody) {
			return stop
		}
	}
}
