package controller

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ws "github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// idleConnectors is how many there are at one time.
const idleConnectors = 10_000

// childIdle has a child process of these tests hold idle connections: the URL, a
// space, and their first message, if there is one.
const childIdle = "PEERD_TEST_IDLE"

// BenchmarkIdleConnectors measures what a connector costs a controller that it
// has said HELLO to: heap and stacks; its floor, the server's side of as many bare
// WebSockets, is floor-B/connector. The other sides are in another process, as
// one may not have descriptors enough for both.
func BenchmarkIdleConnectors(b *testing.B) {
	for b.Loop() {
		floor := memoryOf(b, httpEcho, "", func() {})
		c, _ := bench(b, false)
		hello := `t:COMMAND;;et:HELLO;;e:{"id":"h","type":"HELLO","payload":{"targetId":"t"}}`
		ours := memoryOf(b, c.Handler(), hello, func() {
			if n := c.registry.count(); n != idleConnectors {
				b.Errorf("%d channels, want %d", n, idleConnectors)
			}
		})
		b.ReportMetric(ours, "B/connector")
		b.ReportMetric(floor, "floor-B/connector")
	}
}

// memoryOf returns the bytes that each connection takes at a server; check is
// called while they are there.
func memoryOf(b *testing.B, server http.Handler, first string, check func()) float64 {
	b.Helper()
	var serving sync.WaitGroup
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving.Add(1)
		defer serving.Done()
		server.ServeHTTP(w, r)
	}))
	defer func() { web.Close(); serving.Wait() }()
	before := memory()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childIdle+"="+web.URL+"/exchange/controller "+first)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() { in.Close(); _ = cmd.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatalf("the connectors did not come: %q, %v", line, err)
	}
	check()
	return (memory() - before) / idleConnectors
}

// holdIdle opens the connections, says so, and holds them until the parent ends it.
func holdIdle(what string) error {
	url, first, _ := strings.Cut(what, " ")
	var mu sync.Mutex
	var conns []*ws.Conn // kept from the collector, which would close them
	var g errgroup.Group
	g.SetLimit(16)
	begun := time.Now()
	for range idleConnectors {
		g.Go(func() error {
			conn, _, err := ws.Dial(context.Background(), url, &ws.DialOptions{HTTPHeader: http.Header{websocket.ProtocolHeader: {"v1"}}})
			if err == nil && first != "" {
				if err = conn.Write(context.Background(), ws.MessageBinary, []byte(first)); err == nil {
					_, _, err = conn.Read(context.Background())
				}
			}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, conn)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Println(strconv.Itoa(len(conns)), "in", time.Since(begun))
	_, err := bufio.NewReader(os.Stdin).ReadString(0)
	runtime.KeepAlive(conns)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// memory is that of heap and stacks after a collection.
func memory() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}
