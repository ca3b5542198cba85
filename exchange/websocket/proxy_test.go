package websocket

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/seed-04209a44/peerd/exchange"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// proxy is a forward proxy that only does tunnels, for one user.
func proxy(t *testing.T, targets *[]string) *url.URL {
	t.Helper()
	var tunnels sync.WaitGroup
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "tunnels only", http.StatusMethodNotAllowed)
			return
		}
		if r.Header.Get("Proxy-Authorization") != "Basic YWRhOnNlY3JldA==" {
			http.Error(w, "who are you", http.StatusProxyAuthRequired)
			return
		}
		*targets = append(*targets, r.Host)
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		near, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		join := func(a, b net.Conn) {
			_, _ = io.Copy(a, b)
			a.Close()
			b.Close()
		}
		tunnels.Go(func() { join(near, far) })
		tunnels.Go(func() { join(far, near) })
	}))
	t.Cleanup(func() {
		web.Close()
		tunnels.Wait()
	})
	u, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("ada", "secret")
	return u
}

func TestProxy(t *testing.T) {
	var targets []string
	via := proxy(t, &targets)
	a := newAuthority(t)
	plain, _ := serve(t, ServerOptions{Accept: answer(testMux())})
	cert, key := a.issue(clientTemplate())
	conf, err := ClientTLS(TLSSettings{KeyStore: pemStore(t, cert, key), TrustStore: a.trust()})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{plain, serveTLS(t, a, "127.0.0.1")} {
		targets = nil
		c, err := Dial(ctx(t), url, DialOptions{TLS: conf, Proxy: http.ProxyURL(via)})
		if err != nil {
			t.Fatal(err)
		}
		e := exchange.NewEndpoint(c, exchange.Options{})
		go e.Run(context.Background())
		if r, err := e.Call(ctx(t), command(t, "ECHO", 1)); err != nil || string(r.Payload) != "1" {
			t.Errorf("%s: %+v, %v", url, r, err)
		}
		e.Close()
		<-e.Done()
		if len(targets) != 1 || !strings.HasSuffix(url, targets[0]) {
			t.Errorf("%s: tunnels to %v", url, targets)
		}
	}
	via.User = nil
	_, err = Dial(ctx(t), plain, DialOptions{Proxy: http.ProxyURL(via)})
	if err == nil || !strings.Contains(err.Error(), "407") {
		t.Errorf("without credentials: %v, want 407", err)
	}
}
