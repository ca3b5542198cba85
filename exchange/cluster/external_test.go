package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// password is what no log and no error may have.
const password = "tell-nobody"

// theirs is a server of somebody else, with TLS and users, and the log of the
// engines that use it.
type theirs struct {
	t       *testing.T
	ca      *authority
	dir     string
	url     string
	server  *server.Server
	options *server.Options
	seeds   []string // secrets beside the password

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

// Write implements io.Writer.
func (x *theirs) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.log.Write(p)
}

// serverOf starts a server that shows a certificate, and wants what change sets.
func serverOf(t *testing.T, change func(*theirs, *server.Options)) *theirs {
	t.Helper()
	x := &theirs{t: t, ca: newAuthority(t), dir: t.TempDir()}
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: filepath.Join(x.dir, "theirs"), NoSigs: true,
		TLS: true, TLSTimeout: 10, AuthTimeout: 10, TLSConfig: x.ca.node(t, x509.ExtKeyUsageServerAuth, "127.0.0.1:0"),
	}
	o.TLSConfig.ClientCAs = x.ca.pool
	if change != nil {
		change(x, o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	x.server, x.options = s, o
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patient) {
		t.Fatal("the server elsewhere does not start")
	}
	x.url = "tls://" + s.Addr().String()
	return x
}

// file writes one to name in a Login.
func (x *theirs) file(name, text string) string {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return path
}

// open opens an engine of the server.
func (x *theirs) open(security *tls.Config, login Login) (*NATS, error) {
	x.t.Helper()
	e, err := OpenExternal(ExternalOptions{
		Node: "x1", Dir: filepath.Join(x.t.TempDir(), "x1"), URL: x.url, TLS: security, Login: login,
		Log: hclog.New(&hclog.LoggerOptions{Output: x, Level: hclog.Trace}),
	})
	if err == nil {
		x.t.Cleanup(e.Close)
	}
	return e, err
}

// waitsFor returns what an engine that is not let in says it waits for.
func (x *theirs) waitsFor(e *NATS, want string) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), patient)
	defer cancel()
	var all []string
	err := e.Wait(ctx, func(missing string) {
		all = append(all, missing)
		if strings.Contains(missing, want) {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		x.t.Errorf("Wait ended with %v, and told %q; want something of %q", err, all, want)
	}
	for _, one := range all {
		if strings.Contains(one, password) {
			x.t.Errorf("it tells the secret: %s", one)
		}
	}
	x.silent()
}

// silent checks that no secret is in the log.
func (x *theirs) silent() {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, secret := range append([]string{password}, x.seeds...) {
		if strings.Contains(x.log.String(), secret) {
			x.t.Errorf("a secret is in the log:\n%s", x.log.String())
		}
	}
}

// attempts counts the connections that the server has had.
func (x *theirs) attempts() uint64 {
	x.t.Helper()
	state, err := x.server.Varz(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	return state.TotalConnections
}

// told counts the lines of the log that have something.
func (x *theirs) told(what string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Count(x.log.String(), what)
}

// works checks that an engine comes up and keeps what it takes.
func (x *theirs) works(e *NATS) {
	x.t.Helper()
	if err := wait(e); err != nil {
		x.t.Fatal(err)
	}
	put(x.t, durable(x.t, e), "k", "v", Any)
	if answer, err := echoed(x.t, e); err != nil || answer != "hi" {
		x.t.Errorf("%q, %v", answer, err)
	}
	x.silent()
}

// echoed asks something of the engine's own node.
func echoed(t *testing.T, e *NATS) (string, error) {
	t.Helper()
	serve(t, e, "echo", func(_ context.Context, data []byte, _ func([]byte) error) ([]byte, error) { return data, nil })
	answer, err := e.Request(t.Context(), "echo", []byte("hi"), nil)
	return string(answer), err
}

// users lets in me, with a password.
func users(_ *theirs, o *server.Options) {
	o.Users = []*server.User{{Username: "me", Password: password}}
}

func TestServersElsewhereWithTLS(t *testing.T) {
	x := serverOf(t, nil)
	e, err := x.open(&tls.Config{RootCAs: x.ca.pool}, Login{})
	if err != nil {
		t.Fatal(err)
	}
	x.works(e)
	for name, security := range map[string]*tls.Config{"the system's authorities": nil, "another authority": {RootCAs: newAuthority(t).pool}} {
		t.Run(name, func(t *testing.T) {
			e, err := x.open(security, Login{})
			if err != nil {
				t.Fatal(err)
			}
			x.waitsFor(e, "at "+x.url+": their certificate is of an authority that is not trusted: set tls.ca")
		})
	}
}

func TestServersElsewhereThatWantACertificate(t *testing.T) {
	x := serverOf(t, func(_ *theirs, o *server.Options) { o.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert })
	e, err := x.open(x.ca.node(t, x509.ExtKeyUsageClientAuth, "127.0.0.1:0"), Login{})
	if err != nil {
		t.Fatal(err)
	}
	x.works(e)
	e, err = x.open(&tls.Config{RootCAs: x.ca.pool}, Login{})
	if err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "they want a certificate of this controller: set tls.cert and tls.key")
	stranger := newAuthority(t).node(t, x509.ExtKeyUsageClientAuth, "127.0.0.1:0")
	stranger.RootCAs = x.ca.pool
	// A client shows no certificate of an authority that the server has not named;
	// this one is stubborn.
	stranger.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &stranger.Certificates[0], nil
	}
	if e, err = x.open(stranger, Login{}); err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "they refuse the certificate of this controller")
}

