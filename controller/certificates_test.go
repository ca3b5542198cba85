package controller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// issue makes a certificate that is signed by parent, or by itself.
func issue(t *testing.T, name string, parent *tls.Certificate, expires time.Time) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: expires,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	signer, signed := key, template
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		signer, signed = parent.PrivateKey.(*ecdsa.PrivateKey), parent.Leaf
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signed, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestCertificates(t *testing.T) {
	authority, foreign := issue(t, "authority", nil, time.Now().Add(time.Hour)), issue(t, "foreign", nil, time.Now().Add(time.Hour))
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	n := run(t, func(o *Options) {
		o.Authenticate = Certificates(pool)
		o.Access = Access{{Names: []string{"peer-*"}, Targets: []string{"billing"}}}
	})
	web := httptest.NewUnstartedServer(n.Handler())
	web.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert}
	web.StartTLS()
	t.Cleanup(func() { n.stop(); web.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	dial := func(target string, cert *tls.Certificate) *peer {
		conf := &tls.Config{RootCAs: roots}
		if cert != nil {
			conf.Certificates = []tls.Certificate{*cert}
		}
		return n.dial(target, "p", overWeb(web.URL, websocket.DialOptions{TLS: conf}))
	}
	good := issue(t, "peer-1", authority, time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		target string
		cert   *tls.Certificate
	}{
		"none":         {"billing", nil},
		"expired":      {"billing", issue(t, "peer-1", authority, time.Now().Add(-time.Hour))},
		"foreign":      {"billing", issue(t, "peer-1", foreign, time.Now().Add(time.Hour))},
		"another name": {"billing", issue(t, "stranger", authority, time.Now().Add(time.Hour))},
		"wrong target": {"orders", good},
	} {
		before := n.told(ConnectorRefused)
		p := dial(c.target, c.cert)
		n.until(name+" is refused", func() bool { return n.told(ConnectorRefused) > before })
		p.stop()
		if n.told(ChannelOpened) != 0 {
			t.Errorf("%s: got in", name)
		}
	}
	p := dial("billing", good)
	n.until("a good one gets in", p.connected)
	n.until("a good one is known", func() bool { return n.told(ChannelOpened) == 1 })
	n.echo("billing", Choice{})
}
