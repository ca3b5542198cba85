package torture

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// Instance is what is read of a row of `ccpc ps -o json`.
type Instance struct {
	Name       string `json:"name"`
	Generation uint64 `json:"generation"`
	Desired    string `json:"desired"`
	Status     string `json:"status"`
	State      string `json:"state"`
	Pid        int    `json:"pid"`
	Restarts   int    `json:"restarts"`
	Reason     string `json:"reason"`
	Says       string `json:"says"`
	Health     string `json:"health"`
	CCPVersion string `json:"ccpVersion"`
	LastExit   *Exit  `json:"lastExit"`
}

// String is for messages.
func (i Instance) String() string {
	b, _ := json.Marshal(i) // it has nothing that cannot be written
	return string(b)
}

// Exit is how a generation ended.
type Exit struct {
	Code   int    `json:"code"`
	Signal string `json:"signal"`
	Reason string `json:"reason"`
}

func (x Exit) String() string {
	switch {
	case x.Signal != "":
		return x.Signal
	case x.Code < 0:
		return fmt.Sprintf("unknown (%s)", x.Reason)
	}
	return fmt.Sprintf("code %d", x.Code)
}

// Record is one step of the journal: a line of `ccpc events -o json`, an
// element of `ccpc history NAME -o json`.
type Record struct {
	Seq         uint64           `json:"seq"`
	At          time.Time        `json:"at"`
	Name        string           `json:"name"`
	Application string           `json:"application"`
	Generation  uint64           `json:"generation"`
	From        lifecycle.Status `json:"from"`
	To          lifecycle.Status `json:"to"`
	State       lifecycle.State  `json:"state"`
	Cause       lifecycle.Cause  `json:"cause"`
	By          string           `json:"by"`
	Pid         int              `json:"pid"`
	Exit        *Exit            `json:"exit"`
	Detail      string           `json:"detail"`
}

// Transition is the record as the machine knows it.
func (r Record) Transition() lifecycle.Transition {
	t := lifecycle.Transition{
		Generation: r.Generation, From: r.From, To: r.To, State: r.State, Cause: r.Cause, By: r.By, Pid: r.Pid, Detail: r.Detail,
	}
	if r.Exit != nil {
		t.Exit = &lifecycle.Exit{Code: r.Exit.Code, Signal: r.Exit.Signal, Reason: r.Exit.Reason}
	}
	return t
}

// Evidence is all that is known of one peer at a moment at which nothing was
// under way: what does not fit together is then somebody's fault. Names are
// those of instances. What is nil was not looked at.
type Evidence struct {
	Records   []Record            // the whole journal, in order
	Instances map[string]Instance // as ps shows them
	Diaries   map[string][]Line   // of those that keep one
	Living    map[string][]ID     // who lives under a name, as /proc shows it
	Captured  map[string][]string // stdout, all of it, by lines
	Witness   []time.Duration     // when the witness ticked, in order
	Untouched map[string]ID       // whom nobody acted on: they must be who they were
	Desired   map[string]string   // what was acknowledged last: up or down
	Asks      int                 // how often a stop may be asked for in one generation; 0: once
}

// Ack is an answer that promised something.
type Ack struct {
	Name     string
	Status   string // in which the instance was, as the answer said
	Asked    time.Time
	Answered time.Time
}

// Usage is what a process holds.
type Usage struct {
	Files      int
	Threads    int
	Goroutines int // 0: not counted
	MemoryKiB  int // resident
}

// Violation is a promise that was not kept.
type Violation struct {
	Promise string // which one, in a few words
	Name    string // the instance, if it is about one
	Text    string // what was seen
}

func (v Violation) String() string {
	if v.Name == "" {
		return v.Promise + ": " + v.Text
	}
	return v.Promise + ": " + v.Name + ": " + v.Text
}
