//go:build linux

package acceptance_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// Scripts that several cases share. armed is what a script says once its traps
// are set.
const (
	armed     = `ready: {logLine: armed}`
	deafShell = `[/bin/sh, -c, "trap '' TERM; echo armed; exec sleep 600"]`
)

// script makes a command that runs a shell script.
func script(text string) string { return fmt.Sprintf("[/bin/sh, -c, %q]", text) }

// timing is what a test reads of a row of ps beyond instance.
type timing struct {
	Name        string     `json:"name"`
	Health      string     `json:"health"`
	NextStartAt *time.Time `json:"nextStartAt"`
	Memory      int64      `json:"memory"`
	LastExit    *struct {
		At time.Time `json:"at"`
	} `json:"lastExit"`
}

// timings lists all instances in the order of ps.
func (p *peerd) timings() (rows []timing) {
	p.t.Helper()
	p.decode(p.must("ps", "-o", "json"), &rows)
	return rows
}

// strike sends a signal to the leader of an instance.
func (p *peerd) strike(name string, sig syscall.Signal) {
	p.t.Helper()
	i := p.of(name)
	if i.Pid == 0 {
		p.t.Fatalf("%s has no process: %v", name, i)
	}
	if err := syscall.Kill(i.Pid, sig); err != nil {
		p.t.Fatal(err)
	}
}

// generation waits until an instance runs in a generation.
func (p *peerd) generation(name string, n uint64) instance {
	p.t.Helper()
	return p.until(name, fmt.Sprintf("runs in generation %d", n), func(i instance) bool {
		return i.Generation == n && i.Status == "running"
	})
}

// launches counts the processes that an instance ever had.
func launches(history []record) (n int) {
	for _, r := range history {
		if r.Detail == "spawned" {
			n++
		}
	}
	return n
}

// milestones are the spawns and ends of some instances after a record, in
// order: "+a" and "-a".
func (p *peerd) milestones(after uint64, names ...string) (steps []string) {
	p.t.Helper()
	for _, r := range p.events() {
		if r.Seq <= after || !slices.Contains(names, r.Name) {
			continue
		}
		switch {
		case r.Detail == "spawned":
			steps = append(steps, "+"+r.Name)
		case r.Exit != nil:
			steps = append(steps, "-"+r.Name)
		}
	}
	return steps
}

// last is the number of the newest record.
func (p *peerd) last() uint64 {
	p.t.Helper()
	all := p.events()
	return all[len(all)-1].Seq
}

// stopTook is how long the last stop of an instance took.
func (p *peerd) stopTook(name string) time.Duration {
	p.t.Helper()
	history := p.history(name)
	slices.Reverse(history)
	asked, ok := find(history, func(r record) bool { return r.To == lifecycle.Stopping && r.From != lifecycle.Stopping })
	if !ok || history[0].Exit == nil {
		p.t.Fatalf("%s was not stopped: %+v", name, history)
	}
	return history[0].At.Sub(asked.At)
}

// within wants a duration of what was promised, or somewhat more: the machine
// may be busy.
func (p *peerd) within(what string, took, promised time.Duration) {
	p.t.Helper()
	if took < promised || took > promised+3*time.Second {
		p.t.Errorf("%s took %v, promised is %v", what, took, promised)
	}
}

// none wants that no process of this peer's components lives.
func (p *peerd) none() {
	p.t.Helper()
	for _, pid := range p.processes() {
		p.t.Errorf("pid %d lives: %s", pid, commandOf(pid))
	}
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// log is what peerd wrote on stderr.
func (p *peerd) log() string {
	p.t.Helper()
	b, err := os.ReadFile(p.path("peerd.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// checksum is a file's SHA-256 in hexadecimal.
func checksum(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// metrics is what the API gives on /metrics.
func (p *peerd) metrics() string {
	p.t.Helper()
	conn, err := net.Dial("unix", p.socket())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.0\r\nHost: peerd\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}
