package peer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/controller"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/peer"
)

// inTime bounds every wait of a test.
const inTime = 30 * time.Second

// fleet is a controller at a URL. It can be stopped and run again, as another
// process at the same address on the same engine would be.
type fleet struct {
	t      *testing.T
	url    string
	engine cluster.Engine

	mu      sync.Mutex
	current *controller.Controller
	stop    func()
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{t: t, engine: cluster.NewMemory().Engine("one")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.controller().Handler().ServeHTTP(w, r)
	}))
	f.url = "ws" + strings.TrimPrefix(server.URL, "http")
	f.run(nil)
	t.Cleanup(func() { f.stop(); server.Close() })
	return f
}

func (f *fleet) controller() *controller.Controller {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

func (f *fleet) run(change func(*controller.Options)) {
	f.t.Helper()
	o := controller.Options{Engine: f.engine, DrainTimeout: time.Second}
	if change != nil {
		change(&o)
	}
	c, err := controller.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Running()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = c
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("the controller: %v", err)
		}
	})
}

// send asks one connector of the target for an operation.
func (f *fleet) send(typ string, req any, change func(*exchange.Command)) (exchange.Reply, error) {
	f.t.Helper()
	cmd, err := exchange.NewCommand(typ, req)
	if err != nil {
		f.t.Fatal(err)
	}
	if change != nil {
		change(&cmd)
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), inTime)
	defer cancel()
	return f.controller().Send(ctx, "billing", cmd, controller.Choice{})
}

// runPeerAs runs a peer until the test ends, or stop is called.
func runPeerAs(t *testing.T, dir, body string) (client *api.Client, stop func()) {
	t.Helper()
	return runNamed(t, dir, "p", body)
}

