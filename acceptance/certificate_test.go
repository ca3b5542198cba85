//go:build linux

package acceptance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// authority signs certificates of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = template, newKey(t)
	a.cert = a.parse(a.sign(template, a.key))
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(template *x509.Certificate, of *ecdsa.PrivateKey) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &of.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func (a *authority) parse(der []byte) *x509.Certificate {
	a.t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// issue makes a certificate of a name that ends at a time, for both roles.
func (a *authority) issue(name string, until time.Time) (certPEM, keyPEM []byte) {
	a.t.Helper()
	key := newKey(a.t)
	der := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, key)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", raw)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// secured runs a controller that wants certificates of ca: billing-* may be
// connectors of billing, ops may send anything to anybody.
func secured(t *testing.T, ca *authority) (c *peerd, address string) {
	t.Helper()
	c = prepare(t, `
controller:
  listen: 127.0.0.1:0
  tls: {ca: ca.pem, cert: controller.pem, key: controller.key}
  access:
    - {names: ["billing-*"], targets: [billing]}
    - {names: [ops], targets: ["*"], commands: ["*"]}
`)
	cert, key := ca.issue("controller", time.Now().Add(time.Hour))
	c.put("ca.pem", string(pemOf("CERTIFICATE", ca.cert.Raw)))
	c.put("controller.pem", string(cert))
	c.put("controller.key", string(key))
	c.run()
	c.ready()
	c.waitFor("the controller listens", func() bool { address = c.status().Controller.Listen; return address != "" })
	return c, address
}

// audit are the lines of the controller's log that tell of a refusal.
func (p *peerd) audit() (lines []string) {
	text, err := os.ReadFile(p.path("peerd.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "connector.refused") || strings.Contains(line, "command.refused") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestCertificatesOfConnectors: who has not proven to be somebody who may, is
// refused with one line in the log, and has no effect.
func TestCertificatesOfConnectors(t *testing.T) {
	t.Parallel()
	ca, foreign := newAuthority(t, "ours"), newAuthority(t, "theirs")
	c, address := secured(t, ca)
	later := time.Now().Add(time.Hour)
	for _, attempt := range []struct {
		name   string
		by     *authority
		cn     string
		until  time.Time
		target string
		audit  string // what its line says; "" is let in
	}{
		{"none", nil, "", later, "billing", "no certificate"},
		{"expired", ca, "billing-1", time.Now().Add(-time.Hour), "billing", "expired"},
		{"foreign", foreign, "billing-1", later, "billing", "certificate"},
		{"another's target", ca, "billing-1", later, "shipping", "shipping"},
		{"another's name", ca, "shipping-1", later, "billing", "billing"},
		{"good", ca, "billing-1", later, "billing", ""},
	} {
		before := len(c.audit())
		conf := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
		conf.RootCAs.AddCert(ca.cert)
		if attempt.by != nil {
			cert, err := tls.X509KeyPair(attempt.by.issue(attempt.cn, attempt.until))
			if err != nil {
				t.Fatal(err)
			}
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
		err := joinOnce(t.Context(), "https://"+address, conf, attempt.target)
		if (err == nil) != (attempt.audit == "") {
			t.Errorf("%s: %v", attempt.name, err)
		}
		if attempt.audit == "" {
			continue
		}
		c.waitFor(attempt.name+" has its line", func() bool { return len(c.audit()) > before })
		if lines := c.audit()[before:]; len(lines) != 1 || !strings.Contains(lines[0], attempt.audit) {
			t.Errorf("%s: the audit is %q, want one line with %q", attempt.name, lines, attempt.audit)
		}
		if s := c.status().Controller; s.Targets != 0 {
			t.Errorf("%s: %+v", attempt.name, s)
		}
	}
}

// joinOnce says HELLO once; nil is that it was welcome.
func joinOnce(ctx context.Context, url string, conf *tls.Config, target string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ch, err := websocket.Dial(ctx, url, websocket.DialOptions{TLS: conf})
	if err != nil {
		var refused *websocket.StatusError
		if errors.As(err, &refused) && refused.Code != http.StatusUnauthorized {
			return errors.Join(errors.New("not the status of a refusal"), err)
		}
		return err
	}
	defer ch.Close()
	hello, err := exchange.NewCommand(exchange.TypeHello, exchange.Hello{TargetID: target})
	if err != nil {
		return err
	}
	if err := ch.Send(exchange.Frame{Command: &hello}); err != nil {
		return err
	}
	f, err := ch.Recv()
	if err != nil {
		return err
	}
	return f.Reply.Err()
}

// TestCertificatesOfCallers: the same for those who command, and a whole peer
// that proves who it is.
func TestCertificatesOfCallers(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ours")
	c, address := secured(t, ca)
	later := time.Now().Add(time.Hour)
	for _, name := range []string{"ops", "billing-1"} {
		cert, key := ca.issue(name, later)
		c.put(name+".pem", string(cert))
		c.put(name+".key", string(key))
	}
	p := start(t, `
connector: {targetId: billing, endpoints: ["wss://`+address+`"], tls: {ca: `+c.path("ca.pem")+`, cert: `+c.path("billing-1.pem")+`, key: `+c.path("billing-1.key")+`}}
components: {plain: {command: [/bin/sleep, "600"]}}
`)
	p.running("plain")
	p.waitFor("it is connected", func() bool { return p.status().Connector.State == "connected" })
	pid := p.ps()["plain"].Pid
	as := func(name string, args ...string) []string {
		all := []string{"--controller", "https://" + address, "--target", "billing", "--ca", c.path("ca.pem")}
		if name != "" {
			all = append(all, "--cert", c.path(name+".pem"), "--key", c.path(name+".key"))
		}
		return append(all, args...)
	}
	for _, who := range []string{"", "billing-1"} {
		before := len(c.audit())
		c.refused(6, "", as(who, "restart", "plain")...)
		if lines := c.audit()[before:]; len(lines) != 1 {
			t.Errorf("%q: the audit is %q", who, lines)
		}
		c.refused(6, "", as(who, "targets")...)
	}
	c.refused(6, "not trusted", "--controller", "https://"+address, "--target", "billing", "ps")
	if now := p.ps()["plain"].Pid; now != pid {
		t.Errorf("a caller who was refused had an effect: pid %d, then %d", pid, now)
	}
	c.must(as("ops", "restart", "plain")...)
	if h := p.must("history", "plain", "-o", "json"); !strings.Contains(h, "controller "+address+" for ops") {
		t.Errorf("who it was is not in the history: %s", h)
	}
	if out := c.must(as("ops", "targets")...); !strings.Contains(out, "billing") {
		t.Errorf("targets: %s", out)
	}
}
