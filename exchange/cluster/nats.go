package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Limits of the embedded server.
const (
	defaultMaxMemory = 1 << 30
	defaultMaxStore  = 16 << 30
	startTimeout     = 30 * time.Second
	// markerTTL is how long the marker of a deleted key is kept, for watchers
	// that come back after a short loss.
	markerTTL = time.Minute
)

// NATSOptions of an embedded engine. Node and Dir are required.
type NATSOptions struct {
	Node      string       // name of this node; the same after a restart
	Dir       string       // where the durable buckets are; one engine at a time
	MaxMemory int64        // bytes of all buckets in memory; default 1 GiB
	MaxStore  int64        // bytes of all durable buckets; default 16 GiB
	Log       hclog.Logger // of the server; default none
}

// NATS is an embedded NATS server with JetStream and the client to it.
type NATS struct {
	node   string
	lock   *lock
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	close  sync.Once
}

// OpenNATS starts the engine in this process; it listens nowhere.
func OpenNATS(o NATSOptions) (*NATS, error) {
	if o.Node == "" || o.Dir == "" {
		return nil, errors.New("cannot open the engine: it needs the name of its node and a folder")
	}
	l, err := claim(o.Dir, modeLocal)
	if err != nil {
		return nil, fmt.Errorf("cannot open the engine: %w", err)
	}
	e := &NATS{node: o.Node, lock: l}
	if err := e.start(o); err != nil {
		e.Close()
		return nil, fmt.Errorf("cannot open the engine in %s: %w", o.Dir, err)
	}
	return e, nil
}

func (e *NATS) start(o NATSOptions) error {
	var err error
	e.server, err = server.NewServer(&server.Options{
		ServerName: o.Node, DontListen: true, NoSigs: true,
		MaxPayload: MaxValue + 1<<20, MaxPending: 8 * MaxValue,
		JetStream: true, StoreDir: o.Dir, SyncAlways: true, DisableJetStreamBanner: true,
		JetStreamMaxMemory: orDefault(o.MaxMemory, defaultMaxMemory),
		JetStreamMaxStore:  orDefault(o.MaxStore, defaultMaxStore),
	})
	if err != nil {
		return err
	}
	if o.Log != nil {
		e.server.SetLoggerV2(serverLog{o.Log}, false, false, false)
	}
	e.server.Start()
	if !e.server.ReadyForConnections(startTimeout) {
		return fmt.Errorf("not ready after %v", startTimeout)
	}
	if e.conn, err = nats.Connect("", nats.InProcessServer(e.server), nats.Name(o.Node)); err != nil {
		return err
	}
	e.js, err = jetstream.New(e.conn)
	return err
}

func orDefault(n, otherwise int64) int64 {
	if n <= 0 {
		return otherwise
	}
	return n
}

// Close ends the engine and everything that uses it. It is idempotent.
func (e *NATS) Close() {
	e.close.Do(func() {
		if e.conn != nil {
			e.conn.Close()
		}
		if e.server != nil {
			e.server.Shutdown()
			e.server.WaitForShutdown()
		}
		e.lock.release()
	})
}

// Node implements Engine.
func (e *NATS) Node() string { return e.node }

// Bucket implements Engine.
func (e *NATS) Bucket(ctx context.Context, name string, o BucketOptions) (Bucket, error) {
	// The layout is that of a NATS key-value bucket, so that its tools can read
	// it, but without direct reads: those may be stale.
	conf := jetstream.StreamConfig{
		Name: "KV_" + name, Subjects: []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DenyDelete: true, AllowRollup: true,
		AllowMsgTTL: true, SubjectDeleteMarkerTTL: markerTTL, AllowDirect: false,
		Storage: jetstream.MemoryStorage,
	}
	if o.Durable {
		conf.Storage = jetstream.FileStorage
	}
	if _, err := e.js.CreateStream(ctx, conf); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil, fmt.Errorf("cannot make bucket %s: %w", name, err)
	}
	kv, err := e.js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot open bucket %s: %w", name, err)
	}
	return &natsBucket{kv: kv, js: e.js, subject: "$KV." + name + ".", ttl: o.TTL}, nil
}

// failureHeader marks an answer that is the text of an error.
const failureHeader = "Failure"

// Serve implements Engine.
func (e *NATS) Serve(ctx context.Context, subject string, answer func(context.Context, []byte) ([]byte, error)) error {
	var wg sync.WaitGroup
	sub, err := e.conn.Subscribe(encodeKey(subject), func(m *nats.Msg) {
		wg.Go(func() {
			reply := nats.NewMsg(m.Reply)
			var err error
			if reply.Data, err = answer(ctx, m.Data); err != nil {
				reply.Data = []byte(err.Error())
				reply.Header.Set(failureHeader, "1")
			}
			_ = m.RespondMsg(reply) // it fails if the connection is over: then the one who asks knows
		})
	})
	if err != nil {
		return fmt.Errorf("cannot serve %s: %w", subject, err)
	}
	<-ctx.Done()
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	if err := sub.Drain(); err == nil {
		<-drained
	}
	wg.Wait()
	return nil
}

// Request implements Engine.
func (e *NATS) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	m, err := e.conn.RequestWithContext(ctx, encodeKey(subject), data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNobody
	case err != nil:
		return nil, err
	case m.Header.Get(failureHeader) != "":
		return nil, errors.New(string(m.Data))
	}
	return m.Data, nil
}

// serverLog is the log of the server.
type serverLog struct{ hclog.Logger }

func (l serverLog) Noticef(format string, v ...any) { l.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Warnf(format string, v ...any)   { l.Warn(fmt.Sprintf(format, v...)) }
func (l serverLog) Errorf(format string, v ...any)  { l.Error(fmt.Sprintf(format, v...)) }
func (l serverLog) Fatalf(format string, v ...any)  { l.Error(fmt.Sprintf(format, v...)) }
func (l serverLog) Debugf(format string, v ...any)  { l.Trace(fmt.Sprintf(format, v...)) }
func (l serverLog) Tracef(format string, v ...any)  { l.Trace(fmt.Sprintf(format, v...)) }