// TestUsersOfServersElsewhere: who is not known, or with the wrong secret, is told
// so, and let in as soon as that has been put right.
func TestUsersOfServersElsewhere(t *testing.T) {
	x := serverOf(t, users)
	security := &tls.Config{RootCAs: x.ca.pool}
	e, err := x.open(security, Login{})
	if err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "they want to know who this controller is: set credentials, nkey, or user and passwordFile")

	secret := x.file("password", "wrong-"+password+"\n")
	login := Login{User: "me", PasswordFile: secret}
	if e, err = x.open(security, login); err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "they refuse user me with the password of "+secret+": correct it here, or let it in there")
	x.file("password", password+"\n") // no restart is needed
	x.works(e)

	if _, err := x.open(security, Login{User: "me", PasswordFile: secret + "-none"}); err == nil || !strings.Contains(err.Error(), secret+"-none") {
		t.Errorf("a password that cannot be read: %v", err)
	}
	if _, err := OpenExternal(ExternalOptions{Node: "x1", Dir: t.TempDir(), URL: "tls://me:" + password + "@" + x.url[6:]}); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("a password in the URL: %v", err)
	}
}

// TestAKeyOfServersElsewhere is a user that signs instead of telling a secret.
func TestAKeyOfServersElsewhere(t *testing.T) {
	ours, stranger := userKey(t), userKey(t)
	x := serverOf(t, func(x *theirs, o *server.Options) {
		x.seeds = []string{ours.seed, stranger.seed}
		o.Nkeys = []*server.NkeyUser{{Nkey: ours.public}}
	})
	security := &tls.Config{RootCAs: x.ca.pool}
	e, err := x.open(security, Login{Nkey: x.file("ours.nk", ours.seed+"\n")})
	if err != nil {
		t.Fatal(err)
	}
	x.works(e)
	foreign := x.file("stranger.nk", stranger.seed)
	if e, err = x.open(security, Login{Nkey: foreign}); err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "they refuse the nkey of "+foreign)
	if _, err := x.open(security, Login{Nkey: x.file("none.nk", "no seed")}); err == nil || !strings.Contains(err.Error(), "none.nk") {
		t.Errorf("what is no key: %v", err)
	}
}

type key struct {
	nkeys.KeyPair
	public, seed string
}

func userKey(t *testing.T) key { return newKey(t, nkeys.CreateUser) }

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) key {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return key{pair, public, string(seed)}
}

// TestCredentialsOfServersElsewhere are those of a user whom an account of the
// servers' operator has named.
func TestCredentialsOfServersElsewhere(t *testing.T) {
	operator, account, user := newKey(t, nkeys.CreateOperator), newKey(t, nkeys.CreateAccount), userKey(t)
	system := newKey(t, nkeys.CreateAccount)
	x := serverOf(t, func(x *theirs, o *server.Options) {
		x.seeds = []string{user.seed}
		resolver := &server.MemAccResolver{}
		for _, a := range []key{account, system} {
			claims := jwt.NewAccountClaims(a.public)
			if a == account {
				claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
			}
			text, err := claims.Encode(operator)
			if err != nil {
				t.Fatal(err)
			}
			if err := resolver.Store(a.public, text); err != nil {
				t.Fatal(err)
			}
		}
		o.TrustedKeys, o.AccountResolver, o.SystemAccount = []string{operator.public}, resolver, system.public
	})
	security := &tls.Config{RootCAs: x.ca.pool}
	creds := func(name string, by key) string {
		text, err := jwt.NewUserClaims(user.public).Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		file, err := jwt.FormatUserConfig(text, []byte(user.seed))
		if err != nil {
			t.Fatal(err)
		}
		return x.file(name, string(file))
	}
	e, err := x.open(security, Login{Credentials: creds("ours.creds", account)})
	if err != nil {
		t.Fatal(err)
	}
	x.works(e)
	foreign := creds("foreign.creds", newKey(t, nkeys.CreateAccount))
	if e, err = x.open(security, Login{Credentials: foreign}); err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "they refuse the credentials of "+foreign)
}

// TestAUserWhoMayNotEnough is told what is refused.
func TestAUserWhoMayNotEnough(t *testing.T) {
	x := serverOf(t, func(_ *theirs, o *server.Options) {
		o.Users = []*server.User{{Username: "me", Password: password, Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"nothing"}},
		}}}
	})
	e, err := x.open(&tls.Config{RootCAs: x.ca.pool}, Login{User: "me", PasswordFile: x.file("password", password)})
	if err != nil {
		t.Fatal(err)
	}
	x.waitsFor(e, "may not do all that a controller does: allow it all subjects of an account of its own")
}

// TestAUserWhoIsThrownOut, as the servers have got another password for it, is let
// in again when its file has that: it never gives up.
func TestAUserWhoIsThrownOut(t *testing.T) {
	x := serverOf(t, users)
	login := Login{User: "me", PasswordFile: x.file("password", password)}
	e, err := x.open(&tls.Config{RootCAs: x.ca.pool}, login)
	if err != nil {
		t.Fatal(err)
	}
	x.works(e)
	const other = "new-" + password
	changed := x.options.Clone()
	changed.Users = []*server.User{{Username: "me", Password: other}}
	if err := x.server.ReloadOptions(changed); err != nil {
		t.Fatal(err)
	}
	const refused = "they refuse user me"
	for before := x.attempts(); x.attempts() < before+4; { // a client gives up after two
		if e.conn.IsClosed() {
			t.Fatal("it has given up")
		}
	}
	x.file("password", other)
	x.works(e)
	if n := x.told(refused); n > 1 {
		t.Errorf("it told %d times why it is not let in", n)
	}
}
