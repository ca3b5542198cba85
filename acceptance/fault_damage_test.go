//go:build linux

package acceptance_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// keptAlive is what lives on while the journal is damaged.
const keptAlive = `
components:` + ticker + `
  one: {command: [/bin/sleep, infinity]}
  two: {command: [/bin/sleep, infinity], replicas: 2}
  tree: {command: [/bin/sh, -c, "sleep infinity & exec sleep infinity"]}
  down: {command: [/bin/sleep, infinity]}
`

// Issue 4: the state file corrupted at each byte, and cut there. The next peer
// says so and touches nothing, or finds all that was there: never a duplicate,
// a wrong kill or a wrong start.
func TestADamagedJournal(t *testing.T) {
	t.Parallel()
	shards := 1
	if soak() {
		shards = runtime.NumCPU()
	}
	for shard := range shards {
		t.Run(fmt.Sprintf("part %d of %d", shard+1, shards), func(t *testing.T) {
			t.Parallel()
			damageJournal(t, shard, shards)
		})
	}
}

// damageJournal damages one byte of every so many of a peer's journal.
func damageJournal(t *testing.T, shard, shards int) {
	p := start(t, keptAlive)
	names := []string{"ticker", "one", "two#1", "two#2", "tree"}
	p.running(append(names, "down")...)
	p.must("stop", "down")
	p.must("restart", "one")
	p.must("set-loglevel", "ticker", "ticker", "debug", "--persist")
	before := p.pids(names...)
	p.signal(syscall.SIGKILL)
	p.over()
	file := p.path("state/journal.db")
	sound, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lives := p.leaders()
	slices.Sort(lives)
	d := damaged{p: p, file: file, sound: sound, before: before, lives: lives}
	for _, n := range []int{0, 1, 4096, 8192, len(sound) / 2, len(sound) - 1} {
		d.meet(sound[:n], fmt.Sprintf("it is cut at %d", n))
	}
	offsets := slices.DeleteFunc(d.offsets(), func(at int) bool { return at%shards != shard })
	t.Logf("%d bytes of %d are damaged", len(offsets), len(sound))
	for _, at := range offsets {
		flipped := bytes.Clone(sound)
		flipped[at] ^= byte(1 + rand.IntN(255))
		d.meet(flipped, fmt.Sprintf("byte %d is %#x instead of %#x", at, flipped[at], sound[at]))
		if at%7 == 0 {
			d.meet(sound[:at], fmt.Sprintf("it is cut at %d", at))
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d times refused, %d times all was there", d.refused, d.found)
	if d.refused == 0 || d.found == 0 {
		t.Errorf("%d times refused, %d times all was there", d.refused, d.found)
	}
	d.put(sound)
	p.run()
	p.ready()
	d.isThere("in the end")
}

// damaged is a peer whose journal is damaged again and again.
type damaged struct {
	p              *peerd
	file           string
	sound          []byte
	before         map[string][2]uint64
	lives          []int // the leaders of all trees
	refused, found int
}

// offsets are the bytes to damage: in the long form all that are in use, else
// those of both meta pages' contents, and some of each other page.
func (d *damaged) offsets() (all []int) {
	const page, header, meta = 4096, 16, 64
	used := len(bytes.TrimRight(d.sound, "\x00"))
	if soak() {
		for at := range used {
			all = append(all, at)
		}
		return all
	}
	for at := range header + meta {
		if at%4 == rand.IntN(4) {
			all = append(all, at, page+at)
		}
	}
	for begin := 2 * page; begin < used; begin += page {
		all = append(all, begin+rand.IntN(header), begin+rand.IntN(page), begin+rand.IntN(page))
	}
	return slices.DeleteFunc(all, func(at int) bool { return at >= len(d.sound) })
}

func (d *damaged) put(content []byte) {
	d.p.t.Helper()
	if err := os.WriteFile(d.file, content, 0o600); err != nil {
		d.p.t.Fatal(err)
	}
}

// meet runs a peer on the file and wants it to refuse, or to find all.
func (d *damaged) meet(content []byte, what string) {
	p := d.p
	p.t.Helper()
	d.put(content)
	if err := os.Truncate(p.path("peerd.log"), 0); err != nil {
		p.t.Fatal(err)
	}
	p.run()
	p.waitFor("peerd is ready or over, when "+what, func() bool { return p.isOver() || p.get("/readyz") == 200 })
	if !p.isOver() {
		d.found++
		d.isThere(what)
		p.signal(syscall.SIGKILL)
		p.over()
		return
	}
	d.refused++
	said, _ := os.ReadFile(p.path("peerd.log"))
	if code := p.ended.ExitStatus(); code != 1 || !strings.Contains(string(said), d.file) || !strings.Contains(string(said), "restore it from a backup, or move it away") {
		p.t.Errorf("%s: exit code %d and\n%s", what, code, said)
	}
	if now, _ := os.ReadFile(d.file); !bytes.Equal(now, content) {
		p.t.Errorf("%s: the file that was refused is another now", what)
	}
	d.untouched(what)
}

// isThere wants all to be as before in a peer that runs.
func (d *damaged) isThere(what string) {
	d.p.t.Helper()
	d.p.running(slices.Collect(maps.Keys(d.before))...)
	now := d.p.pids()
	if down := d.p.of("down"); down.Status != "stopped" || down.Desired != "down" {
		d.p.t.Errorf("%s: down is %v", what, down)
	}
	delete(now, "down")
	if !maps.Equal(now, d.before) {
		d.p.t.Errorf("%s: were %v and are %v", what, d.before, now)
	}
	d.untouched(what)
}

// untouched wants the very same trees to live.
func (d *damaged) untouched(what string) {
	d.p.t.Helper()
	now := d.p.leaders()
	slices.Sort(now)
	if !slices.Equal(now, d.lives) {
		d.p.t.Errorf("%s: lived %v and live %v", what, d.lives, now)
	}
}

// The journal is moved away, as its refusal advises: what lived is ended before
// anything starts, be there a keeper who knows of it or not.
func TestAJournalMovedAway(t *testing.T) {
	t.Parallel()
	for _, with := range []string{"the keeper there", "the keeper gone too"} {
		t.Run(with, func(t *testing.T) {
			t.Parallel()
			p := start(t, keptAlive)
			names := []string{"ticker", "one", "two#1", "two#2", "tree", "down"}
			p.running(names...)
			before, keeper := p.leaders(), p.keeperPid()
			p.signal(syscall.SIGKILL)
			p.over()
			if with == "the keeper gone too" {
				if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(p.path("state/journal.db"), p.path("state/journal.bad")); err != nil {
				t.Fatal(err)
			}
			p.run()
			p.ready()
			for _, pid := range before {
				if alive(pid) {
					t.Errorf("pid %d lives beside its successor: %s", pid, commandOf(pid))
				}
			}
			p.running(names...)
			p.nobodyIsUnknown()
		})
	}
}
