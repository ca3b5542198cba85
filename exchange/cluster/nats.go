package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// markerTTL is how long the marker of a deleted key is kept, for watchers that
// come back after a short loss.
const markerTTL = time.Minute

// NATSOptions of an embedded engine. Node and Dir are required.
type NATSOptions struct {
	Node      string       // name of this node, without spaces; the same after a restart
	Dir       string       // where the durable buckets are; one engine at a time
	Cluster   *Membership  // of which cluster it is a node; nil: it is alone
	MaxMemory int64        // bytes of all buckets in memory; default 1 GiB
	MaxStore  int64        // bytes of all durable buckets; default 16 GiB
	Log       hclog.Logger // of the server; default none
}

// NATS is an engine of JetStream: of an embedded server that is alone, of one
// that is a node of a cluster, or of servers elsewhere.
type NATS struct {
	node     string
	mark     mark
	dir      string
	size     int         // nodes of the cluster; 0: not ours to say
	replicas int         // wanted of each bucket
	pending  atomic.Bool // there is something to restore
	lock     *lock
	server   *embedded // nil if it is elsewhere
	trouble  *trouble  // with servers elsewhere; nil: they are not
	conn     *nats.Conn
	asker    *asker
	js       jetstream.JetStream
	close    sync.Once
}

// OpenNATS starts the engine in this process. Alone it listens nowhere, as a
// node of a cluster for the routes of the others only. It does not wait for
// them: Wait does.
func OpenNATS(o NATSOptions) (*NATS, error) {
	if o.Node == "" || o.Dir == "" {
		return nil, errors.New("cannot open the engine: it needs the name of its node and a folder")
	}
	o = o.withDefaults()
	e := &NATS{node: o.Node, dir: o.Dir, replicas: 1, mark: mark{Mode: modeStandalone, Node: o.Node}}
	if o.Cluster != nil {
		if err := o.Cluster.check(); err != nil {
			return nil, fmt.Errorf("cannot open the engine: %w", err)
		}
		e.size, e.replicas = o.Cluster.size(), o.Cluster.replicas()
		e.mark = mark{Mode: modeClustered, Cluster: o.Cluster.Name, Node: o.Node}
	}
	if err := e.claim(); err != nil {
		return nil, fmt.Errorf("cannot open the engine: %w", err)
	}
	if err := e.start(o); err != nil {
		e.Close()
		return nil, fmt.Errorf("cannot open the engine in %s: %w", o.Dir, err)
	}
	return e, nil
}

func (o NATSOptions) withDefaults() NATSOptions {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	return o
}

// claim claims the folder, and sees whether there is something to restore.
func (e *NATS) claim() (err error) {
	if e.lock, err = claim(e.dir, e.mark); err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(e.dir, pendingFile))
	e.pending.Store(err == nil)
	return nil
}

func (e *NATS) start(o NATSOptions) (err error) {
	if e.server, err = startServer(o); err != nil {
		return err
	}
	if err := e.connect("", append(e.server.access, nats.InProcessServer(e.server))...); err != nil || o.Cluster == nil {
		return err
	}
	return e.answerPending()
}

// connect makes the client.
func (e *NATS) connect(url string, o ...nats.Option) (err error) {
	if e.conn, err = nats.Connect(url, append(o, nats.Name(e.node), nats.MaxReconnects(-1))...); err != nil {
		return err
	}
	if e.asker, err = newAsker(e.conn); err != nil {
		return err
	}
	e.js, err = jetstream.New(e.conn)
	return err
}

// Close ends the engine and everything that uses it. It is idempotent.
func (e *NATS) Close() {
	e.close.Do(func() {
		if e.conn != nil {
			e.conn.Close()
		}
		if e.server != nil {
			e.server.stop()
		}
		e.lock.release()
	})
}

// Node implements Engine.
func (e *NATS) Node() string { return e.node }

// bucketPrefix begins the name of a bucket's stream.
const bucketPrefix = "KV_"

// Bucket implements Engine. In a cluster every bucket is on disk, on as many
// nodes as hold a copy of all: one that were in memory would not be the same
// after a majority has been away.
func (e *NATS) Bucket(ctx context.Context, name string, o BucketOptions) (Bucket, error) {
	// The layout is that of a NATS key-value bucket, so that its tools can read
	// it, but without direct reads: those may be stale.
	conf := jetstream.StreamConfig{
		Name: bucketPrefix + name, Subjects: []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DenyDelete: true, AllowRollup: true,
		AllowMsgTTL: true, SubjectDeleteMarkerTTL: markerTTL, AllowDirect: false,
		Storage: jetstream.MemoryStorage, Replicas: e.replicas,
	}
	if o.Durable || e.mark.Mode != modeStandalone {
		conf.Storage = jetstream.FileStorage
	}
	if o.Durable {
		conf.Metadata = map[string]string{durableKey: "1"}
	}
	b := &natsBucket{js: e.js, subject: "$KV." + name + ".", ttl: o.TTL}
	err := e.patiently(ctx, func(ctx context.Context) (err error) {
		if b.stream, err = e.stream(ctx, conf); err == nil {
			b.kv, err = e.js.KeyValue(ctx, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open bucket %s: %w", name, err)
	}
	return b, nil
}

// stream opens a stream, and makes it if it is not there: a new one needs as many
// nodes as it has replicas.
func (e *NATS) stream(ctx context.Context, conf jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := e.js.Stream(ctx, conf.Name)
	switch {
	case err == nil:
		return s, e.grow(ctx, s)
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, err
	}
	if err := e.rollCall(ctx); err != nil {
		return nil, err
	}
	s, err = e.js.CreateStream(ctx, conf)
	switch {
	case hasCode(err, codeNoReplicas): // the servers elsewhere are one
		conf.Replicas = 1
		return e.js.CreateStream(ctx, conf)
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // somebody else makes it
		return nil, fmt.Errorf("%w yet: %w", ErrUnavailable, err)
	}
	return s, err
}

// grow puts a stream on the nodes that have come since it was made, once all of
// them are there. Until then it serves as it is: each node that opens it later
// tries again.
func (e *NATS) grow(ctx context.Context, s jetstream.Stream) error {
	conf := s.CachedInfo().Config
	if e.mark.Mode != modeClustered || conf.Replicas >= e.replicas || e.rollCall(ctx) != nil {
		return nil
	}
	conf.Replicas = e.replicas
	if _, err := e.js.UpdateStream(ctx, conf); err != nil && !errors.Is(explain(err), ErrUnavailable) {
		return fmt.Errorf("cannot put it on %d nodes: %w", e.replicas, err)
	}
	return nil
}
