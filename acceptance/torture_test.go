//go:build linux

package acceptance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	p := prepare(t, company)
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

// healing is how long what is wrong may take to right itself: what was under
// way when it was looked at is over then.
const healing = 20 * time.Second

// judge collects the evidence and has it judged. What is wrong only because it
// was looked at in the wrong moment is looked at again.
func (x *tortured) judge() {
	x.t.Helper()
	for _, v := range x.violations(x.collect) {
		x.t.Errorf("%v", v)
	}
}

// soon is waitFor for what costs nothing to look at.
func (x *tortured) soon(what string, cond func() bool) {
	x.t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// violations judges what collect gathers until nothing is wrong. After a time
// it returns what was wrong twice in a row.
func (x *tortured) violations(collect func()) []torture.Violation {
	x.t.Helper()
	var before []torture.Violation
	for deadline := time.Now().Add(healing); ; time.Sleep(10 * time.Millisecond) {
		collect()
		found := append(torture.Check(x.evidence), torture.Acknowledged(x.acks, x.evidence.Records)...)
		if len(found) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return slices.DeleteFunc(found, func(v torture.Violation) bool { return !slices.Contains(before, v) })
		}
		before = found
	}
}

// collect gathers what can be seen now. Diaries come before the journal, which
// must know all that they tell of.
func (x *tortured) collect() {
	x.t.Helper()
	for _, name := range append(slices.Collect(maps.Keys(x.evidence.Diaries)), x.newDiaries()...) {
		x.evidence.Diaries[name] = append(x.evidence.Diaries[name], x.readDiary("diaries/"+name)...)
	}
	for _, line := range x.readDiary("witness") {
		x.evidence.Witness = append(x.evidence.Witness, line.At)
	}
	x.evidence.Living = map[string][]torture.ID{}
	for _, p := range torture.Processes("TMPDIR=" + x.path("tmp")) {
		if file := p.Argv[len(p.Argv)-1]; filepath.Dir(file) == x.path("diaries") {
			name := filepath.Base(file)
			x.evidence.Living[name] = append(x.evidence.Living[name], p.ID)
		}
	}
	x.evidence.Instances = x.ps()
	x.evidence.Records = append(x.evidence.Records, x.recordsSince(x.evidence.Records)...)
}

// newDiaries are the names of those who were not heard of yet.
func (x *tortured) newDiaries() (names []string) {
	x.t.Helper()
	files, err := os.ReadDir(x.path("diaries"))
	if err != nil {
		x.t.Fatal(err)
	}
	for _, f := range files {
		if _, known := x.evidence.Diaries[f.Name()]; !known {
			names = append(names, f.Name())
		}
	}
	return names
}

// readDiary reads what was added to a diary since it was read last.
func (x *tortured) readDiary(file string) (lines []torture.Line) {
	x.t.Helper()
	f, err := os.Open(x.path(file))
	if err != nil {
		return nil // nobody wrote yet
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		x.t.Fatal(err)
	}
	text := make([]byte, max(0, info.Size()-x.read[file]))
	if _, err := f.ReadAt(text, x.read[file]); err != nil && len(text) > 0 {
		x.t.Fatal(err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	x.read[file] += int64(len(text))
	for line := range strings.Lines(string(text)) {
		l, err := torture.ParseLine(line)
		if err != nil {
			x.t.Fatalf("%s: %v", file, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// recordsSince is what the journal holds beyond what is known.
func (x *tortured) recordsSince(known []record) (news []record) {
	x.t.Helper()
	var since uint64
	if len(known) > 0 {
		since = known[len(known)-1].Seq
	}
	for line := range strings.Lines(x.must("events", "--since", strconv.FormatUint(since, 10), "-o", "json")) {
		var r record
		x.decode(line, &r)
		news = append(news, r)
	}
	return news
}

// finish stops everything and judges for the last time, with all that was
// captured and the whole journal read again.
func (x *tortured) finish() {
	x.t.Helper()
	if r := x.ccpc("stop", "--all"); r.code != 0 {
		x.t.Errorf("at the end: %v", r)
	}
	clear(x.evidence.Untouched)
	clear(x.evidence.Desired)
	found := x.violations(func() {
		x.collect()
		x.evidence.Captured = map[string][]string{}
		for name := range x.evidence.Diaries {
			x.evidence.Captured[name] = slices.Collect(trimmedLines(x.captured(name)))
		}
	})
	found = append(found, torture.Kept(x.evidence.Records, x.events())...)
	for _, v := range found {
		x.t.Errorf("%v", v)
	}
	if text, _ := os.ReadFile(x.path("run/keeper.log")); len(text) > 0 {
		x.t.Errorf("the keeper's last words:\n%s", text)
	}
}

// trimmedLines are the lines of a text without their ends.
func trimmedLines(text []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(text)) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}

// captured is all that was captured of an instance's stdout.
func (p *peerd) captured(name string) (all []byte) {
	p.t.Helper()
	files, err := filepath.Glob(p.path("state/logs/*/" + name + "/out.log*"))
	if err != nil {
		p.t.Fatal(err)
	}
	number := func(file string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Ext(file), "."))
		return n
	}
	slices.SortFunc(files, func(a, b string) int { return number(b) - number(a) })
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
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
