//go:build linux

package acceptance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// company is what is tortured: steady and talker are left alone, short ends and
// is restarted all the time, and the others are acted on. All keep diaries.
const company = `defaults:
  logs: {maxSize: 4KiB, maxFiles: 1000, maxLine: 1KiB}
  componentStopWaitTime: 30s
  restart: {delay: 20ms, maxDelay: 100ms, limit: {count: 0}}
components:
  steady: {command: ["${DIARIST}", "${DIARIES}/steady"], ready: {startSeconds: 0s}}
  talker: {descriptor: "${DESCRIPTOR}", command: ["${DIARIST}", -ccp, "${DIARIES}/talker"]}
  toy: {command: ["${DIARIST}", "${DIARIES}/toy"], ready: {startSeconds: 0s}}
  slow: {command: ["${DIARIST}", -stop, 50ms, -exit, "5", "${DIARIES}/slow"], ready: {startSeconds: 0s}}
  other: {descriptor: "${DESCRIPTOR}", command: ["${DIARIST}", -ccp, "${DIARIES}/other"]}
  short: {command: ["${DIARIST}", -life, 300ms, "${DIARIES}/short"], ready: {startSeconds: 0s}}
`

// toys are the instances that are acted on.
var toys = []string{"toy", "slow", "other"}

// tortured is a peer whose people keep diaries, and what is known of them. It
// belongs to the test's goroutine.
type tortured struct {
	*peerd
	evidence torture.Evidence
	acks     []torture.Ack
	chance   *rand.Rand
	read     map[string]int64 // bytes of each diary that were read
	edits    int              // of the profile
	guards   int              // turns of those who were killed beside the victims
}

// torment starts a peer with the company, waits until all of it runs, and has
// everything judged at the end. A witness ticks beside it.
func torment(t testing.TB) *tortured {
	t.Helper()
	return tormentOn(t, func(*peerd) {})
}

// tormentOn is torment on a ground that was prepared.
func tormentOn(t testing.TB, prepared func(*peerd)) *tortured {
	t.Helper()
	p := prepare(t, company)
	prepared(p)
	if err := os.Mkdir(p.path("diaries"), 0o755); err != nil {
		t.Fatal(err)
	}
	x := &tortured{peerd: p, chance: rand.New(rand.NewPCG(seed(t), 0)), read: map[string]int64{}}
	x.evidence = torture.Evidence{
		Diaries: map[string][]torture.Line{}, Untouched: map[string]torture.ID{}, Desired: map[string]string{}, Asks: 1,
	}
	x.bearWitness()
	x.run()
	x.ready()
	x.running("steady", "talker", "toy", "slow", "other")
	for _, name := range []string{"steady", "talker"} {
		i := x.of(name)
		process, ok := torture.ProcessOf(i.Pid)
		if !ok {
			t.Fatalf("%s does not live: %v", name, i)
		}
		x.evidence.Untouched[name] = process.ID
	}
	return x
}

// bearWitness starts a diarist that nobody supervises.
func (x *tortured) bearWitness() {
	x.t.Helper()
	cmd := exec.Command(program("diarist"), x.path("witness"))
	if err := cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// run starts peerd; a stop that is under way is asked for again by each.
func (x *tortured) run() {
	x.t.Helper()
	x.evidence.Asks++
	x.peerd.run()
}

// act has ccpc do something, and remembers what was promised.
func (x *tortured) act(verb string, args ...string) result {
	x.t.Helper()
	asked := time.Now()
	return x.heard(asked, x.ccpc(append([]string{verb, "-o", "json"}, args...)...))
}

// heard remembers what the answer to a verb promised. Whom it names without
// saying what became of him may be either.
func (x *tortured) heard(asked time.Time, r result) result {
	x.t.Helper()
	if r.code < 0 {
		x.t.Errorf("no answer in %v: %v", 2*patience, r)
	}
	var rows []struct{ Name, Outcome, Status string }
	_ = json.Unmarshal([]byte(r.stdout), &rows) // one that failed has no rows
	for _, name := range toys {
		if slices.Contains(r.args, name) {
			delete(x.evidence.Desired, name)
		}
	}
	for _, row := range rows {
		switch row.Outcome {
		case "started", "stopped", "already":
			x.acks = append(x.acks, torture.Ack{Name: row.Name, Status: row.Status, Asked: asked, Answered: time.Now()})
		case "accepted":
		default:
			continue
		}
		x.evidence.Desired[row.Name] = "up"
		if r.args[0] == "stop" || r.args[0] == "kill" {
			x.evidence.Desired[row.Name] = "down"
		}
	}
	return r
}

// soak reports whether the long form of a test is asked for ("make soak").
func soak() bool { return os.Getenv("PEERD_SOAK") != "" }

// rounds is how often something is done in the short form and in the long one.
func rounds(short, long int) int {
	if soak() {
		return long
	}
	return short
}

// seed is what a test's chance begins with: PEERD_SEED, else the time.
func seed(t testing.TB) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("PEERD_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatalf("PEERD_SEED=%s is no number", text)
		}
	}
	t.Logf("PEERD_SEED=%d", n)
	return n
}
