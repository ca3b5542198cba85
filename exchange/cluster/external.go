package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

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
	Node        string      // name of this node; the same after a restart
	Dir         string      // marked as of this mode; nothing else is in it
	URL         string      // nats:// or tls:// addresses, separated by commas
	TLS         *tls.Config // nil: what the URL says, with the system's authorities
	Credentials string      // file of a NATS user (.creds); "": none
	Replicas    int         // of each bucket; default 3
}

// OpenExternal connects to NATS servers with JetStream that somebody else runs.
// It does not wait until they are there: Wait does. The user needs to be allowed
// all subjects of its account, which should be the controllers' own; a value is
// at most what the servers allow (1 MiB where nobody changed it).
func OpenExternal(o ExternalOptions) (*NATS, error) {
	if o.Node == "" || o.Dir == "" || o.URL == "" {
		return nil, errors.New("cannot open the engine: it needs the name of its node, a folder and a URL")
	}
	e := &NATS{node: o.Node, dir: o.Dir, replicas: o.Replicas, mark: mark{Mode: modeExternal, Node: o.Node}}
	if err := e.claim(); err != nil {
		return nil, fmt.Errorf("cannot open the engine: %w", err)
	}
	if e.replicas <= 0 {
		e.replicas = maxReplicas
	}
	options := []nats.Option{
		nats.RetryOnFailedConnect(true), nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(pingsOut),
	}
	if o.TLS != nil {
		options = append(options, nats.Secure(o.TLS))
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if err := e.connect(o.URL, options...); err != nil {
		e.Close()
		return nil, fmt.Errorf("cannot open the engine at %s: %w", o.URL, err)
	}
	return e, nil
}
