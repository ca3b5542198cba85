package torture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// promises are judged one by one, each by the evidence that it needs.
var promises = []struct {
	name  string
	judge func(e *Evidence, say accuse)
}{
	{"one life at a time", oneLifeAtATime},
	{"the history is a path of the machine", isAPath},
	{"each start has one end", oneEndEach},
	{"each life is a start in the history", livesAreStarts},
	{"ticks have no gap", ticksHaveNoGap},
	{"signals have a reason", signalsHaveAReason},
	{"every line is captured once", capturedOnce},
	{"who is left alone stays who he is", untouched},
	{"ps shows who lives", psShowsWhoLives},
	{"what was acknowledged holds", desiredHolds},
}

// accuse says what is wrong with an instance.
type accuse func(name, format string, args ...any)

// Check judges evidence by every promise.
func Check(e Evidence) (found []Violation) {
	for _, p := range promises {
		p.judge(&e, func(name, format string, args ...any) {
			found = append(found, Violation{p.name, name, fmt.Sprintf(format, args...)})
		})
	}
	return found
}

// byName visits the values of a map in the order of its keys.
func byName[V any](m map[string]V, visit func(name string, v V)) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		visit(name, m[name])
	}
}

// histories are the records by instance.
func (e *Evidence) histories() map[string][]Record {
	all := map[string][]Record{}
	for _, r := range e.Records {
		all[r.Name] = append(all[r.Name], r)
	}
	return all
}

// oneLifeAtATime wants that a process began after its predecessor had ended.
func oneLifeAtATime(e *Evidence, say accuse) {
	byName(e.Diaries, func(name string, diary []Line) {
		for _, l := range lives(diary) {
			if l.resumed {
				say(name, "%v went on after another had begun", l.id)
			}
			for _, twin := range l.of(Twin) {
				say(name, "%v began while %s lived", l.id, twin)
			}
		}
	})
	byName(e.Living, func(name string, ids []ID) {
		if len(ids) > 1 {
			say(name, "it lives %d times: %v", len(ids), ids)
		}
	})
}

func isAPath(e *Evidence, say accuse) {
	var last uint64
	for _, r := range e.Records {
		if r.Seq <= last {
			say(r.Name, "record %d follows record %d", r.Seq, last)
		}
		last = r.Seq
	}
	byName(e.histories(), func(name string, history []Record) {
		path := make([]lifecycle.Transition, len(history))
		for i, r := range history {
			path[i] = r.Transition()
		}
		if err := lifecycle.CheckPath(path); err != nil {
			say(name, "%v\n%s", err, tail(history))
		}
	})
}

