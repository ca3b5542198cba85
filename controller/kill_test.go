package controller

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// The parts a child process of these tests can play, by these variables.
const (
	childDir     = "PEERD_TEST_CONTROLLER" // its folder
	childAddress = "PEERD_TEST_ADDRESS"    // where it listens
	childRoutes  = "PEERD_TEST_ROUTES"     // of its cluster, its own first; "": it is alone
)

// asChild plays a part instead of running the tests, if this process is a child of
// them. It ends only by being killed, or with its parent.
func asChild() bool {
	if what := os.Getenv(childIdle); what != "" {
		if err := holdIdle(what); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
		}
		return true
	}
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	if err := child(dir, os.Getenv(childAddress)); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
	}
	return true
}

func child(dir, address string) error {
	engine, err := cluster.OpenNATS(childEngine(dir))
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Wait(context.Background(), func(string) {}); err != nil {
		return err
	}
	log, err := os.OpenFile(dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c, err := New(Options{Engine: engine, Observe: func(ev Event) {
		fmt.Fprintf(log, "%s %s %s %s %s %d %s\n", ev.Time.Format("05.000"), ev.Kind, ev.Target, ev.Channel, ev.Batch, ev.Term, ev.Detail)
	}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/exchange/controller", c.Handler())
	mux.Handle("/", c.Management())
	go http.Serve(l, mux)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-c.Running()
		fmt.Println("address", l.Addr())
		_, _ = bufio.NewReader(os.Stdin).ReadString(0) // until the parent has gone
		cancel()
	}()
	return c.Run(ctx)
}

// childEngine is the engine of a child: alone, or a node of a cluster.
func childEngine(dir string) cluster.NATSOptions {
	o := cluster.NATSOptions{Node: "one", Dir: dir}
	if routes := strings.Fields(os.Getenv(childRoutes)); len(routes) > 0 {
		o.Node = filepath.Base(dir)
		o.Cluster = &cluster.Membership{Name: "test", Listen: routes[0], Routes: routes, Replicas: len(routes)}
	}
	return o
}

// victim is a controller in a process of its own.
type victim struct {
	t       testing.TB
	dir     string
	address string
	routes  []string
	cmd     *exec.Cmd
	leash   io.Closer     // it stops when this is closed
	up      chan struct{} // closed when it is up, or has ended
	ended   bool          // once up is closed
}

// start starts the controller and waits until it is up.
func (v *victim) start() {
	v.t.Helper()
	v.begin()
	v.await()
}

// await waits until a controller that was begun is up.
func (v *victim) await() {
	v.t.Helper()
	if <-v.up; v.ended {
		v.t.Fatalf("controller %s does not come up", filepath.Base(v.dir))
	}
}

// begin starts the controller.
func (v *victim) begin() {
	v.t.Helper()
	if v.address == "" {
		v.address = "127.0.0.1:0"
	}
	v.cmd = exec.Command(os.Args[0])
	v.cmd.Env = append(os.Environ(), childDir+"="+v.dir, childAddress+"="+v.address, childRoutes+"="+strings.Join(v.routes, " "))
	v.cmd.Stderr = os.Stderr
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if v.leash, err = v.cmd.StdinPipe(); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.up, v.ended = make(chan struct{}), false
	go func() { // it ends with the child
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if address, ok := strings.CutPrefix(lines.Text(), "address "); ok {
				v.address = address
				close(v.up)
				return
			}
		}
		v.ended = true
		close(v.up)
	}()
}

// stop has the controller leave in an orderly way.
func (v *victim) stop() {
	v.t.Helper()
	v.leash.Close()
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("the child ended with %v", err)
	}
	v.cmd = nil
}

func (v *victim) kill() {
	if v.cmd != nil {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
		v.cmd = nil
	}
}

// kills is how often a batch's controller or peer is killed.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("PEERD_TEST_KILLS")); err == nil {
		return n
	}
	return 8
}

// TestBatchesSurviveKills kills a controller at random while batches of ten
// commands are carried out: each command has one effect, in order.
func TestBatchesSurviveKills(t *testing.T) {
	v := &victim{t: t, dir: t.TempDir()}
	v.start()
	t.Cleanup(v.kill)
	n := &node{t: t, news: make(chan struct{})} // only to wait with
	p := &slowPeer{}
	p.connect(t, "http://"+v.address)
	base := "http://" + v.address + "/exchange"
	var body strings.Builder
	for i := range 10 {
		fmt.Fprintf(&body, `,{"type":"EFFECT","payload":%d}`, i+1)
	}
	request := `{"id":"batch-%d","maxRetry":5,"commands":[` + body.String()[1:] + `]}`
	for round := range kills() {
		p.reset()
		post(n, base+"/targets/t/batchs", fmt.Sprintf(request, round))
		until := rand.IntN(11)
		n.until("some effects", func() bool { return len(p.effects()) >= until })
		v.kill()
		v.start()
		n.until("the batch has ended", func() bool { return strings.Contains(get(base+"/batchs/batch-"+strconv.Itoa(round)), `"SUCCEEDED"`) })
		if got := p.effects(); !slices.Equal(got, numbers(10)) {
			t.Fatalf("round %d, killed after %d: effects %v", round, until, got)
		}
	}
}

// slowPeer is a peer whose effects take a moment, so that kills hit them.
type slowPeer struct {
	target string // default t

	mu  sync.Mutex
	log []string
}

func (p *slowPeer) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = nil
}

func (p *slowPeer) effects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

func (p *slowPeer) connect(t *testing.T, urls ...string) {
	m := &exchange.Mux{Replies: exchange.NewReplyCache(0, 0, true)}
	m.Handle("EFFECT", func(_ context.Context, req *exchange.Request) (any, error) {
		p.mu.Lock()
		p.log = append(p.log, string(req.Payload))
		p.mu.Unlock()
		<-time.After(rand.N(3 * time.Millisecond))
		return nil, nil
	})
	o := exchange.ConnectorOptions{
		Hello: exchange.Hello{TargetID: cmp.Or(p.target, "t"), ID: "p"}, Channel: exchange.Options{Handlers: m},
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}
	overWeb(urls[0], websocket.DialOptions{})(&o)
	o.Endpoints = urls
	c := exchange.NewConnector(o)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func get(url string) string {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := bufio.NewReader(resp.Body).ReadString(0)
	return text
}

func post(n *node, url, body string) {
	n.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		n.t.Fatalf("POST %s: %s", url, resp.Status)
	}
}
