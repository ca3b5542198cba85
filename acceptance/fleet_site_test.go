//go:build linux

package acceptance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/internal/testnet"
)

// site is a fleet on hosts of its own: three controllers and five peers of one
// target. Each peer has a component that runs on the primary only and one that
// counts; what they do is in one file.
type site struct {
	t           testing.TB
	controllers []*machine
	peers       []*machine
	book        book
	batches     int
}

// machine is a host with its peerd.
type machine struct {
	*testnet.Host
	*peerd
}

const (
	siteControllers = 3
	sitePeers       = 5
)

// newSite starts a fleet and waits until it is whole.
func newSite(t testing.TB) *site {
	t.Helper()
	n := testnet.New(t)
	s := &site{t: t}
	for i := range siteControllers {
		s.controllers = append(s.controllers, newMachine(t, n, fmt.Sprintf("controller-%d", i+1)))
	}
	for i := range sitePeers {
		s.peers = append(s.peers, newMachine(t, n, fmt.Sprintf("peer-%d", i+1)))
	}
	s.book = book{t: t, file: s.controllers[0].path("deeds")}
	for _, m := range s.controllers {
		m.put("profile.yaml", fmt.Sprintf("application: {guid: acc}\npeer: {name: %s, stateDir: state, runtimeDir: run}\n"+
			"controller:\n  listen: 0.0.0.0:8062\n  cluster: {name: site, listen: \"%s:6222\", routes: [%s]}\n", m.Name(), m.Addr(), s.each(0, "%s:6222")))
		m.run()
	}
	for i, m := range s.peers {
		m.put("profile.yaml", fmt.Sprintf("application: {guid: acc}\npeer: {name: %s, stateDir: state, runtimeDir: run}\n"+
			"connector: {targetId: billing, endpoints: [%s]}\n", m.Name(), s.each(i, `"ws://%s:8062"`))+
			deputyBody(m.Name(), s.book.file)+
			fmt.Sprintf("  counter: {descriptor: %s, command: [%s], config: {name: %s, file: %s, quiet: true}}\n", descriptorFile, program("deputy"), m.Name(), s.book.file))
		m.run()
	}
	for _, m := range slices.Concat(s.controllers, s.peers) {
		m.ready()
	}
	s.whole()
	return s
}

func newMachine(t testing.TB, n *testnet.Network, name string) *machine {
	t.Helper()
	m := &machine{n.Host(name), prepare(t, "")}
	m.wrap = m.Inside()
	return m
}

// each is a list of something of each controller, beginning with the nth.
func (s *site) each(n int, format string) string {
	var all []string
	for i := range s.controllers {
		all = append(all, fmt.Sprintf(format, s.controllers[(n+i)%len(s.controllers)].Addr()))
	}
	return strings.Join(all, ", ")
}

// ccpc runs ccpc on a controller's host, by way of that controller.
func (s *site) ccpc(m *machine, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	argv := m.Inside(append([]string{program("ccpc"), "--controller", "http://127.0.0.1:8062", "--target", "billing"}, args...)...)
	return m.finish(exec.CommandContext(ctx, argv[0], argv[1:]...))
}

// whole waits until each controller sees every peer once, and one of them as the
// primary, which acts, and no controller's copy of what they share lags behind.
func (s *site) whole() {
	s.t.Helper()
	s.took("every controller sees the same fleet", func() bool {
		var primaries []string
		for _, m := range s.controllers {
			peers, primary := s.seen(m)
			if len(peers) != sitePeers || primary == "" {
				return false
			}
			primaries = append(primaries, primary)
		}
		return len(slices.Compact(primaries)) == 1 && s.acts(primaries[0]) && s.current()
	})
}

// current tells whether every bucket has a leader whose copies are current, which
// only the leader itself knows.
func (s *site) current() bool {
	all, led := 0, 0
	for _, m := range s.controllers {
		buckets := m.status().Controller.Cluster.Buckets
		all = max(all, len(buckets))
		for _, b := range buckets {
			if b.Leader == m.Name() && len(b.Behind) == 0 {
				led++
			}
		}
	}
	return led == all
}

// seen are the peers that a controller sees, each once, and the primary; none if
// it does not answer, or sees one twice.
func (s *site) seen(m *machine) (peers []string, primary string) {
	var all []struct {
		Connector       string
		Active, Primary bool
	}
	if !s.fetch(m, "channels?wide=true", &all) {
		return nil, ""
	}
	for _, ch := range all {
		if !ch.Active {
			continue
		}
		peers = append(peers, ch.Connector)
		if ch.Primary {
			primary = ch.Connector
		}
	}
	return peers, primary
}

// fetch asks a controller on its host for one of its lists.
func (s *site) fetch(m *machine, list string, all any) bool {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, address string) (net.Conn, error) { return m.Dial(ctx, address) },
	}}
	resp, err := client.Get("http://127.0.0.1:8062/exchange/" + list)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(all) == nil
}