// tail is the end of a history, for messages.
func tail(history []Record) string {
	var b strings.Builder
	for _, r := range history[max(0, len(history)-12):] {
		fmt.Fprintf(&b, "\t%d gen %d %v -> %v %v %v pid %d %q by %q", r.Seq, r.Generation, r.From, r.To, r.State, r.Cause, r.Pid, r.Detail, r.By)
		if r.Exit != nil {
			fmt.Fprintf(&b, " exit %v", *r.Exit)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// untouched wants that those whom nobody acted on are the same processes.
func untouched(e *Evidence, say accuse) {
	byName(e.Untouched, func(name string, was ID) {
		if e.Living != nil && !slices.Equal(e.Living[name], []ID{was}) {
			say(name, "it was %v, and there is %v", was, e.Living[name])
		}
		if all := lives(e.Diaries[name]); len(all) > 0 && all[len(all)-1].id != was {
			say(name, "it was %v, and %v has begun", was, all[len(all)-1].id)
		}
	})
}

func psShowsWhoLives(e *Evidence, say accuse) {
	if e.Living == nil || e.Instances == nil {
		return
	}
	byName(e.Instances, func(name string, i Instance) {
		var pids []int
		for _, id := range e.Living[name] {
			pids = append(pids, id.Pid)
		}
		_, diarist := e.Diaries[name]
		switch {
		case i.Pid != 0 && diarist && !slices.Contains(pids, i.Pid):
			say(name, "ps shows pid %d, and there is %v", i.Pid, pids)
		case i.Pid == 0 && len(pids) > 0:
			say(name, "ps shows %s, and there is %v", i.Status, pids)
		}
	})
	byName(e.Living, func(name string, ids []ID) {
		if _, known := e.Instances[name]; !known && len(ids) > 0 {
			say(name, "ps does not know it, and there is %v", ids)
		}
	})
}

// desiredHolds wants the last word that was acknowledged to be what ps shows.
func desiredHolds(e *Evidence, say accuse) {
	byName(e.Desired, func(name string, want string) {
		switch i, ok := e.Instances[name]; {
		case !ok:
			say(name, "it was told to be %s, and is not there", want)
		case i.Desired != want:
			say(name, "it was told to be %s, and is %s", want, i.Desired)
		case want == "down" && i.Pid != 0:
			say(name, "it was told to be down, and lives as pid %d", i.Pid)
		}
	})
}

// Kept wants that nothing which was once read of a journal is lost or changed.
// The oldest records of an instance age out.
func Kept(before, after []Record) (found []Violation) {
	now := make(map[uint64]Record, len(after))
	oldest := map[string]uint64{}
	for _, r := range after {
		now[r.Seq] = r
		if oldest[r.Name] == 0 {
			oldest[r.Name] = r.Seq
		}
	}
	for _, was := range before {
		if was.Seq < oldest[was.Name] {
			continue
		}
		is, ok := now[was.Seq]
		is.Exit, was.Exit = sameExit(is.Exit, was.Exit)
		if !ok || is != was {
			found = append(found, Violation{"what was read stays", was.Name, fmt.Sprintf("record %d was %+v and is %+v", was.Seq, was, is)})
		}
	}
	return found
}

// sameExit makes equal exits one, so that records compare by value.
func sameExit(a, b *Exit) (_, _ *Exit) {
	if a != nil && b != nil && *a == *b {
		return a, a
	}
	return a, b
}

// written is how long a record may take to the disk. It bears the time of what it
// records, and only what is on disk is told: until then the answer is the one
// before it.
const written = 2 * time.Second

// Acknowledged wants the history to know each status that an answer told: it
// was so at some time between question and answer.
func Acknowledged(acks []Ack, records []Record) (found []Violation) {
	for _, a := range acks {
		said := []string{"nothing"} // on disk when it was asked, and then
		for _, r := range records {
			switch {
			case r.Name != a.Name || r.At.After(a.Answered):
			case !r.At.After(a.Asked.Add(-written)):
				said = []string{r.To.String()}
			default:
				said = append(said, r.To.String())
			}
		}
		if !slices.Contains(said, a.Status) {
			found = append(found, Violation{
				"what was acknowledged is on disk", a.Name,
				fmt.Sprintf("by %v the answer was %s, and the history says %v", a.Answered, a.Status, said),
			})
		}
	}
	return found
}

// slack is how much more a process may hold at the end than at the beginning
// and have lost nothing: threads that the runtime keeps, memory not yet given
// back.
var slack = Usage{Files: 0, Threads: 16, Goroutines: 0, MemoryKiB: 32 << 10}

// Baseline wants a process to hold no more than it did, a little aside.
func Baseline(who string, before, after Usage) (found []Violation) {
	for _, c := range []struct {
		what               string
		before, after, may int
	}{
		{"open files", before.Files, after.Files, slack.Files},
		{"threads", before.Threads, after.Threads, slack.Threads},
		{"goroutines", before.Goroutines, after.Goroutines, slack.Goroutines},
		{"KiB of memory", before.MemoryKiB, after.MemoryKiB, slack.MemoryKiB},
	} {
		if c.after > c.before+c.may {
			found = append(found, Violation{
				"what is held returns to where it was", who,
				fmt.Sprintf("%d %s, and %d at the beginning", c.after, c.what, c.before),
			})
		}
	}
	return found
}
