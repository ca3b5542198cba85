package torture

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ID tells a process from every other one since the host was booted.
type ID struct {
	Pid   int
	Start uint64 // clock ticks from boot to its start, as /proc/PID/stat has it
}

func (id ID) String() string { return fmt.Sprintf("%d.%d", id.Pid, id.Start) }

// ParseID reads what String wrote.
func ParseID(text string) (ID, error) {
	pid, start, _ := strings.Cut(text, ".")
	p, err := strconv.Atoi(pid)
	if err != nil {
		return ID{}, fmt.Errorf("no process identity: %q", text)
	}
	s, err := strconv.ParseUint(start, 10, 64)
	if err != nil {
		return ID{}, fmt.Errorf("no process identity: %q", text)
	}
	return ID{p, s}, nil
}

// The words of a diary.
const (
	Begin  = "begin"  // the first line of a life
	Twin   = "twin"   // who of the same diary still lived at that moment
	Tick   = "tick"   // its number, from 1
	Signal = "signal" // the name of one that was received
	End    = "end"    // the exit code it is about to end with
)

// Line is one line of a diary.
type Line struct {
	ID   ID
	At   time.Duration // since boot, on the host's one monotonic clock
	Word string
	Arg  string
}

func (l Line) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%v %d %s %s", l.ID, l.At, l.Word, l.Arg), " ")
}

// ParseLine reads what String wrote.
func ParseLine(text string) (Line, error) {
	f := strings.Fields(text)
	if len(f) < 3 || len(f) > 4 {
		return Line{}, fmt.Errorf("no line of a diary: %q", text)
	}
	id, err := ParseID(f[0])
	if err != nil {
		return Line{}, err
	}
	at, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return Line{}, fmt.Errorf("no line of a diary: %q", text)
	}
	l := Line{ID: id, At: time.Duration(at), Word: f[2]}
	if len(f) == 4 {
		l.Arg = f[3]
	}
	return l, nil
}

// life is what one process wrote.
type life struct {
	id      ID
	lines   []Line
	resumed bool // another life wrote in between
}

// lives groups the lines of a diary by process, in the order in which they
// began.
func lives(diary []Line) []*life {
	var all []*life
	byID := map[ID]*life{}
	var last ID
	for _, line := range diary {
		l := byID[line.ID]
		switch {
		case l == nil:
			l = &life{id: line.ID}
			byID[line.ID] = l
			all = append(all, l)
		case last != line.ID:
			l.resumed = true
		}
		last = line.ID
		l.lines = append(l.lines, line)
	}
	return all
}

// of are the arguments of the lines with a word.
func (l *life) of(word string) (args []string) {
	for _, line := range l.lines {
		if line.Word == word {
			args = append(args, line.Arg)
		}
	}
	return args
}

// code is the exit code that the life announced. A signal that came over its
// end may be written down after it.
func (l *life) code() (code int, ok bool) {
	ends := l.of(End)
	if len(ends) != 1 {
		return 0, false
	}
	code, err := strconv.Atoi(ends[0])
	return code, err == nil
}
