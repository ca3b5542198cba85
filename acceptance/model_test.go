//go:build linux

package acceptance_test

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// instance is what a test reads of a row of `ccpc ps -o json`.
type instance struct {
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
	LastExit   *exit  `json:"lastExit"`
}

// String is for messages.
func (i instance) String() string {
	b, _ := json.Marshal(i)
	return string(b)
}

type exit struct {
	Code   int    `json:"code"`
	Signal string `json:"signal"`
	Reason string `json:"reason"`
}

// record is one step of `ccpc history NAME -o json`.
type record struct {
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
	Exit        *exit            `json:"exit"`
	Detail      string           `json:"detail"`
}

func (r record) transition() lifecycle.Transition {
	t := lifecycle.Transition{
		Generation: r.Generation, From: r.From, To: r.To, State: r.State, Cause: r.Cause, By: r.By, Pid: r.Pid, Detail: r.Detail,
	}
	if r.Exit != nil {
		t.Exit = &lifecycle.Exit{Code: r.Exit.Code, Signal: r.Exit.Signal, Reason: r.Exit.Reason}
	}
	return t
}

// ps lists all instances by name.
func (p *peerd) ps() map[string]instance {
	p.t.Helper()
	var rows []instance
	p.decode(p.must("ps", "-o", "json"), &rows)
	byName := make(map[string]instance, len(rows))
	for _, row := range rows {
		byName[row.Name] = row
	}
	return byName
}

// of is one instance's row.
func (p *peerd) of(name string) instance {
	p.t.Helper()
	var rows []instance
	p.decode(p.must("ps", name, "-o", "json"), &rows)
	return rows[0]
}

// until waits until an instance is as wanted, and returns it.
func (p *peerd) until(name, what string, cond func(instance) bool) (i instance) {
	p.t.Helper()
	defer func() {
		if !cond(i) {
			p.t.Logf("but it is %v", i)
		}
	}()
	p.waitFor(name+" "+what, func() bool {
		i = p.of(name)
		return cond(i)
	})
	return i
}

// is waits until an instance has a status.
func (p *peerd) is(name, status string) instance {
	p.t.Helper()
	return p.until(name, "is "+status, func(i instance) bool { return i.Status == status })
}

// running waits until each of the instances is running.
func (p *peerd) running(names ...string) {
	p.t.Helper()
	p.waitFor(strings.Join(names, ", ")+" running", func() bool {
		all := p.ps()
		return !slices.ContainsFunc(names, func(n string) bool { return all[n].Status != "running" })
	})
}

// history is what `ccpc history` tells of one instance.
func (p *peerd) history(name string) []record {
	p.t.Helper()
	var records []record
	p.decode(p.must("history", name, "-o", "json"), &records)
	return records
}

// events is the whole journal.
func (p *peerd) events() (records []record) {
	p.t.Helper()
	for line := range strings.Lines(p.must("events", "-o", "json")) {
		var r record
		p.decode(line, &r)
		records = append(records, r)
	}
	return records
}

// checkHistories wants each instance's history to be a path of the machine.
func (p *peerd) checkHistories() {
	p.t.Helper()
	paths := map[string][]lifecycle.Transition{}
	var last uint64
	for _, r := range p.events() {
		if r.Seq <= last {
			p.t.Errorf("record %d follows record %d", r.Seq, last)
		}
		last = r.Seq
		key := r.Application + "/" + r.Name
		paths[key] = append(paths[key], r.transition())
	}
	for name, path := range paths {
		if err := lifecycle.CheckPath(path); err != nil {
			p.t.Errorf("the history of %s is no path of the machine: %v\n%+v", name, err, path)
		}
	}
}

// states are the component's own words in a history, each once in a row.
func states(history []record) (all []string) {
	for _, r := range history {
		if s := r.State.String(); s != "" && (len(all) == 0 || all[len(all)-1] != s) {
			all = append(all, s)
		}
	}
	return all
}

// find is the first record that fits.
func find(history []record, fits func(record) bool) (record, bool) {
	i := slices.IndexFunc(history, fits)
	if i < 0 {
		return record{}, false
	}
	return history[i], true
}

// decode reads JSON that a program printed.
func (p *peerd) decode(text string, v any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		p.t.Fatalf("no JSON: %v:\n%s", err, text)
	}
}
