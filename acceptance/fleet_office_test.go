//go:build linux

package acceptance_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// deed is one line of what deputies write: see internal/testcomponents/deputy.
type deed struct {
	what, who string
	term      uint64 // or what was counted
}

// book is the file that deputies write to, as far as it has been read.
type book struct {
	t    testing.TB
	file string
	read int64
	all  []deed
}

// deeds are what deputies have done so far, in order.
func (b *book) deeds() []deed {
	b.t.Helper()
	file, err := os.Open(b.file)
	if err != nil {
		return b.all // nobody has done anything yet
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, b.read, 1<<30))
	if err != nil {
		b.t.Fatal(err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	b.read += int64(len(whole))
	for line := range strings.Lines(string(whole)) {
		words := strings.Fields(line)
		if len(words) != 3 {
			b.t.Fatalf("%s: %q", b.file, line)
		}
		term, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			b.t.Fatalf("%s: %q", b.file, line)
		}
		b.all = append(b.all, deed{words[0], words[1], term})
	}
	return b.all
}

// deputyBody is the part of a profile with a deputy.
func deputyBody(name, file string) string {
	return fmt.Sprintf(`
components:
  deputy:
    descriptor: %s
    command: [%s]
    runOn: primary
    config: {name: %s, file: %s}
`, descriptorFile, program("deputy"), name, file)
}

// whoDid waits until somebody else than not has acted, after a number of lines,
// and returns that deed.
func (b *book) whoDid(p *peerd, after int, not string) (last deed) {
	p.t.Helper()
	p.waitFor("somebody acts who is not "+not, func() bool {
		all := b.deeds()
		for _, d := range all[min(after, len(all)):] {
			if d.what == "did" && d.who != not {
				last = d
				return true
			}
		}
		return false
	})
	return last
}

// oneByTerm wants that in each term one alone has acted.
func oneByTerm(t testing.TB, all []deed) {
	t.Helper()
	by := map[uint64]string{}
	for _, d := range all {
		if d.what != "did" {
			continue
		}
		if other := by[d.term]; other != "" && other != d.who {
			t.Errorf("in term %d both %s and %s have acted", d.term, other, d.who)
		}
		by[d.term] = d.who
	}
}

// A primary that is stopped as a whole for longer than its lease does nothing
// when it goes on: not what it runs, and not the peer.
func TestAPrimaryThatSleptDoesNotAct(t *testing.T) {
	t.Parallel()
	c, address := startController(t)
	b := &book{t: t, file: c.path("deeds")}
	peers := map[string]*peerd{}
	for _, name := range []string{"one", "two"} {
		p := member(t, name, address, deputyBody(name, b.file))
		p.run()
		p.ready()
		p.waitFor(name+" is connected", p.connected)
		peers[name] = p
	}
	first := b.whoDid(c, 0, "")
	slept := peers[first.who]
	pid := slept.of("deputy").Pid
	all := []int{slept.cmd.Process.Pid, slept.status().KeeperPid, pid}
	for _, pid := range all {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	next := b.whoDid(c, 0, first.who)
	if next.term <= first.term {
		t.Errorf("%+v followed %+v", next, first)
	}
	c.waitFor("the lease of the one that sleeps is over", func() bool { return time.Since(began) > 11*time.Second })

	before := len(b.deeds())
	wake := func(pid int) {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && err != syscall.ESRCH {
			t.Error(err)
		}
	}
	wake(pid) // alone: nobody is there to tell it anything
	c.waitFor("what it ran goes on", func() bool {
		refrained := 0
		for _, d := range b.deeds()[before:] {
			if d.who == first.who && d.what == "refrained" {
				refrained++
			}
		}
		return refrained > 3
	})
	for _, pid := range all {
		wake(pid)
	}
	slept.until("deputy", "waits", func(i instance) bool { return i.Status == "waiting" })
	slept.waitFor("it is back, and not primary", func() bool { return slept.connected() && !slept.status().Connector.Primary })
	b.whoDid(c, len(b.deeds()), first.who)
	for _, d := range b.deeds()[before:] {
		if d.what == "did" && d.who == first.who {
			t.Errorf("the one that slept has acted: %+v", d)
			break
		}
	}
	oneByTerm(t, b.deeds())
}
