//go:build linux

package acceptance_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/lifecycle"
)

// member prepares a peer of the target billing with components of its own; it
// does not run yet.
func member(t testing.TB, name, address, body string) *peerd {
	t.Helper()
	p := prepare(t, "")
	p.put("profile.yaml", "application: {guid: acc}\n"+
		"peer: {name: "+name+", stateDir: state, runtimeDir: run}\n"+
		"connector: {targetId: billing, endpoints: [\"ws://"+address+"\"]}\n"+body)
	return p
}

func (p *peerd) connected() bool { return p.status().Connector.State == "connected" }

// served is a component that is ready when the file "may" is there, and ill when
// the file "ill" is; "broken" has it fail at once.
const served = `
components:
  served:
    command: [/bin/sh, -c, 'test ! -e "$DIR/broken" || exit 3; exec sleep 600']
    env: {DIR: DIRECTORY}
    ready: {exec: [/bin/sh, -c, 'test -e DIRECTORY/may']}
    health: {exec: [/bin/sh, -c, 'test ! -e DIRECTORY/ill'], interval: 100ms, failures: 1, startPeriod: 0s, onFailure: none}
    restart: {policy: never}
`

// threePeers are a controller and three peers of one target that run served.
func threePeers(t *testing.T) (c *peerd, peers [3]*peerd, address string) {
	t.Helper()
	c, address = startController(t)
	for i, name := range []string{"one", "two", "three"} {
		p := member(t, name, address, "")
		text, err := os.ReadFile(p.profile)
		if err != nil {
			t.Fatal(err)
		}
		p.put("profile.yaml", string(text)+strings.ReplaceAll(served, "DIRECTORY", p.dir))
		p.put("may", "")
		p.run()
		p.ready()
		p.running("served")
		p.waitFor(name+" is connected", p.connected)
		peers[i] = p
	}
	return c, peers, address
}

