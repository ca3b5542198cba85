package lifecycle

import (
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func testPolicy() Policy {
	return Policy{
		CCP: true, LaunchTimeout: 30 * time.Second, LaunchCap: 2 * time.Minute, StopWait: 10 * time.Second,
		Restart: RestartPolicy{
			Mode: Always, Delay: time.Second, Factor: 2, MaxDelay: 4 * time.Second,
			ResetAfter: time.Minute, LimitCount: 5, LimitWithin: 30 * time.Second,
		},
	}
}

// driver steps one machine along and keeps its clock, effects and history.
type driver struct {
	t       *testing.T
	m       Machine
	p       Policy
	now     time.Time
	effects []Effect // of the last step
	history []Transition
}

func drive(t *testing.T) *driver {
	return &driver{t: t, p: testPolicy(), now: t0}
}

// step applies e, an event of the present generation.
func (d *driver) step(e Event) *driver {
	d.t.Helper()
	e.Generation = d.m.Generation
	return d.raw(e)
}

func (d *driver) raw(e Event) *driver {
	d.t.Helper()
	d.m, d.effects = d.m.Step(d.now, d.p, e)
	for _, f := range d.effects {
		if f.Kind == DoRecord {
			d.history = append(d.history, f.Transition)
		}
	}
	if err := CheckPath(d.history); err != nil {
		d.t.Fatalf("after %v: %v\n%+v", e.Kind, err, d.history)
	}
	return d
}

func (d *driver) after(dt time.Duration) *driver {
	d.now = d.now.Add(dt)
	return d
}

func (d *driver) reports(states ...State) *driver {
	d.t.Helper()
	for _, s := range states {
		d.step(Event{Kind: EvReport, State: s})
	}
	return d
}

// up brings the machine to Running.
func (d *driver) up() *driver {
	d.t.Helper()
	d.step(Event{Kind: EvStart}).step(Event{Kind: EvSpawned, Pid: 77})
	if !d.p.CCP {
		return d.step(Event{Kind: EvReady})
	}
	return d.reports(Launch, Configuration, Connect, Start, Execution)
}

func (d *driver) is(want Status) *driver {
	d.t.Helper()
	if d.m.Status != want {
		d.t.Fatalf("status is %v, want %v\n%+v", d.m.Status, want, d.m)
	}
	return d
}

// did checks the kinds of the last step's effects, records and timer stops left out.
func (d *driver) did(want ...EffectKind) *driver {
	d.t.Helper()
	var got []EffectKind
	for _, e := range d.effects {
		if e.Kind != DoRecord && e.Kind != DoStopTimer && e.Kind != DoSetTimer {
			got = append(got, e.Kind)
		}
	}
	if len(got) != len(want) {
		d.t.Fatalf("effects are %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			d.t.Fatalf("effects are %v, want %v", got, want)
		}
	}
	return d
}

func TestOrderlyLife(t *testing.T) {
	d := drive(t).up().is(Running)
	d.step(Event{Kind: EvStop, By: "me"}).is(Stopping).did(DoAsk)
	d.reports(StopTimeWait, StopExecution, StopCleanup).is(Stopping)
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Stopped).did()
	if last := d.history[len(d.history)-1]; last.Exit == nil || last.Pid != 77 || last.From != Stopping {
		t.Errorf("end is %+v", last)
	}
}
