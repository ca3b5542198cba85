//go:build linux

package acceptance_test

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

// A changed file is applied without being asked: only what changed is touched.
func TestAChangedFileIsApplied(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.of("ticker")
	p.write("components:" + ticker + `
  more: {command: [/bin/sleep, "601"]}
`)
	p.waitFor("more runs and plain is gone", func() bool {
		all := p.ps()
		_, plain := all["plain"]
		return all["more"].Status == "running" && !plain
	})
	if now := p.of("ticker"); now.Pid != before.Pid || now.Generation != before.Generation {
		t.Errorf("ticker was %v and is %v", before, now)
	}
	if last := p.history("plain"); last[len(last)-1].Exit == nil {
		t.Errorf("the history of what left the plan: %+v", last)
	}
	p.write(pair)
	p.running("plain")
	if i := p.of("plain"); i.Generation != 2 {
		t.Errorf("plain, when it came back: %v", i)
	}
	p.write(strings.Replace("components:"+ticker, "50ms", "60ms", 1))
	p.until("ticker", "was restarted", func(i instance) bool { return i.Generation == before.Generation+1 && i.Status == "running" })
}

// A symbolic link that is swapped, as deployments do it, is a change too.
func TestASwappedSymlinkIsApplied(t *testing.T) {
	t.Parallel()
	p := prepare(t, "")
	for _, dir := range []string{"v1", "v2"} {
		if err := os.Mkdir(p.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	top := strings.NewReplacer("state,", "../state,", "run}", "../run}").Replace(head)
	p.put("v1/profile.yaml", top+"components: {one: {command: [/bin/sleep, '600']}}")
	p.put("v2/profile.yaml", top+"components: {two: {command: [/bin/sleep, '600']}}")
	link := func(to string) {
		if err := os.Symlink(to, p.path("next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(p.path("next"), p.path("current")); err != nil {
			t.Fatal(err)
		}
	}
	link("v1")
	p.profile = p.path("current/profile.yaml")
	p.run()
	p.ready()
	p.running("one")
	link("v2")
	p.waitFor("two has taken the place of one", func() bool {
		all := p.ps()
		return len(all) == 1 && all["two"].Status == "running"
	})
}

// An invalid file leaves all as it was, and status says so until it is mended.
func TestAnInvalidFileLeavesAllAsItIsAndStatusSaysSo(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.pids()
	p.write("components: {ticker: {comand: [/bin/true]}}")
	p.waitFor("status says what is wrong", func() bool {
		return strings.Contains(strings.Join(p.degraded(), "\n"), "profile.yaml:3:23: components.ticker.comand")
	})
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	// Its log is in the profile's folder: what it writes there is no news.
	size, since := 0, time.Now()
	p.waitFor("it says so no more", func() bool {
		if now := len(p.log()); now != size {
			size, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	})
	p.refused(7, "profile.yaml:3:23", "reload")
	p.refused(7, "profile.yaml:3:23", "reload", "--dry-run")
	p.write(pair)
	p.waitFor("status is content", func() bool { return len(p.degraded()) == 0 })
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// degraded is what status has to say against the peer.
func (p *peerd) degraded() []string {
	p.t.Helper()
	var status struct{ Degraded []string }
	p.decode(p.must("status", "-o", "json"), &status)
	return status.Degraded
}

// --dry-run says what would change, and changes nothing.
func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.pids()
	if out := p.must("reload", "--dry-run", "-o", "json"); !strings.Contains(out, `"changes": []`) {
		t.Errorf("an unchanged file: %s", out)
	}
	// A folder that nobody watches would hide the change from peerd: ask quickly.
	p.write(pair + `  third: {command: [/bin/sleep, "600"], enabled: false}`)
	if out := p.must("reload", "-o", "json"); !strings.Contains(out, `"third"`) && !strings.Contains(out, `"changes": []`) {
		t.Errorf("reload: %s", out)
	}
	if now := p.pids("ticker", "plain"); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// A live change touches no process.
func TestLoggersAndRestartPolicyChangeLive(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	before := p.pids()
	p.write("components:" + ticker + "    loggers: {ticker: debug}\n    restart: {policy: never}\n")
	p.waitFor("a debug line", func() bool { return strings.Contains(p.must("logs", "ticker", "--tail", "5"), "[DEBUG]") })
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	kill(t, p.of("ticker").Pid)
	p.is("ticker", "failed")
}