func (p *peerd) remove(name string) {
	p.t.Helper()
	if err := os.Remove(p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// serves waits until served is up and healthy on a peer, and returns its
// generation.
func (p *peerd) serves() uint64 {
	p.t.Helper()
	return p.until("served", "is healthy", func(i instance) bool { return i.Status == "running" && i.Health == "healthy" }).Generation
}

// became is what a verb printed as "name outcome", in order.
func (p *peerd) became(stdout string) (all []string) {
	p.t.Helper()
	var list []control.Outcome
	p.decode(stdout, &list)
	for _, o := range list {
		all = append(all, o.Name+" "+o.Outcome)
	}
	return all
}

// What looks asks all peers of a target; one that is silent hides none.
func TestFleetLooksAtAllPeers(t *testing.T) {
	t.Parallel()
	c, peers, address := threePeers(t)
	look := func(args ...string) (code int, rows []struct{ Peer, Name, Status, Reason string }) {
		r := c.ccpc(byFleet(address, append(args, "-o", "json")...)...)
		c.decode(r.stdout, &rows)
		return r.code, rows
	}
	for _, verb := range [][]string{{"ps"}, {"ps", "served"}, {"get", "served"}} {
		code, rows := look(verb...)
		if code != 0 || len(rows) != 3 {
			t.Fatalf("%v: exit code %d, %+v", verb, code, rows)
		}
		for i, peer := range []string{"one", "three", "two"} {
			if r := rows[i]; r.Peer != peer || r.Name != "served" || r.Status != "running" {
				t.Errorf("%v: row %d is %+v", verb, i, r)
			}
		}
	}
	if table := c.must(byFleet(address, "ps")...); !strings.HasPrefix(table, "PEER") || strings.Count(table, "\n") != 4 {
		t.Errorf("ps:\n%s", table)
	}
	if text := c.must(byFleet(address, "get", "served")...); strings.Count(text, "Specification") != 3 {
		t.Errorf("get:\n%s", text)
	}
	c.refused(3, "nobody", byFleet(address, "get", "nobody")...)

	peers[1].signal(syscall.SIGSTOP)
	for _, verb := range [][]string{{"ps"}, {"get", "served"}} {
		code, rows := look(append(verb, "--timeout", "2s")...)
		if code != 5 || len(rows) != 3 || rows[1].Status != "running" || rows[2].Peer != "two" || rows[2].Status != "unreachable" || rows[2].Reason == "" {
			t.Errorf("%v with a silent peer: exit code %d, %+v", verb, code, rows)
		}
	}
	c.refused(5, "1 of 3 peers did not answer: two", byFleet(address, "ps", "--timeout", "2s")...)
	peers[1].signal(syscall.SIGCONT)
}

// --all is all peers at once, --batch some after the other with the primary
// last; what cannot be meant is refused.
func TestFleetActsOnAllPeers(t *testing.T) {
	t.Parallel()
	c, peers, address := threePeers(t)
	all := []string{"served@one started", "served@two started", "served@three started"}
	primary := 0
	for i, p := range peers {
		p.serves()
		if p.status().Connector.Primary {
			primary = i
		}
	}
	got := c.became(c.must(byFleet(address, "restart", "served", "--all", "-o", "json")...))
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(all)); !slices.Equal(got, want) {
		t.Errorf("--all: %v", got)
	}
	r := c.ccpc(byFleet(address, "restart", "served", "--batch", "1", "-o", "json")...)
	if got := c.became(r.stdout); r.code != 0 || len(got) != 3 || got[2] != all[primary] {
		t.Errorf("--batch 1, with the primary %s: %v", all[primary], r)
	}
	for _, p := range peers {
		if g := p.serves(); g != 3 {
			t.Errorf("generation %d after two restarts", g)
		}
	}
	inTurn(t, peers[:])
	if got := c.became(c.must(byFleet(address, "stop", "--all", "-o", "json")...)); len(got) != 3 || !strings.HasSuffix(got[0], "stopped") {
		t.Errorf("stop --all: %v", got)
	}
	c.refused(2, "--batch must be", byFleet(address, "start", "served", "--batch", "0")...)
	c.refused(2, "--peer out", byFleet(address, "start", "served", "--batch", "1", "--peer", "one")...)
	c.refused(2, "--no-wait out", byFleet(address, "start", "served", "--batch", "1", "--no-wait")...)
	c.refused(2, "not both", byFleet(address, "start", "served", "--all", "--peer", "one")...)
	c.refused(3, "no-such-target", "--controller", "http://"+address, "--target", "no-such-target", "start", "served", "--batch", "1")
}

// inTurn wants that of the last restarts none began before another was over.
func inTurn(t *testing.T, peers []*peerd) {
	t.Helper()
	type span struct{ from, to int64 }
	var spans []span
	for _, p := range peers {
		var s span
		for _, r := range p.history("served") {
			switch {
			case r.To == lifecycle.Stopping && r.From == lifecycle.Running:
				s.from = r.At.UnixNano()
			case r.To == lifecycle.Running:
				s.to = r.At.UnixNano()
			}
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.from - b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			t.Errorf("a peer was restarted before the one before it was up: %+v", spans)
		}
	}
}

// A roll goes on only while what it has started is up and healthy.
func TestFleetRollStops(t *testing.T) {
	t.Parallel()
	c, peers, address := threePeers(t)
	order := rollOrder(peers)
	roll := byFleet(address, "restart", "served", "--batch", "1", "-o", "json")
	last := peers[order[2]].serves()

	second := peers[order[1]]
	second.put("broken", "")
	r := c.refused(1, "1 of 3 peers were not asked", roll...)
	if got := c.became(r.stdout); len(got) != 2 || !strings.HasSuffix(got[0], " started") || !strings.HasSuffix(got[1], " failed") {
		t.Errorf("one that fails: %v", r)
	}
	second.remove("broken")
	second.must("start", "served")

	second.put("ill", "")
	r = c.refused(4, "not done in time", append(roll, "--timeout", "3s")...)
	if got := c.became(r.stdout); len(got) != 2 || !strings.HasSuffix(got[1], " timeout") {
		t.Errorf("one that stays ill: %v", r)
	}
	second.remove("ill")
	second.serves()
	if now := peers[order[2]].serves(); now != last {
		t.Errorf("the peer behind one that failed was restarted: generation %d, was %d", now, last)
	}
	rollLooksBack(c, peers, order, roll)
}

// rollLooksBack: what was started earlier must still be up.
func rollLooksBack(c *peerd, peers [3]*peerd, order [3]int, roll []string) {
	c.t.Helper()
	first, second, third := peers[order[0]], peers[order[1]], peers[order[2]]
	last := third.serves()
	before := second.serves()
	second.remove("may")
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	done := make(chan result)
	go func() { done <- c.finish(exec.CommandContext(ctx, program("ccpc"), roll...)) }()
	second.until("served", "is being restarted", func(i instance) bool { return i.Status == "starting" && i.Generation > before })
	first.put("ill", "")
	first.until("served", "is ill", func(i instance) bool { return i.Health == "unhealthy" })
	second.put("may", "")
	r := <-done
	if got := c.became(r.stdout); r.code != 1 || len(got) != 2 || !strings.HasSuffix(got[0], " failed") || !strings.Contains(r.stdout, "did not stay up") {
		c.t.Errorf("one that fell ill behind the roll: %v", r)
	}
	if now := third.serves(); now != last {
		c.t.Errorf("the roll went on: generation %d, was %d", now, last)
	}
	first.remove("ill")
}

// rollOrder is the order in which a roll goes through the peers.
func rollOrder(peers [3]*peerd) (order [3]int) {
	names, at := []string{}, map[string]int{}
	for i, p := range peers {
		s := p.status()
		name := s.Peer
		if s.Connector.Primary {
			name = "~" + name // behind all others
		}
		names, at[name] = append(names, name), i
	}
	slices.Sort(names)
	for i, n := range names {
		order[i] = at[n]
	}
	return order
}
