//go:build linux

package acceptance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/control"
)

// sample prepares a peer that runs a profile of the fleet's samples as it is
// shipped, but for the replacements: pairs of old and new.
func sample(t *testing.T, name string, replacements ...string) *peerd {
	t.Helper()
	p := prepare(t, "")
	text, err := os.ReadFile(filepath.Join("..", "profiles", "fleet-"+name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(string(text), replacements[i]) {
			t.Fatalf("%s has no %q", name, replacements[i])
		}
	}
	for _, dir := range []string{"profiles", "bin", ".quickstart/" + name + "/run"} {
		if err := os.MkdirAll(p.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	samples, _ := filepath.Abs("../samples")
	for link, to := range map[string]string{"samples": samples, "bin/ccpcomponent": program("CCPComponent"), "run": p.path(".quickstart/" + name + "/run")} {
		if err := os.Symlink(to, p.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	p.profile = p.path("profiles/fleet.yaml")
	p.put("profiles/fleet.yaml", strings.NewReplacer(replacements...).Replace(string(text)))
	return p
}

func (p *peerd) status() control.PeerStatus {
	p.t.Helper()
	var s control.PeerStatus
	p.decode(p.must("status", "-o", "json"), &s)
	return s
}

const samplePort = "127.0.0.1:8062"

// startController runs the sample of a controller on a port that the kernel
// chooses, which it keeps when it is run again.
func startController(t *testing.T) (p *peerd, address string) {
	t.Helper()
	p = sample(t, "controller", samplePort, "127.0.0.1:0")
	p.run()
	p.ready()
	p.waitFor("the controller listens", func() bool { address = p.status().Controller.Listen; return address != "" })
	text, err := os.ReadFile(p.profile)
	if err != nil {
		t.Fatal(err)
	}
	p.put("profiles/fleet.yaml", strings.Replace(string(text), "127.0.0.1:0", address, 1))
	return p, address
}

func startMember(t *testing.T, name, address string) *peerd {
	t.Helper()
	p := sample(t, "peer", samplePort, address, "billing-1", name)
	p.run()
	p.ready()
	p.waitFor(name+" is connected", func() bool { return p.status().Connector.State == "connected" })
	return p
}

// byFleet runs ccpc by way of the controller.
func byFleet(address string, args ...string) []string {
	return append([]string{"--controller", "http://" + address, "--target", "billing"}, args...)
}

// TestFleet: a controller and two peers of one target, as the samples have them.
func TestFleet(t *testing.T) {
	t.Parallel()
	c, address := startController(t)
	one := startMember(t, "billing-1", address)
	one.running("invoices", "closing")
	two := startMember(t, "billing-2", address)
	two.running("invoices")
	two.until("closing", "waits for being primary", func(i instance) bool { return i.Status == "waiting" && strings.Contains(i.Reason, "primary") })

	var targets []struct {
		ID       string
		Channels []struct{ Active, Primary bool }
	}
	c.decode(c.must("--controller", "http://"+address, "targets", "-o", "json"), &targets)
	if len(targets) != 1 || targets[0].ID != "billing" || len(targets[0].Channels) != 2 {
		t.Errorf("targets: %+v", targets)
	}
	fleetVerbs(c, one, address)
	fleetRolls(c, one, two, address)
	fleetBatch(c, one, two, address)
	primaryMoves(one, two)
	controllerReturns(c, one, two, address)
}

// fleetVerbs: whatever ccpc can do on the peer's host, it can do from here.
func fleetVerbs(c, one *peerd, address string) {
	c.t.Helper()
	onOne := func(args ...string) []string { return byFleet(address, append(args, "--peer", "billing-1")...) }
	var rows []control.Instance
	c.decode(c.must(onOne("ps", "-o", "json")...), &rows)
	if len(rows) != 2 || rows[0].Pid != one.ps()[rows[0].Name].Pid {
		c.t.Errorf("ps by way of the controller: %+v", rows)
	}
	before := one.pids("invoices")
	c.must(onOne("restart", "invoices")...)
	if after := one.pids("invoices"); after["invoices"] == before["invoices"] {
		c.t.Error("restart by way of the controller had no effect")
	}
	if h := one.must("history", "invoices", "-o", "json"); !strings.Contains(h, "controller "+address+" for uid ") {
		c.t.Errorf("who it was is not in the history: %s", h)
	}
	for _, args := range [][]string{
		{"get", "invoices"},
		{"report-state", "invoices"},
		{"set-loglevel", "invoices", "debug"},
		{"data", "invoices", "memory"},
		{"data", "invoices", "stats", "--count", "3", "--interval", "10ms", "-o", "json"},
		{"logs", "invoices", "--tail", "2"},
		{"events", "--since", "1"},
		{"history", "invoices"},
		{"graph"},
		{"status"},
		{"reload", "--dry-run"},
		{"flush", "invoices"},
		{"stop", "invoices"},
		{"start", "invoices"},
	} {
		if r := c.ccpc(onOne(args...)...); r.code != 0 || r.stdout == "" {
			c.t.Errorf("by way of the controller: %v", r)
		}
	}
	if lines := strings.Count(c.must(onOne("data", "invoices", "stats", "--count", "3", "--interval", "10ms", "-o", "json")...), "\n"); lines != 3 {
		c.t.Errorf("%d answers to data --count 3", lines)
	}
	c.refused(3, "nobody", onOne("get", "nobody")...)
	c.refused(3, "no-such-target", "--controller", "http://"+address, "--target", "no-such-target", "ps")
	c.refused(3, "billing-9", byFleet(address, "ps", "--peer", "billing-9")...)
}

// fleetRolls: a restart goes through the whole target, one peer after the other.
func fleetRolls(c, one, two *peerd, address string) {
	c.t.Helper()
	before := []map[string][2]uint64{one.pids("invoices"), two.pids("invoices")}
	var outcomes []control.Outcome
	c.decode(c.must(byFleet(address, "restart", "invoices", "--batch", "1", "-o", "json")...), &outcomes)
	var names []string
	for _, o := range outcomes {
		names = append(names, o.Name+" "+o.Outcome)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"invoices@billing-1 started", "invoices@billing-2 started"}) {
		c.t.Errorf("rolled: %v", names)
	}
	if one.pids("invoices")["invoices"] == before[0]["invoices"] || two.pids("invoices")["invoices"] == before[1]["invoices"] {
		c.t.Error("a peer of the target was left out")
	}
}

// fleetBatch: commands one after the other, on some peer of the target.
func fleetBatch(c, one, two *peerd, address string) {
	c.t.Helper()
	c.put("batch.yaml", `
key: nightly
commands:
  - {type: STOP, payload: {names: [invoices]}}
  - {type: START, payload: {names: [invoices]}}
`)
	var batch struct{ ID, Status, Key string }
	c.decode(c.must(byFleet(address, "batch", "run", "batch.yaml", "-o", "json")...), &batch)
	if batch.Status != "SUCCEEDED" || batch.Key != "nightly" {
		c.t.Errorf("batch: %+v", batch)
	}
	if list := c.must(byFleet(address, "batches", "-o", "json")...); !strings.Contains(list, batch.ID) {
		c.t.Errorf("batches: %s", list)
	}
	// Its commands may have gone to different peers.
	one.must("start", "invoices")
	two.must("start", "invoices")
	c.put("bad.yaml", "{maxRetry: 0, commands: [{type: STOP, payload: {names: [nobody]}}]}")
	c.refused(1, "has failed", byFleet(address, "batch", "run", "bad.yaml")...)
	c.refused(3, "no-such-batch", "--controller", "http://"+address, "batch", "cancel", "no-such-batch")
}

// primaryMoves: when the primary peer is killed, another takes its office; the
// killed one comes back without it.
func primaryMoves(one, two *peerd) {
	one.t.Helper()
	term := one.status().Connector.Term
	before := one.ps()
	one.signal(syscall.SIGKILL)
	one.over()
	two.running("closing")
	one.waitFor("what only the primary runs ends without its peer", func() bool { return !alive(before["closing"].Pid) })
	if !alive(before["invoices"].Pid) {
		one.t.Error("another component ended with its peer")
	}
	if s := two.status().Connector; !s.Primary || s.Term <= term {
		one.t.Errorf("after term %d: %+v", term, s)
	}
	one.run()
	one.ready()
	one.until("closing", "is not the primary's any more", func(i instance) bool { return i.Status == "waiting" })
	one.waitFor("it is connected, and not primary", func() bool {
		s := one.status().Connector
		return s.State == "connected" && !s.Primary
	})
	two.running("closing")
}

// controllerReturns: peers find their controller again, and one is primary.
func controllerReturns(c, one, two *peerd, address string) {
	c.t.Helper()
	invoices := one.pids("invoices")
	c.signal(syscall.SIGTERM)
	if status := c.over(); status.ExitStatus() != 0 {
		c.t.Errorf("the controller: %s", describe(status))
	}
	one.waitFor("the loss is shown", func() bool { return len(one.status().Degraded) > 0 })
	c.run()
	c.ready()
	for _, p := range []*peerd{one, two} {
		p.waitFor("it is connected again", func() bool {
			s := p.status()
			return s.Connector.State == "connected" && len(s.Degraded) == 0
		})
	}
	one.waitFor("one of them is primary", func() bool {
		a, b := one.ps()["closing"], two.ps()["closing"]
		return a.Status == "running" && b.Status == "waiting" || a.Status == "waiting" && b.Status == "running"
	})
	if now := one.pids("invoices"); now["invoices"] != invoices["invoices"] {
		c.t.Errorf("another component was touched: %v, %v", invoices, now)
	}
	var rows []json.RawMessage
	c.decode(c.must(byFleet(address, "channels", "-o", "json")...), &rows)
	if len(rows) != 2 {
		c.t.Errorf("channels: %s", rows)
	}
}
