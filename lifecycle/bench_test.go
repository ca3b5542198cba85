package lifecycle

import "testing"

// BenchmarkStep is the cost of one event: one that is ignored, one that only
// records, and a whole life of ten events.
func BenchmarkStep(b *testing.B) {
	p := testPolicy()
	run := func(m Machine, kind EventKind, state State) Machine {
		m, _ = m.Step(t0, p, Event{Kind: kind, State: state, Generation: m.Generation, TreeEmpty: true})
		return m
	}
	up := func(m Machine) Machine {
		m = run(run(m, EvStart, 0), EvSpawned, 0)
		for s := Launch; s <= Execution; s++ {
			m = run(m, EvReport, s)
		}
		return m
	}
	b.Run("stale", func(b *testing.B) {
		m := up(Machine{})
		b.ReportAllocs()
		for b.Loop() {
			m.Step(t0, p, Event{Kind: EvExited, Generation: 99})
		}
	})
	b.Run("report", func(b *testing.B) {
		m := run(up(Machine{}), EvStop, 0)
		b.ReportAllocs()
		for b.Loop() {
			m.Step(t0, p, Event{Kind: EvReport, State: StopTimeWait, Generation: 1})
		}
	})
	b.Run("life", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			run(run(up(Machine{}), EvStop, 0), EvExited, 0)
		}
	})
}
