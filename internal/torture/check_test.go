package torture

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// The people of the forged evidence: first was stopped and is followed by
// second, calm is left alone, and short ends with 37 by itself.
var (
	first  = ID{100, 10}
	second = ID{200, 20}
	calm   = ID{300, 30}
	short  = ID{400, 40}
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// script makes records of one instance: each is from, to, and what else is in
// it.
func script(name string, generation uint64, steps ...Record) []Record {
	for i := range steps {
		steps[i].Name, steps[i].Generation = name, generation
	}
	return steps
}

// honest is evidence against which nothing can be said.
func honest() *Evidence {
	starting := Record{To: lifecycle.Starting}
	spawned := func(pid int) Record {
		return Record{From: lifecycle.Starting, To: lifecycle.Starting, Pid: pid, Detail: "spawned"}
	}
	running := func(pid int) Record { return Record{From: lifecycle.Starting, To: lifecycle.Running, Pid: pid} }
	again := starting
	again.From = lifecycle.Backoff
	records := slices.Concat(
		script("toy", 1, starting, spawned(first.Pid), running(first.Pid),
			Record{From: lifecycle.Running, To: lifecycle.Stopping, Pid: first.Pid},
			Record{From: lifecycle.Stopping, To: lifecycle.Backoff, Exit: &Exit{Code: 5}}),
		script("toy", 2, again, spawned(second.Pid), running(second.Pid)),
		script("calm", 1, starting, spawned(calm.Pid), running(calm.Pid)),
		script("short", 1, starting, spawned(short.Pid), running(short.Pid),
			Record{From: lifecycle.Running, To: lifecycle.Completed, Exit: &Exit{Code: 37}}),
	)
	for i := range records {
		records[i].Seq, records[i].At = uint64(i+1), epoch.Add(time.Duration(i)*time.Second)
	}
	e := &Evidence{
		Records: records,
		Instances: map[string]Instance{
			"toy":   {Name: "toy", Generation: 2, Desired: "up", Status: "running", Pid: second.Pid},
			"calm":  {Name: "calm", Generation: 1, Desired: "up", Status: "running", Pid: calm.Pid},
			"short": {Name: "short", Generation: 1, Desired: "up", Status: "completed"},
		},
		Diaries: map[string][]Line{
			"toy": slices.Concat(
				diary(first, "begin", "tick 1", "tick 2", "signal SIGTERM", "tick 3", "end 5"),
				diary(second, "begin", "tick 1")),
			"calm":  diary(calm, "begin", "tick 1", "tick 2"),
			"short": diary(short, "begin", "tick 1", "end 37"),
		},
		Living:    map[string][]ID{"toy": {second}, "calm": {calm}},
		Captured:  map[string][]string{"toy": {"100.10 1", "100.10 2", "100.10 3", "200.20 1"}, "calm": {"300.30 1"}, "short": {"400.40 1"}},
		Untouched: map[string]ID{"calm": calm},
		Desired:   map[string]string{"toy": "up", "calm": "up"},
	}
	for n := range 5000 {
		e.Witness = append(e.Witness, time.Duration(n)*time.Millisecond)
	}
	return e
}

// diary makes lines of one life, 10 ms apart, words as "tick 1".
func diary(id ID, words ...string) (lines []Line) {
	for i, w := range words {
		l, err := ParseLine(fmt.Sprintf("%v %d %s", id, int64(i)*10e6, w))
		if err != nil {
			panic(err)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestHonestEvidence(t *testing.T) {
	if found := Check(*honest()); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// end is the exit of the nth generation of a name in records.
func (e *Evidence) end(name string, generation uint64) **Exit {
	i := slices.IndexFunc(e.Records, func(r Record) bool { return r.Name == name && r.Generation == generation && r.Exit != nil })
	return &e.Records[i].Exit
}

// forgeries break one promise each.
var forgeries = []struct {
	what, promise string
	forge         func(e *Evidence)
}{
	{"a twin is met", "one life at a time", func(e *Evidence) {
		e.Diaries["toy"] = append(e.Diaries["toy"], diary(second, "twin 100.10")...)
	}},
	{"the dead go on", "one life at a time", func(e *Evidence) {
		e.Diaries["toy"] = append(e.Diaries["toy"], diary(first, "tick 4")...)
	}},
	{"/proc shows two", "one life at a time", func(e *Evidence) {
		e.Living["toy"] = []ID{second, {201, 20}}
	}},
	{"a record twice", "the history is a path of the machine", func(e *Evidence) {
		e.Records = append(e.Records, e.Records[len(e.Records)-1])
	}},
	{"a record is missing", "the history is a path of the machine", func(e *Evidence) {
		e.Records = slices.Delete(e.Records, 3, 4)
	}},
	{"no end", "each start has one end", func(e *Evidence) { *e.end("toy", 1) = nil }},
	{"two ends", "each start has one end", func(e *Evidence) { e.Records[3].Exit = &Exit{Code: 5} }},
	{"an end of what lives", "each start has one end", func(e *Evidence) { e.Records[7].Exit = &Exit{Code: 0} }},
	{"an unknown end", "each start has one end", func(e *Evidence) {
		*e.end("short", 1) = &Exit{Code: -1, Reason: "it ended while nobody watched"}
	}},
	{"another exit code", "each life is a start in the history", func(e *Evidence) { *e.end("short", 1) = &Exit{Code: 1} }},
	{"a signal nobody sent", "each life is a start in the history", func(e *Evidence) {
		*e.end("short", 1) = &Exit{Code: -1, Signal: "SIGKILL"}
	}},
	{"a code of who was cut off", "each life is a start in the history", func(e *Evidence) {
		e.Diaries["short"] = e.Diaries["short"][:2]
	}},
	{"an unknown life", "each life is a start in the history", func(e *Evidence) {
		e.Diaries["toy"] = slices.Concat(diary(ID{99, 9}, "begin"), e.Diaries["toy"])
	}},
	{"a start without a life", "each life is a start in the history", func(e *Evidence) {
		e.Diaries["short"], e.Captured["short"] = nil, nil
	}},
	{"a process of what was not spawned", "each life is a start in the history", func(e *Evidence) {
		*e.end("short", 1) = &Exit{Code: -1, Reason: "not spawned: no file"}
		for i := range e.Records {
			if e.Records[i].Name == "short" {
				e.Records[i].Pid = 0
			}
		}
	}},
	{"a tick is missing", "ticks have no gap", func(e *Evidence) {
		e.Diaries["toy"] = slices.Delete(e.Diaries["toy"], 1, 2)
		e.Captured["toy"] = nil
	}},
	{"a tick too late", "ticks have no gap", func(e *Evidence) { e.Diaries["calm"][2].At = 4 * time.Second }},
	{"stopped for a while", "signals have a reason", func(e *Evidence) {
		e.Diaries["toy"] = append(e.Diaries["toy"], diary(second, "signal SIGCONT")...)
	}},
	{"an unasked stop", "signals have a reason", func(e *Evidence) {
		e.Diaries["toy"] = append(e.Diaries["toy"], diary(second, "signal SIGTERM")...)
	}},
	{"a signal to who is left alone", "signals have a reason", func(e *Evidence) {
		e.Diaries["calm"] = append(e.Diaries["calm"], diary(calm, "signal SIGTERM")...)
	}},
	{"asked again and again", "signals have a reason", func(e *Evidence) {
		e.Diaries["toy"] = slices.Insert(e.Diaries["toy"], 4, diary(first, "signal SIGTERM")...)
	}},
	{"a line is lost", "every line is captured once", func(e *Evidence) { e.Captured["toy"] = slices.Delete(e.Captured["toy"], 1, 2) }},
	{"the last line of a whole life is lost", "every line is captured once", func(e *Evidence) {
		e.Captured["toy"] = slices.Delete(e.Captured["toy"], 2, 3)
	}},
	{"a line twice", "every line is captured once", func(e *Evidence) {
		e.Captured["toy"] = slices.Insert(e.Captured["toy"], 1, "100.10 1")
	}},
	{"a torn line", "every line is captured once", func(e *Evidence) { e.Captured["toy"][2] = "100.1" }},
	{"lines mixed", "every line is captured once", func(e *Evidence) {
		e.Captured["toy"] = []string{"100.10 1", "200.20 1", "100.10 2", "100.10 3"}
	}},
	{"lines of nobody", "every line is captured once", func(e *Evidence) {
		e.Captured["toy"] = append(e.Captured["toy"], "999.9 1")
	}},
	{"a neighbour was replaced", "who is left alone stays who he is", func(e *Evidence) {
		e.Untouched["toy"] = first
	}},
	{"a neighbour is gone", "who is left alone stays who he is", func(e *Evidence) { delete(e.Living, "calm") }},
	{"ps shows the dead", "ps shows who lives", func(e *Evidence) { delete(e.Living, "toy") }},
	{"ps shows nobody", "ps shows who lives", func(e *Evidence) { e.Living["short"] = []ID{short} }},
	{"ps does not know", "ps shows who lives", func(e *Evidence) { delete(e.Instances, "calm") }},
	{"a stop is undone", "what was acknowledged holds", func(e *Evidence) { e.Desired["toy"] = "down" }},
	{"who is down lives", "what was acknowledged holds", func(e *Evidence) {
		e.Desired["toy"] = "down"
		i := e.Instances["toy"]
		i.Desired = "down"
		e.Instances["toy"] = i
	}},
	{"who was told is gone", "what was acknowledged holds", func(e *Evidence) { e.Desired["ghost"] = "down" }},
}

func TestForgeriesAreFound(t *testing.T) {
	broken := map[string]bool{}
	for _, f := range forgeries {
		e := honest()
		f.forge(e)
		found := Check(*e)
		if !slices.ContainsFunc(found, func(v Violation) bool { return v.Promise == f.promise }) {
			t.Errorf("%s: found is %v", f.what, found)
		}
		broken[f.promise] = true
	}
	for _, p := range promises {
		if !broken[p.name] {
			t.Errorf("no forgery breaks %q", p.name)
		}
	}
}

// What may happen is no violation: it is killed before it writes a word, a
// launch that never came to a process, a stop asked for again by the next peer.
func TestWhatMayHappen(t *testing.T) {
	for what, change := range map[string]func(e *Evidence){
		"killed before its first word": func(e *Evidence) {
			e.Diaries["toy"] = diary(second, "begin", "tick 1")
			e.Captured["toy"] = []string{"200.20 1"}
			*e.end("toy", 1) = &Exit{Code: -1, Signal: "SIGKILL"}
		},
		"not spawned": func(e *Evidence) {
			e.Diaries["short"], e.Captured["short"] = nil, nil
			*e.end("short", 1) = &Exit{Code: -1, Reason: "not spawned: no file"}
		},
		"a pid that was never written down": func(e *Evidence) {
			for i := range e.Records {
				if e.Records[i].Pid == first.Pid {
					e.Records[i].Pid = 0
				}
			}
		},
		"asked again by the next peer": func(e *Evidence) {
			e.Asks = 2
			e.Diaries["toy"] = slices.Insert(e.Diaries["toy"], 4, diary(first, "signal SIGTERM")...)
		},
		"killed between its last tick and saying it": func(e *Evidence) {
			e.Diaries["calm"] = append(e.Diaries["calm"], diary(calm, "tick 3")...)
			e.Captured["calm"] = []string{"300.30 1", "300.30 2"}
		},
		"told to stop before its first tick": func(e *Evidence) {
			e.Diaries["toy"] = slices.Concat(diary(first, "begin"), diary(second, "begin", "tick 1"))
			e.Captured["toy"] = []string{"200.20 1"}
			*e.end("toy", 1) = &Exit{}
		},
		"a signal noted over its end": func(e *Evidence) {
			e.Diaries["toy"] = slices.Concat(
				diary(first, "begin", "tick 1", "tick 2", "tick 3", "end 5", "signal SIGTERM"),
				diary(second, "begin", "tick 1"))
		},
		"killed while it ends": func(e *Evidence) { *e.end("toy", 1) = &Exit{Code: -1, Signal: "SIGKILL"} },
		"silent, and so was the witness": func(e *Evidence) {
			e.Diaries["calm"][2].At = 4 * time.Second
			e.Witness = []time.Duration{0, 4 * time.Second}
		},
		"nobody looked": func(e *Evidence) { *e = Evidence{Records: e.Records, Diaries: e.Diaries} },
	} {
		e := honest()
		change(e)
		if found := Check(*e); len(found) > 0 {
			t.Errorf("%s: %v", what, found)
		}
	}
}

// A start that was killed before it wrote a word, and whose pid nobody wrote down,
// does not take the life of the next one.
func TestALifeGoesToTheStartWithItsPid(t *testing.T) {
	e := honest()
	e.Records = slices.Concat(
		script("toy", 1, Record{Seq: 1, To: lifecycle.Starting}, Record{Seq: 2, From: lifecycle.Starting, To: lifecycle.Backoff, Exit: &Exit{Code: -1, Signal: "SIGKILL"}}),
		script("toy", 2, Record{Seq: 3, From: lifecycle.Backoff, To: lifecycle.Starting}, Record{Seq: 4, From: lifecycle.Starting, To: lifecycle.Starting, Pid: second.Pid}, Record{Seq: 5, From: lifecycle.Starting, To: lifecycle.Completed, Exit: &Exit{Code: 37}}))
	e = &Evidence{Records: e.Records, Diaries: map[string][]Line{"toy": diary(second, "begin", "tick 1", "end 37")}}
	if found := Check(*e); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

func TestKept(t *testing.T) {
	before, after := honest().Records, honest().Records
	if found := Kept(before, append(after, Record{Seq: 999})); len(found) > 0 {
		t.Errorf("%v", found)
	}
	if found := Kept(before, after[2:]); len(found) > 0 {
		t.Errorf("the oldest have aged out: %v", found)
	}
	if found := Kept(before, after[:len(after)-1]); len(found) != 1 {
		t.Errorf("a lost record: %v", found)
	}
	after[4].Exit = &Exit{Code: 6}
	if found := Kept(before, after); len(found) != 1 {
		t.Errorf("another exit: %v", found)
	}
}

func TestAcknowledged(t *testing.T) {
	records := honest().Records
	for i := range records { // each is on disk long before the next
		records[i].At = records[0].At.Add(time.Duration(i) * 2 * written)
	}
	ack := func(name, status string, asked, answered int) Ack {
		return Ack{name, status, records[asked-1].At.Add(written), records[answered-1].At.Add(written)}
	}
	right := []Ack{
		ack("toy", "running", 3, 3), ack("toy", "stopping", 3, 5), ack("toy", "running", 3, 5), ack("toy", "backoff", 3, 5),
		ack("short", "completed", 15, 15),
		{"toy", "running", records[3].At.Add(time.Millisecond), records[3].At.Add(2 * time.Millisecond)}, // not on disk yet
	}
	if found := Acknowledged(right, records); len(found) > 0 {
		t.Errorf("%v", found)
	}
	wrong := []Ack{
		ack("toy", "running", 1, 2), ack("toy", "running", 4, 5), ack("toy", "stopped", 3, 5), ack("calm", "running", 1, 1),
		ack("ghost", "stopped", 1, 15),
	}
	if found := Acknowledged(wrong, records); len(found) != len(wrong) {
		t.Errorf("%v", found)
	}
}

func TestBaseline(t *testing.T) {
	before := Usage{Files: 10, Threads: 8, Goroutines: 20, MemoryKiB: 30 << 10}
	within := Usage{Files: 9, Threads: 8 + slack.Threads, Goroutines: 20, MemoryKiB: 30<<10 + slack.MemoryKiB}
	if found := Baseline("peerd", before, within); len(found) > 0 {
		t.Errorf("%v", found)
	}
	if found := Baseline("peerd", before, Usage{Files: 11, Threads: 100, Goroutines: 21, MemoryKiB: 1 << 20}); len(found) != 4 {
		t.Errorf("%v", found)
	}
}

func TestLines(t *testing.T) {
	for _, l := range []Line{{first, 17, Begin, ""}, {second, 1 << 40, Tick, "12"}} {
		if got, err := ParseLine(l.String()); err != nil || got != l {
			t.Errorf("%v, %v", got, err)
		}
	}
	for _, text := range []string{"", "1.1 2", "1 2 tick 3", "x.1 2 tick", "1.x 2 tick", "1.1 x tick", "1.1 2 tick 3 4"} {
		if l, err := ParseLine(text); err == nil {
			t.Errorf("%q: %v", text, l)
		}
	}
}
