package cluster

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// defaultReplicas is on how many nodes each bucket is. Of five nodes the two that
// fail can be two of its three: then a majority of the nodes is none of its own.
// On all five it survives any two, and a write waits for three disks.
const defaultReplicas = 3

// Membership makes an engine one of several, whose servers are joined by routes.
type Membership struct {
	Name   string   // of the cluster; the same on all nodes
	Listen string   // host:port where the other nodes reach this one
	Routes []string // host:port of all nodes; whether this one is among them makes no difference
	// Replicas is on how many of the nodes each bucket is: 3, which 0 means, or 5.
	Replicas int
	TLS      *tls.Config // this node's Certificates, and the RootCAs of the others'; nil: routes are in the clear
}

func (m Membership) check() error {
	host, port, err := net.SplitHostPort(m.Listen)
	switch {
	case m.Name == "" || strings.ContainsAny(m.Name, " \t\r\n"):
		return fmt.Errorf("%q is no name of a cluster", m.Name)
	case err != nil:
		return err
	case host == "" || port == "0":
		return fmt.Errorf("%s: a node of a cluster listens on a fixed host and port, as the others have to find it", m.Listen)
	case m.size() < 3 || m.size()%2 == 0:
		return fmt.Errorf("a cluster has 3 or 5 nodes, so that one or two of them may fail; with this one and its routes it has %d", m.size())
	case m.replicas()%2 == 0 || m.replicas() < 3 || m.replicas() > m.size():
		return fmt.Errorf("%d replicas cannot be kept: 3, or 5 of five nodes; this cluster has %d", m.replicas(), m.size())
	}
	return nil
}

// security is the TLS configuration of both ends of the routes: they check each
// other. Who joins has to show a certificate of a server, which connectors, that
// may be of the same authority, have not.
func (m Membership) security() *tls.Config {
	if m.TLS == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: m.TLS.Certificates,
		RootCAs: m.TLS.RootCAs, ClientCAs: m.TLS.RootCAs, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			intermediates := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				intermediates.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: m.TLS.RootCAs, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			})
			return err
		},
	}
}

// others are the routes but for this node's own, each once.
func (m Membership) others() []string {
	seen := []string{}
	for _, route := range m.Routes {
		if !m.isOwn(route) && !slices.Contains(seen, route) {
			seen = append(seen, route)
		}
	}
	return seen
}

// isOwn tells whether a route leads to this node: it has the port, and its host
// is an address of this machine that is listened on.
func (m Membership) isOwn(route string) bool {
	host, port, _ := net.SplitHostPort(m.Listen)
	to, at, err := net.SplitHostPort(route)
	switch {
	case err != nil || at != port:
		return false
	case to == host:
		return true
	}
	listen := net.ParseIP(host)
	found, _ := net.LookupIP(to) // one that is not found is another's
	return slices.ContainsFunc(found, func(ip net.IP) bool {
		return ip.Equal(listen) || listen.IsUnspecified() && local(ip)
	})
}

// local tells whether an address is one of this machine.
func local(ip net.IP) bool {
	all, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// size is how many nodes the cluster has.
func (m Membership) replicas() int { return cmp.Or(m.Replicas, defaultReplicas) }

func (m Membership) size() int { return len(m.others()) + 1 }