// runNamed is runPeerAs for a peer of another name.
func runNamed(t *testing.T, dir, name, body string) (client *api.Client, stop func()) {
	t.Helper()
	profile := filepath.Join(dir, "p.yaml")
	head := "peer: {name: " + name + ", stateDir: " + dir + "/state, runtimeDir: " + dir + "/run}\n"
	if err := os.WriteFile(profile, []byte(head+body), 0o600); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	p, err := peer.New(peer.Options{Profile: profile, Logger: hclog.NewNullLogger(), Ready: func() { close(ready) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	client = api.NewClient(dir + "/run/peerd.sock")
	stop = sync.OnceFunc(func() {
		client.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return client, stop
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// connector is the profile of a connector of f with two components.
func (f *fleet) connector(more string) string {
	return "connector: {targetId: billing, endpoints: [\"" + f.url + "\"]" + more + "}\n" +
		"components:\n" +
		"  everywhere: {command: [/bin/sleep, '1000']}\n" +
		"  once: {command: [/bin/sleep, '1000'], runOn: primary}\n"
}

// until waits until cond holds.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(inTime)
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func status(t *testing.T, c *api.Client) control.PeerStatus {
	t.Helper()
	var st control.PeerStatus
	if err := c.Call(t.Context(), control.OpStatus, nil, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

func instance(t *testing.T, c *api.Client, name string) control.Instance {
	t.Helper()
	var d control.Detail
	if err := c.Call(t.Context(), control.OpGet, control.NameRequest{Name: name}, &d); err != nil {
		t.Fatal(err)
	}
	return d.Instance
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConnectorAnswersWhatTheSocketAnswers(t *testing.T) {
	f := newFleet(t)
	client, _ := runPeerAs(t, shortDir(t), f.connector(""))
	until(t, "it is the primary", func() bool { return status(t, client).Connector.Primary })
	if s := status(t, client).Connector; s.State != "connected" || s.Target != "billing" || s.Term == 0 || s.Role != "admin" {
		t.Errorf("connector: %+v", s)
	}
	until(t, "both run", func() bool { return status(t, client).Counts["running"] == 2 })

	restart := control.ActRequest{Selection: control.Selection{Names: []string{"everywhere"}}}
	again := func(cmd *exchange.Command) { cmd.ID, cmd.Caller = "once-only", "alice\n" }
	for range 2 { // the same command: one effect, two answers
		reply, err := f.send(control.OpRestart, restart, again)
		if err != nil || reply.Err() != nil || !strings.Contains(string(reply.Payload), `"started"`) {
			t.Fatalf("RESTART: %v, %+v", err, reply)
		}
	}
	if g := instance(t, client, "everywhere").Generation; g != 2 {
		t.Errorf("generation %d after one restart", g)
	}
	var past []journal.Record
	if err := client.Call(t.Context(), control.OpHistory, control.EventsRequest{Name: "everywhere"}, &past); err != nil {
		t.Fatal(err)
	}
	want := "controller " + strings.TrimPrefix(f.url, "ws://") + " for alice?"
	if !strings.Contains(string(mustJSON(t, past)), want) {
		t.Errorf("no %q in the history: %s", want, mustJSON(t, past))
	}
	if _, err := f.send("NO_SUCH_TYPE", nil, nil); !errors.Is(err, exchange.ErrUnknown) {
		t.Errorf("an unknown type: %v", err)
	}
	reply, err := f.send(control.OpGet, control.NameRequest{Name: "nobody"}, nil)
	if err != nil || control.AsError(control.ReplyError(reply)).Code != control.CodeNotFound {
		t.Errorf("an unknown name: %+v, %v", reply, err)
	}
}

func TestACommandSentAgainToTheNextPeerHasNoSecondEffect(t *testing.T) {
	f := newFleet(t)
	dir := shortDir(t)
	client, stop := runPeerAs(t, dir, f.connector(""))
	until(t, "it runs", func() bool { return instance(t, client, "everywhere").Status == "running" })
	until(t, "it is connected", func() bool { return status(t, client).Connector.State == "connected" })
	restart := control.ActRequest{Selection: control.Selection{Names: []string{"everywhere"}}}
	again := func(cmd *exchange.Command) { cmd.ID = "once-only" }
	first, err := f.send(control.OpRestart, restart, again)
	if err != nil || first.Err() != nil {
		t.Fatalf("%+v, %v", first, err)
	}
	stop()
	client, _ = runPeerAs(t, dir, f.connector(""))
	until(t, "the next is connected", func() bool {
		return status(t, client).Connector.State == "connected" && instance(t, client, "everywhere").Status == "running"
	})
	before := instance(t, client, "everywhere").Generation
	second, err := f.send(control.OpRestart, restart, again)
	if err != nil || string(second.Payload) != string(first.Payload) {
		t.Errorf("%+v, %v; the first was %+v", second, err, first)
	}
	if now := instance(t, client, "everywhere").Generation; now != before {
		t.Errorf("generation %d, then %d", before, now)
	}
}

func TestConnectorKeepsToItsRole(t *testing.T) {
	f := newFleet(t)
	client, _ := runPeerAs(t, shortDir(t), f.connector(", role: viewer"))
	until(t, "it is connected", func() bool { return status(t, client).Connector.State == "connected" })
	if reply, err := f.send(control.OpPs, nil, nil); err != nil || reply.Err() != nil {
		t.Errorf("PS: %+v, %v", reply, err)
	}
	reply, err := f.send(control.OpStop, control.ActRequest{Selection: control.Selection{All: true}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var refusal *control.Error
	if err := control.ReplyError(reply); !errors.As(err, &refusal) || refusal.Code != control.CodeRefused {
		t.Errorf("STOP by a viewer: %v", err)
	}
}

func TestUnreachableControllerHarmsNothing(t *testing.T) {
	body := (&fleet{url: "ws://127.0.0.1:1"}).connector("")
	client, _ := runPeerAs(t, shortDir(t), body)
	until(t, "the other component runs", func() bool { return instance(t, client, "everywhere").Status == "running" })
	until(t, "what runs on the primary waits", func() bool {
		in := instance(t, client, "once")
		return in.Status == "waiting" && strings.Contains(in.Reason, "primary")
	})
	until(t, "status says so", func() bool {
		s := status(t, client)
		return s.Connector.State == "connecting" && s.Connector.Error != "" && s.Connector.RetryAt != nil && len(s.Degraded) == 1
	})
}

func TestPrimaryMovesAndComesBackInAHigherTerm(t *testing.T) {
	f := newFleet(t)
	a, stopA := runPeerAs(t, shortDir(t), f.connector(""))
	until(t, "the first is the primary", func() bool { return instance(t, a, "once").Status == "running" })
	term := status(t, a).Connector.Term
	b, _ := runPeerAs(t, shortDir(t), f.connector(""))
	until(t, "the second is connected", func() bool { return status(t, b).Connector.State == "connected" })
	var out []control.Outcome
	err := b.Call(t.Context(), control.OpStart, control.ActRequest{Selection: control.Selection{All: true}}, &out)
	if err != nil || len(out) != 2 || out[1].Outcome != "accepted" {
		t.Errorf("started on the second: %+v, %v", out, err)
	}
	stopA()
	until(t, "the second is the primary", func() bool { return instance(t, b, "once").Status == "running" })
	if s := status(t, b).Connector; !s.Primary || s.Term <= term {
		t.Errorf("%+v after term %d", s, term)
	}
}

func TestConnectorReturnsToARestartedController(t *testing.T) {
	f := newFleet(t)
	client, _ := runPeerAs(t, shortDir(t), f.connector(""))
	until(t, "it runs", func() bool { return instance(t, client, "once").Status == "running" })
	before := instance(t, client, "once")
	f.stop()
	until(t, "it is noticed", func() bool { return len(status(t, client).Degraded) == 1 })
	f.run(nil)
	until(t, "it is the primary again", func() bool {
		s := status(t, client)
		return s.Connector.State == "connected" && s.Connector.Primary && len(s.Degraded) == 0
	})
	if after := instance(t, client, "once"); after.Pid != before.Pid {
		t.Errorf("what runs on the primary did not go on: %+v", after)
	}
}

func TestRefusedConnectorSaysSo(t *testing.T) {
	f := newFleet(t)
	f.stop()
	f.run(func(o *controller.Options) {
		o.Access = controller.Access{{Names: []string{"*"}, Targets: []string{"shipping"}}}
	})
	client, _ := runPeerAs(t, shortDir(t), f.connector(""))
	until(t, "the refusal is shown", func() bool {
		s := status(t, client)
		return s.Connector.State == "refused" && strings.Contains(strings.Join(s.Degraded, ""), "billing")
	})
	until(t, "what runs on the primary waits", func() bool { return instance(t, client, "once").Status == "waiting" })
}
