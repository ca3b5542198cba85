package websocket

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed-04209a44/peerd/exchange"
)

// authority signs certificates for the tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "authority"}})
	return a
}

// issue makes a key and its certificate, valid for an hour unless told otherwise.
func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func (a *authority) trust() Store {
	return Store{Content: base64.StdEncoding.EncodeToString(certPEM(a.cert))}
}

// pemStore and p12Store write a key store file.
func pemStore(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) Store {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := Store{Path: filepath.Join(t.TempDir(), "cert.pem"), KeyPath: filepath.Join(t.TempDir(), "key.pem")}
	write(t, s.Path, certPEM(cert))
	write(t, s.KeyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return s
}

func p12Store(t *testing.T, a *authority, cert *x509.Certificate, key *ecdsa.PrivateKey) Store {
	t.Helper()
	data, err := pkcs12.Modern.Encode(key, cert, []*x509.Certificate{a.cert}, "pass")
	if err != nil {
		t.Fatal(err)
	}
	s := Store{Type: PKCS12, Path: filepath.Join(t.TempDir(), "store.p12"), Password: "pass"}
	write(t, s.Path, data)
	return s
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveTLS starts a controller that wants client certificates of a's.
func serveTLS(t *testing.T, a *authority, name string) string {
	t.Helper()
	cert, key := a.issue(&x509.Certificate{DNSNames: []string{name}, IPAddresses: ips(name), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	conf, err := ServerTLS(TLSSettings{KeyStore: p12Store(t, a, cert, key), TrustStore: a.trust()})
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(ServerOptions{Accept: func(ctx context.Context, ch *Conn) { answer(testMux())(ctx, ch) }})
	web := httptest.NewUnstartedServer(server)
	web.Config.ErrorLog = quiet()
	web.TLS = conf
	web.StartTLS()
	t.Cleanup(func() {
		server.Close()
		web.Close()
	})
	return web.URL
}

func ips(name string) []net.IP {
	if ip := net.ParseIP(name); ip != nil {
		return []net.IP{ip}
	}
	return nil
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	client := func(a *authority, notAfter time.Time) Store {
		cert, key := a.issue(&x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return pemStore(t, cert, key)
	}
	later := time.Now().Add(time.Hour)
	good := client(ours, later)
	tests := []struct {
		name   string
		server string // the name in the controller's certificate
		s      TLSSettings
		ok     bool
	}{
		{"trusted both ways", "127.0.0.1", TLSSettings{KeyStore: good, TrustStore: ours.trust()}, true},
		{"no client certificate", "127.0.0.1", TLSSettings{TrustStore: ours.trust()}, false},
		{"foreign client certificate", "127.0.0.1", TLSSettings{KeyStore: client(theirs, later), TrustStore: ours.trust()}, false},
		{"expired client certificate", "127.0.0.1", TLSSettings{KeyStore: client(ours, time.Now().Add(-time.Hour)), TrustStore: ours.trust()}, false},
		{"controller not trusted", "127.0.0.1", TLSSettings{KeyStore: good, TrustStore: theirs.trust()}, false},
		{"trust of the system", "127.0.0.1", TLSSettings{KeyStore: good}, false},
		{"trust all", "elsewhere", TLSSettings{KeyStore: good, TrustAll: true}, true},
		{"other host", "elsewhere", TLSSettings{KeyStore: good, TrustStore: ours.trust()}, false},
		{"any host", "elsewhere", TLSSettings{KeyStore: good, TrustStore: ours.trust(), AnyHost: true}, true},
		{"any host, not trusted", "elsewhere", TLSSettings{KeyStore: good, TrustStore: theirs.trust(), AnyHost: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conf, err := ClientTLS(tt.s)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Dial(ctx(t), serveTLS(t, ours, tt.server), DialOptions{TLS: conf})
			if (err == nil) != tt.ok {
				t.Fatalf("Dial = %v, want success: %v", err, tt.ok)
			}
			if err != nil {
				return
			}
			defer c.Close()
			cmd := command(t, "ECHO", 1)
			if err := c.Send(exchange.Frame{Command: &cmd}); err != nil {
				t.Fatal(err)
			}
			if f, err := c.Recv(); err != nil || string(f.Reply.Payload) != "1" {
				t.Errorf("Recv = %+v, %v", f.Reply, err)
			}
		})
	}
}

func TestTLSVersion(t *testing.T) {
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.ErrorLog = quiet()
	web.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	web.StartTLS()
	defer web.Close()
	conf, err := ClientTLS(TLSSettings{TrustAll: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(ctx(t), web.URL, DialOptions{TLS: conf}); err == nil {
		t.Error("connected with TLS 1.2")
	}
}

func TestStoresThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("rubbish"))
	tests := map[string]TLSSettings{
		"missing file":         {KeyStore: Store{Path: file + "x"}},
		"rubbish PEM key":      {KeyStore: Store{Path: file}},
		"rubbish PEM trust":    {TrustStore: Store{Path: file}},
		"rubbish PKCS12 key":   {KeyStore: Store{Type: PKCS12, Path: file}},
		"rubbish PKCS12 trust": {TrustStore: Store{Type: PKCS12, Path: file}},
		"unknown type":         {TrustStore: Store{Type: "JKS", Path: file}},
		"content not base64":   {TrustStore: Store{Content: "%"}},
	}
	for name, s := range tests {
		if _, err := ClientTLS(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := ServerTLS(TLSSettings{}); err == nil {
		t.Error("a controller without key store: no error")
	}
}

func TestPKCS12TrustStore(t *testing.T) {
	a := newAuthority(t)
	data, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{a.cert}, "pass")
	if err != nil {
		t.Fatal(err)
	}
	conf, err := ClientTLS(TLSSettings{TrustStore: Store{Type: PKCS12, Content: base64.StdEncoding.EncodeToString(data), Password: "pass"}})
	if err != nil || conf.RootCAs == nil {
		t.Errorf("ClientTLS = %v, %v", conf, err)
	}
}

func clientTemplate() *x509.Certificate {
	return &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}
