package peer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/internal/loopback"
)

// TestThreePeersAreOneController: by their profiles alone. The first was alone
// before, and says what to do about that.
func TestThreePeersAreOneController(t *testing.T) {
	routes := loopback.Addresses(3)
	body := func(i int) string {
		return fmt.Sprintf("controller: {listen: '127.0.0.1:0', cluster: {name: east, listen: '%s', routes: ['%s']}}\n"+
			"components: {a: {command: [/bin/sleep, '1000']}}\n", routes[i], strings.Join(routes, "', '"))
	}
	first := shortDir(t)
	store := filepath.Join(first, "state", "cluster")
	alone, stop := runNamed(t, first, "c1", "controller: {listen: '127.0.0.1:0'}\n")
	until(t, "it is alone", func() bool {
		s := status(t, alone).Controller
		return s.Cluster != nil && s.Cluster.Mode == "standalone" && s.Listen != ""
	})
	stop()

	refused, stop := runNamed(t, first, "c1", body(0))
	command := "ccpc cluster migrate --to clustered --node c1 --name east " + store
	until(t, "it refuses to mix", func() bool { return strings.Contains(strings.Join(status(t, refused).Degraded, ""), command) })
	stop()
	if _, err := cluster.Migrate(t.Context(), store, cluster.As{Mode: "clustered", Cluster: "east", Node: "c1"}); err != nil {
		t.Fatal(err)
	}

	clients := make([]*api.Client, 3)
	clients[0], _ = runNamed(t, first, "c1", body(0))
	until(t, "it says whom it waits for", func() bool {
		return strings.Contains(strings.Join(status(t, clients[0]).Degraded, ""), "waits for a majority of the 3 controllers of cluster east: there are c1")
	})
	for i := range 2 {
		clients[i+1], _ = runNamed(t, shortDir(t), fmt.Sprint("c", i+2), body(i+1))
	}
	for _, c := range clients {
		until(t, "it sees the peers of all three", func() bool {
			s := status(t, c)
			return s.Controller.Channels == 3 && len(s.Degraded) == 0 && slices.Equal(s.Controller.Cluster.There, []string{"c1", "c2", "c3"})
		})
	}
	var r control.SnapshotReply
	file := filepath.Join(first, "east.snapshot")
	if err := clients[1].Call(t.Context(), control.OpSnapshot, control.SnapshotRequest{Path: file}, &r); err != nil || len(r.Buckets) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := clients[1].Call(t.Context(), control.OpSnapshot, control.SnapshotRequest{Path: "here"}, &r); err == nil {
		t.Error("a path was taken that is nobody's")
	}
}

// TestAControllerOnServersElsewhere: a controller whose servers do not let it in
// says which file is wrong, and runs as soon as that is right. No secret is told.
func TestAControllerOnServersElsewhere(t *testing.T) {
	dir := shortDir(t)
	const secret = "tell-nobody"
	servers, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: filepath.Join(dir, "theirs"),
		Users: []*server.User{{Username: "me", Password: secret}},
	})
	if err != nil {
		t.Fatal(err)
	}
	servers.Start()
	t.Cleanup(func() { servers.Shutdown(); servers.WaitForShutdown() })
	if !servers.ReadyForConnections(time.Minute) {
		t.Fatal("the servers do not start")
	}
	file := filepath.Join(dir, "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("not-" + secret)
	client, _ := runNamed(t, dir, "c1", fmt.Sprintf("controller: {listen: '127.0.0.1:0', cluster: {url: '%s', user: me, passwordFile: %s}}\n", servers.ClientURL(), file)+
		"components: {a: {command: [/bin/sleep, '1000']}}\n")
	until(t, "it says who is refused", func() bool {
		degraded := strings.Join(status(t, client).Degraded, "")
		if strings.Contains(degraded, secret) {
			t.Fatalf("it tells the secret: %s", degraded)
		}
		return strings.Contains(degraded, "they refuse user me with the password of "+file)
	})
	write(secret)
	until(t, "it runs", func() bool {
		s := status(t, client)
		return len(s.Degraded) == 0 && s.Controller.Cluster != nil && s.Controller.Cluster.Mode == "external" && s.Controller.Channels == 1
	})
}
