package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
)

// Times of a connection to servers elsewhere.
const (
	reconnectWait   = 250 * time.Millisecond
	reconnectJitter = 250 * time.Millisecond
	pingInterval    = 5 * time.Second
	pingsOut        = 2
)

// ExternalOptions of an engine whose servers are elsewhere. Node, Dir and URL are
// required.
type ExternalOptions struct {
	Node     string       // name of this node; the same after a restart
	Dir      string       // marked as of this mode; nothing else is in it
	URL      string       // nats:// or tls:// addresses, separated by commas; no user or password
	TLS      *tls.Config  // nil: what the URL says, with the system's authorities
	Login    Login        // the zero value: the servers ask nobody who they are
	Replicas int          // of each bucket; default 3
	Log      hclog.Logger // why the servers are not reached, once for each reason; default none
}

// OpenExternal connects to NATS servers with JetStream that somebody else runs.
// It does not wait until they are there: Wait does, and says what it waits for.
// Refused, it goes on asking, and reads the files of Login anew each time. The
// user needs to be allowed all subjects of its account, which should be the
// controllers' own; a value is at most what the servers allow (1 MiB where nobody
// changed it).
func OpenExternal(o ExternalOptions) (*NATS, error) {
	switch {
	case o.Node == "" || o.Dir == "" || o.URL == "":
		return nil, errors.New("cannot open the engine: it needs the name of its node, a folder and a URL")
	case strings.Contains(o.URL, "@"): // it is shown to whoever asks what the engine waits for
		return nil, errors.New("cannot open the engine: its URL has a user or a password in it; those belong into a Login")
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	e := &NATS{node: o.Node, dir: o.Dir, replicas: o.Replicas, mark: mark{Mode: modeExternal, Node: o.Node}}
	if err := e.claim(); err != nil {
		return nil, fmt.Errorf("cannot open the engine: %w", err)
	}
	if e.replicas <= 0 {
		e.replicas = defaultReplicas
	}
	if err := e.reach(o); err != nil {
		e.Close()
		return nil, fmt.Errorf("cannot open the engine at %s: %w", o.URL, err)
	}
	return e, nil
}

// reach makes the client of servers elsewhere.
func (e *NATS) reach(o ExternalOptions) error {
	e.trouble = newTrouble(o)
	options := []nats.Option{
		nats.RetryOnFailedConnect(true), nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(pingsOut),
		// Who is refused twice may be let in when the servers, or the files, have
		// been put right: a client that had given up would have to be started anew.
		nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(*nats.Conn) { e.trouble.over() }),
		nats.ReconnectHandler(func(*nats.Conn) { e.trouble.over() }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { e.trouble.is(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { e.trouble.is(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { e.trouble.is(err) }),
	}
	if o.TLS != nil {
		options = append(options, nats.Secure(o.TLS))
	}
	login, err := o.Login.options()
	if err != nil {
		return err
	}
	return e.connect(o.URL, append(options, login...)...)
}
