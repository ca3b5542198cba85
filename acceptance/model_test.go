//go:build linux

package acceptance_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/internal/torture"
	"github.com/seed-04209a44/peerd/lifecycle"
)

// What ccpc's JSON is read as.
type (
	instance = torture.Instance
	exit     = torture.Exit
	record   = torture.Record
)

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
		paths[key] = append(paths[key], r.Transition())
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
