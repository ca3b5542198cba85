package cluster

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
)

// trouble is why servers elsewhere are not reached, or do not do what they are
// asked: the last reason, and what to do about it.
type trouble struct {
	log       hclog.Logger
	login     Login
	certified bool // the client has a certificate to show

	mu   sync.Mutex // guards all below
	last error
	told map[string]bool // reasons, since they were last reached
}

func newTrouble(o ExternalOptions) *trouble {
	certified := o.TLS != nil && len(o.TLS.Certificates) > 0
	return &trouble{log: o.Log, login: o.Login, certified: certified, told: make(map[string]bool)}
}

// maxTold bounds the reasons that are told of while the servers are not reached:
// attempts go on, and some reasons have the port of the attempt in them.
const maxTold = 16

// is takes in what went wrong. Attempts that fail for the same reason are told of
// once.
func (t *trouble) is(err error) {
	if err == nil {
		return
	}
	err = t.explain(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
	if text := err.Error(); !t.told[text] && len(t.told) < maxTold {
		t.told[text] = true
		t.log.Warn("the NATS servers are not reached as they should be", "error", err)
	}
}

// over takes in that they are reached again, or do what they are asked. Nil is no
// trouble.
func (t *trouble) over() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil {
		t.log.Info("the NATS servers are reached again")
	}
	t.last, t.told = nil, make(map[string]bool)
}

// why returns the reason that is known, else err. Of failed attempts to connect
// again some are not told of, but found at the client.
func (t *trouble) why(conn *nats.Conn, err error) error {
	if !conn.IsConnected() {
		t.is(conn.LastError())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil {
		return t.last
	}
	return err
}

// explain says what to do about an error of a connection. The keys are those of
// controller.cluster in a profile.
func (t *trouble) explain(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return t.unknown(err)
	case errors.As(err, &unknown):
		return fmt.Errorf("their certificate is of an authority that is not trusted: set tls.ca to that authority's (%w)", err)
	case errors.As(err, &name):
		return fmt.Errorf("their certificate is of another name than the url's: use one that it is of (%w)", err)
	case refusedCertificate(err):
		if t.certified {
			return fmt.Errorf("they refuse the certificate of this controller: set tls.cert and tls.key to one of an authority that they trust (%w)", err)
		}
		return fmt.Errorf("they want a certificate of this controller: set tls.cert and tls.key (%w)", err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("they do not speak TLS: let them, or take tls and tls:// away (%w)", err)
	case errors.Is(err, nats.ErrPermissionViolation):
		return fmt.Errorf("%s may not do all that a controller does: allow it all subjects of an account of its own (%w)", t.login, err)
	}
	return err
}

// refusedCertificate tells whether servers have closed a connection over the
// client's certificate, or that it has none. That comes after the handshake: as an
// alert, or the connection is just over.
func refusedCertificate(err error) bool {
	text := err.Error()
	return strings.Contains(text, "remote error: tls:") || strings.Contains(text, "closed by remote after TLS handshake")
}

// unknown is why the servers do not let this client in.
func (t *trouble) unknown(err error) error {
	if unreadable := t.login.check(); unreadable != nil {
		return unreadable
	}
	if t.login == (Login{}) {
		return fmt.Errorf("they want to know who this controller is: set credentials, nkey, or user and passwordFile (%w)", err)
	}
	return fmt.Errorf("they refuse %s: correct it here, or let it in there (%w)", t.login, err)
}