// acts tells whether the last that acted is a peer.
func (s *site) acts(peer string) bool {
	all := s.book.deeds()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].what == "did" {
			return all[i].who == peer
		}
	}
	return false
}

// primary is the peer that has acted in the highest term.
func (s *site) primary() (m *machine, term uint64) {
	s.t.Helper()
	for _, d := range s.book.deeds() {
		if d.what == "did" && d.term >= term {
			m, term = s.peer(d.who), d.term
		}
	}
	return m, term
}

func (s *site) peer(name string) *machine {
	s.t.Helper()
	at := slices.IndexFunc(s.peers, func(m *machine) bool { return m.Name() == name })
	if at < 0 {
		s.t.Fatalf("no peer %s", name)
	}
	return s.peers[at]
}

// controllerOf is the one that a peer is connected to.
func (s *site) controllerOf(m *machine) *machine {
	s.t.Helper()
	endpoint := m.status().Connector.Endpoint
	at := slices.IndexFunc(s.controllers, func(c *machine) bool { return strings.Contains(endpoint, c.Addr()+":") })
	if at < 0 {
		s.t.Fatalf("%s is connected to %s", m.Name(), endpoint)
	}
	return s.controllers[at]
}

// leader is the controller whose engine orders the elections.
func (s *site) leader() (m *machine) {
	s.t.Helper()
	s.took("the elections have a leader", func() bool {
		m = s.leaderFor(s.controllers[0])
		return m != nil
	})
	return m
}

// leaderFor is who leads as far as a controller knows, nil if nobody does.
func (s *site) leaderFor(c *machine) *machine {
	s.t.Helper()
	for _, b := range c.status().Controller.Cluster.Buckets {
		at := slices.IndexFunc(s.controllers, func(c *machine) bool { return c.Name() == b.Leader })
		if strings.HasSuffix(b.Name, "-primaries") && at >= 0 {
			return s.controllers[at]
		}
	}
	return nil
}

// others are the controllers but one.
func (s *site) others(than *machine) []*machine {
	return slices.DeleteFunc(slices.Clone(s.controllers), func(m *machine) bool { return m == than })
}

// took waits for a condition and returns how long that was.
func (s *site) took(what string, cond func() bool) time.Duration {
	s.t.Helper()
	began := time.Now()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for !cond() {
		if time.Since(began) > 2*patience {
			s.t.Fatalf("waited in vain: %s", what)
		}
		<-look.C
	}
	return time.Since(began)
}

// batchSize is how many commands a batch of the site has.
const batchSize = 200

// count hands over a batch that counts, and returns its ID.
func (s *site) count(by *machine) (id string) {
	s.t.Helper()
	s.batches++
	var text strings.Builder
	id = fmt.Sprintf("batch-%d", s.batches)
	text.WriteString("id: " + id + "\ncommands:\n")
	for i := range batchSize {
		fmt.Fprintf(&text, "  - {type: SEND, payload: {name: counter, type: COUNT, payload: %d}}\n", s.batches*10_000+i)
	}
	by.put("batch.yaml", text.String())
	s.took("a batch is taken", func() bool {
		r := s.ccpc(by, "batch", "run", "batch.yaml", "--no-wait", "--timeout", "5s")
		return r.code == 0 || strings.Contains(r.stderr, "exists") // the answer to an earlier try was lost
	})
	return id
}

// counted wants that a batch succeeds, and that each of its commands had one
// effect.
func (s *site) counted(id string) {
	s.t.Helper()
	status, details := "", ""
	defer func() {
		if status != "SUCCEEDED" {
			s.t.Logf("the batch is %s: %s", status, details)
		}
	}()
	s.took("the batch has ended", func() bool {
		var all []struct{ ID, Status, ErrorDetails string }
		s.fetch(s.controllers[0], "batchs", &all)
		for _, b := range all {
			if b.ID == id {
				status, details = b.Status, b.ErrorDetails
			}
		}
		return status == "SUCCEEDED" || status == "ERROR"
	})
	by := map[uint64][]string{}
	for _, d := range s.book.deeds() {
		if d.what == "counted" {
			by[d.term] = append(by[d.term], d.who)
		}
	}
	for i := range uint64(batchSize) {
		if who := by[uint64(s.batches)*10_000+i]; len(who) != 1 {
			s.t.Errorf("command %d of the batch was carried out by %v", i, who)
		}
	}
}

// freeze stops all processes of a machine, and returns what has them go on.
func (s *site) freeze(m *machine) (thaw func()) {
	s.t.Helper()
	pids := append(m.processes(), m.cmd.Process.Pid, m.status().KeeperPid)
	slices.Sort(pids)
	pids = slices.Compact(pids)
	each := func(sig syscall.Signal) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
				s.t.Error(err)
			}
		}
	}
	each(syscall.SIGSTOP)
	return func() { each(syscall.SIGCONT) }
}
