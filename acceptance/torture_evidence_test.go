//go:build linux

package acceptance_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/internal/torture"
)

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
