//go:build linux

package acceptance_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// putStore writes a PKCS12 file of a certificate and its key that the authority
// signs, and the file of its password.
func (p *peerd) putStore(ca *authority, name, password string) {
	p.t.Helper()
	certPEM, keyPEM := ca.issue(name, time.Now().Add(time.Hour))
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		p.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		p.t.Fatal(err)
	}
	store, err := pkcs12.Modern.Encode(pair.PrivateKey, leaf, nil, password)
	if err != nil {
		p.t.Fatal(err)
	}
	trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{ca.cert}, password)
	if err != nil {
		p.t.Fatal(err)
	}
	p.put("own.p12", string(store))
	p.put("trusted.p12", string(trust))
	p.put("password", password+"\n")
}

const stores = `{keyStore: {path: own.p12, passwordFile: password}, trustStore: {path: trusted.p12, passwordFile: password}}`

// Certificates in PKCS12 stores: the controller and the peer know each other by
// them; with a wrong password the peer says so, and goes on without a fleet.
func TestCertificatesInStores(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ours")
	c := prepare(t, "controller: {listen: 127.0.0.1:0, tls: "+stores+"}\n")
	c.putStore(ca, "controller", "changeit")
	c.run()
	c.ready()
	var address string
	c.waitFor("the controller listens", func() bool { address = c.status().Controller.Listen; return address != "" })
	p := prepare(t, "connector: {targetId: billing, endpoints: [\"wss://"+address+"\"], tls: "+stores+"}\ncomponents: {plain: {command: [/bin/sleep, \"600\"]}}\n")
	p.putStore(ca, "billing-1", "söme thing")
	p.put("password", "wrong-one")
	p.run()
	p.ready()
	p.running("plain")
	p.waitFor("it says what is wrong", func() bool { return strings.Contains(strings.Join(p.status().Degraded, " "), "key store") })
	if s := strings.Join(p.status().Degraded, " "); strings.Contains(s, "wrong-one") {
		t.Errorf("it tells the password: %s", s)
	}
	p.put("password", "söme thing")
	p.waitFor("it is connected", func() bool { return p.status().Connector.State == "connected" })
}
