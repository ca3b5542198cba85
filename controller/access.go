package controller

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// Identity is who a connector or a caller has proven to be.
type Identity struct {
	Name string // "" is anybody
	Data any    // of whoever authenticated it
}

// Rule allows something. Each of its patterns is a literal, or ends in "*" and
// matches what begins like it.
type Rule struct {
	Names    []string // of identities
	Targets  []string // a connector may join, or a caller may send to
	Commands []string // types that may be sent
}

// Access is an allow-list: with no rule everything is allowed, with any only
// what one of them allows.
type Access []Rule

// Join tells whether a connector may belong to a target.
func (a Access) Join(who Identity, target string) bool {
	return a.any(func(r Rule) bool { return matches(r.Names, who.Name) && matches(r.Targets, target) })
}

// Send tells whether a connector or a caller may send a command of a type to a
// target; for a connector it is its own target.
func (a Access) Send(who Identity, target, typ string) bool {
	return a.any(func(r Rule) bool {
		return matches(r.Names, who.Name) && matches(r.Targets, target) && matches(r.Commands, typ)
	})
}

func (a Access) any(allows func(Rule) bool) bool {
	return len(a) == 0 || slices.ContainsFunc(a, allows)
}

func matches(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(s, prefix)
		}
		return p == s
	})
}

// Certificates authenticates by client certificates of the given authorities:
// the identity's name is the certificate's common name, its data the
// certificate. Let the listener ask for certificates without verifying them
// (tls.RequestClientCert), so that each refusal is told to Options.Observe.
func Certificates(authorities *x509.CertPool) func(*http.Request) (Identity, error) {
	return func(r *http.Request) (Identity, error) {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return Identity{}, fmt.Errorf("no certificate: %w", websocket.ErrUnauthorized)
		}
		leaf := r.TLS.PeerCertificates[0]
		intermediates := x509.NewCertPool()
		for _, c := range r.TLS.PeerCertificates[1:] {
			intermediates.AddCert(c)
		}
		_, err := leaf.Verify(x509.VerifyOptions{
			Roots: authorities, Intermediates: intermediates,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			return Identity{}, fmt.Errorf("certificate of %q: %w (%w)", leaf.Subject.CommonName, err, websocket.ErrUnauthorized)
		}
		return Identity{Name: leaf.Subject.CommonName, Data: leaf}, nil
	}
}

// guard lets only commands through to m that the connector may send, and in a term
// that is not over.
func (c *Controller) guard(l *link, m *exchange.Mux) *exchange.Mux {
	if m == nil {
		return nil
	}
	return m.Guarded(func(cmd exchange.Command) error {
		err := c.mayAsk(l, cmd)
		if err != nil {
			c.event(Event{Kind: CommandRefused, Target: l.target, Channel: l.id, Identity: l.identity.Name, Term: cmd.Term, Detail: cmd.Type})
		}
		return err
	})
}

// mayAsk tells why a command of a connector is refused. That a term is over is
// what this node knows of it; a handler whose effect must not come twice keeps the
// highest term it has seen itself.
func (c *Controller) mayAsk(l *link, cmd exchange.Command) error {
	if len(c.o.Access) > 0 && !c.o.Access.Send(l.identity, l.target, cmd.Type) {
		return fmt.Errorf("not allowed: commands of type %s", cmd.Type)
	}
	if now := c.registry.termOf(l.target); cmd.Term != 0 && cmd.Term < now {
		return fmt.Errorf("term %d of target %q is over: term %d has begun", cmd.Term, l.target, now)
	}
	return nil
}

// termOf returns the term of a target, 0 if it has no primary.
func (r *registry) termOf(target string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.primaries[target].revision
}
