package controller

import (
	"fmt"
	"net/url"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// bareServers are NATS servers in a cluster and nothing else: what the figures of
// a fleet are held against.
func bareServers(b *testing.B, n int) (all []*server.Server) {
	b.Helper()
	for i := range n {
		o := &server.Options{ServerName: fmt.Sprint("bare-", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true}
		o.Cluster.Name, o.Cluster.Host, o.Cluster.Port = "bare", "127.0.0.1", server.RANDOM_PORT
		if i > 0 {
			o.Routes = []*url.URL{{Scheme: "nats", Host: all[0].ClusterAddr().String()}}
		}
		s, err := server.NewServer(o)
		if err != nil {
			b.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(patience) {
			b.Fatal("a bare server does not start")
		}
		b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		all = append(all, s)
	}
	for _, s := range all {
		poll(func() bool { return s.NumRoutes() >= n-1 })
	}
	return all
}

// bareClient is a client in the servers' process, as a controller's is.
func bareClient(b *testing.B, s *server.Server) *nats.Conn {
	b.Helper()
	c, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// bareRequest returns the nanoseconds of one request from a client of one server
// to a client of another.
func bareRequest(b *testing.B, servers int) float64 {
	b.Helper()
	all := bareServers(b, servers)
	near, far := bareClient(b, all[0]), bareClient(b, all[1])
	defer near.Close()
	defer far.Close()
	if _, err := far.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		b.Fatal(err)
	}
	poll(func() bool {
		_, err := near.Request("echo", nil, time.Second)
		return err == nil
	})
	const count = 5_000
	begun := time.Now()
	for range count {
		if _, err := near.Request("echo", []byte(payload), patience); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / count
}

// bareClients returns the bytes that each of count clients of a cluster takes, that
// listen for one subject each and are known to all servers, and the seconds until
// they are.
func bareClients(b *testing.B, servers, count int) (bytes, seconds float64) {
	b.Helper()
	all := bareServers(b, servers)
	before := memory()
	begun := time.Now()
	clients := make([]*nats.Conn, count)
	for i := range clients {
		clients[i] = bareClient(b, all[i%servers])
		if _, err := clients[i].SubscribeSync(fmt.Sprint("t.", i)); err != nil {
			b.Fatal(err)
		}
		if err := clients[i].Flush(); err != nil {
			b.Fatal(err)
		}
	}
	for _, s := range all {
		poll(func() bool { return s.NumSubscriptions() >= uint32(count) })
	}
	seconds = time.Since(begun).Seconds()
	runtime.GC()
	bytes = (memory() - before) / float64(count)
	for _, c := range clients {
		c.Close()
	}
	return bytes, seconds
}
