package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMajority: with one of three nodes away the others go on; with two, nothing
// is taken, and what was taken is not lost; when they come back, so does all.
func TestMajority(t *testing.T) {
	all := members(3, t.TempDir())
	engines := openAll(t, all)
	b := durable(t, engines[0])
	first := put(t, b, "first", "1", 0)

	engines[2].Close()
	second := put(t, b, "second", "2", 0)
	put(t, durable(t, engines[1]), "third", "3", 0)
	told := watching(t, b, "")
	expect(t, told, "first=1", "second=2", "third=3", "ready")

	engines[1].Close()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	refused := 0
	for refused == 0 { // what was on its way is taken or not
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		if _, err := b.Put(short, "never", nil, 1); errors.Is(err, ErrUnavailable) {
			refused++
		} else if err == nil {
			t.Fatal("taken without a majority")
		}
		cancel()
	}

	for _, i := range []int{1, 2} {
		e, err := OpenNATS(all[i])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		engines[i] = e
	}
	for i, e := range engines {
		if err := wait(e); err != nil {
			t.Fatal(err)
		}
		again := durable(t, e)
		for key, revision := range map[string]uint64{"first": first, "second": second} {
			if got, err := eventually(ctx, again, key); err != nil || got.Revision != revision {
				t.Errorf("node %d: %s = %+v, %v", i, key, got, err)
			}
		}
	}
	put(t, durable(t, engines[2]), "after", "4", Any)
	expect(t, told, "after=4") // the watch has survived it all
}

// eventually reads a key of a bucket whose leader may just be chosen.
func eventually(ctx context.Context, b Bucket, key string) (e Entry, err error) {
	for {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		e, err = b.Get(short, key)
		cancel()
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return e, err
		}
	}
}

// durable opens the bucket of a cluster of the test's own.
func durable(t *testing.T, e Engine) Bucket {
	t.Helper()
	b, err := e.Bucket(t.Context(), "durable", BucketOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestItSaysWhomItWaitsFor, and is ready when they come.
func TestItSaysWhomItWaitsFor(t *testing.T) {
	all := members(3, t.TempDir())
	first, err := OpenNATS(all[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Close)
	told := make(chan string, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		if err := first.Wait(ctx, func(missing string) { told <- missing }); err != nil {
			t.Error(err)
		}
	})
	if got, want := <-told, "waits for a majority of the 3 controllers of cluster east: there are c1"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := first.Bucket(short, "too-early", BucketOptions{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a bucket without a majority: %v", err)
	}
	openAll(t, all[1:])
	wg.Wait()
}

// TestNothingElseListens: a node of a cluster listens for routes only, one that
// is alone for nothing.
func TestNothingElseListens(t *testing.T) {
	before := listening(t)
	o := members(3, t.TempDir())[0]
	e, err := OpenNATS(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	openNATS(t, t.TempDir())
	var more []string
	for address := range listening(t) {
		if !before[address] {
			more = append(more, address)
		}
	}
	if len(more) != 1 || more[0] != o.Cluster.Listen {
		t.Errorf("%v is listened on, want %s only", more, o.Cluster.Listen)
	}
}

// listening are the TCP addresses that this process listens on.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	own := make(map[string]bool) // inodes of sockets
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("it needs /proc")
	}
	for _, f := range files {
		if link, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(link, "socket:[") {
			own[strings.Trim(link, "socket:[]")] = true
		}
	}
	all := make(map[string]bool)
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, _ := os.ReadFile(table)
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && own[f[9]] {
				all[address(f[1])] = true
			}
		}
	}
	return all
}

// address is an IPv4 address as the kernel's tables have it; another one stays as
// it is.
func address(hex string) string {
	var ip, port uint32
	if n, err := fmt.Sscanf(hex, "%8X:%4X", &ip, &port); n != 2 || err != nil || len(hex) != 13 {
		return hex
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", ip&0xff, ip>>8&0xff, ip>>16&0xff, ip>>24, port)
}

// TestRoutesAreSecured: nodes with certificates of servers join; one with the
// certificate of a connector of the same authority, or of another authority, or
// without any, does not.
func TestRoutesAreSecured(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	all := members(5, t.TempDir())
	for i := range all {
		all[i].Cluster.Routes = []string{all[0].Cluster.Listen, all[1].Cluster.Listen, all[2].Cluster.Listen}
		all[i].Cluster.TLS = ours.node(t, x509.ExtKeyUsageServerAuth, all[i].Cluster.Listen)
	}
	engines := openAll(t, all[:3])
	put(t, durable(t, engines[0]), "k", "v", 0)
	connector := ours.node(t, x509.ExtKeyUsageClientAuth, all[3].Cluster.Listen)
	stranger := others.node(t, x509.ExtKeyUsageServerAuth, all[3].Cluster.Listen)
	stranger.RootCAs = ours.pool // it trusts us
	for name, security := range map[string]*tls.Config{"a connector": connector, "a stranger": stranger, "nobody": {RootCAs: ours.pool}} {
		conf := security.Clone()
		conf.ServerName, _, _ = net.SplitHostPort(all[0].Cluster.Listen)
		if text := greeting(t, all[0].Cluster.Listen, conf); text != "" {
			t.Errorf("%s was let in: %q", name, text)
		}
	}
	friend := all[1].Cluster.TLS.Clone()
	friend.ServerName, _, _ = net.SplitHostPort(all[0].Cluster.Listen)
	if text := greeting(t, all[0].Cluster.Listen, friend); !strings.Contains(text, "PING") && !strings.Contains(text, "INFO") {
		t.Errorf("a node was answered %q", text)
	}
}

// greeting does what a route does first, and returns what it is told when the
// other side has seen who it is.
func greeting(t *testing.T, to string, conf *tls.Config) string {
	t.Helper()
	raw, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Client(raw, conf)
	_ = conn.SetDeadline(time.Now().Add(patient))
	if _, err := conn.Write([]byte("INFO {\"server_id\":\"X\",\"server_name\":\"x\",\"cluster\":\"east\"}\r\nPING\r\n")); err != nil {
		return ""
	}
	buf := make([]byte, 4096)
	n, _ := conn.Read(buf)
	return string(buf[:n])
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert, key, x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// node is what a node at an address shows and trusts.
func (a *authority) node(t *testing.T, usage x509.ExtKeyUsage, address string) *tls.Config {
	t.Helper()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: a.pool}
}
