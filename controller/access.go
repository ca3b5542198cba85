package controller

import (
	"context"
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

// guard lets only commands through to m that the connector may send.
func (c *Controller) guard(l *link, m *exchange.Mux) *exchange.Mux {
	if len(c.o.Access) == 0 || m == nil {
		return m
	}
	g := &exchange.Mux{Observe: m.Observe}
	g.HandleRest(func(ctx context.Context, req *exchange.Request) (any, error) {
		if !c.o.Access.Send(l.identity, l.target, req.Type) {
			c.event(Event{Kind: CommandRefused, Target: l.target, Channel: l.id, Identity: l.identity.Name, Detail: req.Type})
			return nil, fmt.Errorf("not allowed: commands of type %s", req.Type)
		}
		reply := m.Dispatch(ctx, req.Command, func(r exchange.Reply) error { return req.Progress(r.Payload) })
		if reply.Type == exchange.TypeUnknown {
			return nil, exchange.ErrUnknown
		}
		req.ReplyType = reply.Type
		return reply.Payload, reply.Err()
	})
	return g
}
