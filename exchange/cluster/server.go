package cluster

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Limits of the embedded server.
const (
	defaultMaxMemory = 1 << 30
	defaultMaxStore  = 16 << 30
	startTimeout     = 30 * time.Second
	// A route that does not answer for routePings pings is cut, so that the
	// others know of a host that has gone without a word. A leader that hears nobody
	// is heard for as long, and only then another one is elected (see timing.go).
	routePing  = 1500 * time.Millisecond
	routePings = 2
)

// account is whose the buckets of a clustered engine are. The server's own
// account is for what servers tell each other.
const account = "peerd"

// embedded is a server in this process, and how a client gets into it.
type embedded struct {
	*server.Server
	log    *serverLog
	access []nats.Option
}

// startServer starts the server of an embedded engine and returns when it takes
// in clients of this process.
func startServer(o NATSOptions) (*embedded, error) {
	e := &embedded{log: &serverLog{Logger: o.Log, fatal: make(chan string, 1)}}
	opts := &server.Options{}
	if o.Cluster != nil {
		if err := e.join(opts, *o.Cluster); err != nil {
			return nil, err
		}
	}
	opts.ServerName, opts.NoSigs, opts.DisableJetStreamBanner = o.Node, true, true
	opts.DontListen = o.Cluster == nil
	opts.MaxPayload, opts.MaxPending = MaxValue+1<<20, 8*MaxValue
	opts.JetStream, opts.StoreDir, opts.SyncAlways = true, o.Dir, true
	opts.JetStreamMaxMemory = orDefault(o.MaxMemory, defaultMaxMemory)
	opts.JetStreamMaxStore = orDefault(o.MaxStore, defaultMaxStore)
	var err error
	if e.Server, err = server.NewServer(opts); err != nil {
		return nil, err
	}
	e.SetLoggerV2(e.log, false, false, false)
	e.Start()
	if err := e.started(o.Cluster != nil); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// noPort is a port that there is not. The server opens its routes only after it
// has tried to listen for clients; nobody but this process shall be one, so it is
// made to try in vain.
const noPort = 1 << 16

// join sets what makes a server one of several.
func (e *embedded) join(opts *server.Options, m Membership) error {
	secret := rand.Text()
	// Accounts that were built by hand have broken clusters; this is the way they
	// are known to work. The password never leaves the process.
	err := opts.ProcessConfigString(fmt.Sprintf(`
accounts {
  %s { jetstream: enabled, users: [{user: %s, password: %s}] }
  SYS {}
}
system_account: SYS`, account, account, secret))
	if err != nil {
		return err
	}
	e.access = []nats.Option{nats.UserInfo(account, secret)}
	host, port, err := net.SplitHostPort(m.Listen)
	if err != nil {
		return err
	}
	opts.Host, opts.Port = "127.0.0.1", noPort
	opts.Cluster.Name, opts.Cluster.Host = m.Name, host
	if opts.Cluster.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	opts.Cluster.NoAdvertise = true // of clients' addresses
	opts.Cluster.PingInterval, opts.Cluster.MaxPingsOut = routePing, routePings
	opts.Cluster.TLSConfig, opts.Cluster.TLSTimeout = m.security(), 5
	// The number of routes is how many nodes the first election waits for: all
	// but one, which of an odd number is as good as all.
	for _, address := range m.others() {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: address})
	}
	return nil
}

// started waits until the server is ready, or has failed.
func (e *embedded) started(routed bool) error {
	if !routed {
		if !e.ReadyForConnections(startTimeout) {
			return fmt.Errorf("not ready after %v", startTimeout)
		}
		return nil
	}
	deadline, poll := time.NewTimer(startTimeout), time.NewTicker(5*time.Millisecond)
	defer deadline.Stop()
	defer poll.Stop()
	for e.ClusterAddr() == nil {
		select {
		case why := <-e.log.fatal:
			return fmt.Errorf("%s", why)
		case <-poll.C:
		case <-deadline.C:
			return fmt.Errorf("not ready after %v", startTimeout)
		}
	}
	return nil
}

func (e *embedded) stop() {
	e.Shutdown()
	e.WaitForShutdown()
}

func orDefault(n, otherwise int64) int64 {
	if n <= 0 {
		return otherwise
	}
	return n
}

// serverLog is the log of the server.
type serverLog struct {
	hclog.Logger
	fatal chan string // the first reason why it cannot go on
}

func (l *serverLog) Noticef(format string, v ...any) { l.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLog) Warnf(format string, v ...any)   { l.Warn(fmt.Sprintf(format, v...)) }
func (l *serverLog) Errorf(format string, v ...any)  { l.Error(fmt.Sprintf(format, v...)) }
func (l *serverLog) Debugf(format string, v ...any)  { l.Trace(fmt.Sprintf(format, v...)) }
func (l *serverLog) Tracef(format string, v ...any)  { l.Trace(fmt.Sprintf(format, v...)) }

// Fatalf is told of what the server cannot go on with. That it has no port for
// clients is as it should be.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, strconv.Itoa(noPort)) {
		return
	}
	l.Error(text)
	select {
	case l.fatal <- text:
	default:
	}
}
