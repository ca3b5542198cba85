package peer

import (
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

func TestNextRun(t *testing.T) {
	at := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	for schedule, want := range map[string]string{
		"*/5 * * * *":                     "2026-03-29T01:35:00Z",
		"CRON_TZ=Europe/Berlin 0 9 * * *": "2026-03-29T07:00:00Z", // summer time began that night
		"":                                "0001-01-01T00:00:00Z",
	} {
		s := &profiles.Spec{Schedule: schedule, Enabled: true}
		if got := nextRun(s, at).UTC().Format(time.RFC3339); got != want {
			t.Errorf("nextRun(%q) = %s, want %s", schedule, got, want)
		}
	}
	if !nextRun(&profiles.Spec{Schedule: "* * * * *"}, at).IsZero() {
		t.Error("a disabled instance has a next run")
	}
}

// What a timed instance is owed depends on what was dealt with and on the time,
// and on nothing else.
func TestOwed(t *testing.T) {
	const utc, berlin = "CRON_TZ=UTC ", "CRON_TZ=Europe/Berlin "
	for _, c := range []struct {
		schedule, since, now string
		want                 due
	}{
		{utc + "0 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:59:59Z", nothing},
		{utc + "0 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", onTime},
		{utc + "0 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T11:00:59Z", onTime},
		{utc + "0 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T11:01:01Z", missed},
		{utc + "0 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T15:30:00Z", missed},
		{utc + "0 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T15:00:10Z", onTime}, // four were missed, and this one is now
		{"@every 1s", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", nothing},
		{"@every 1s", "2026-03-01T10:00:00Z", "2026-03-01T10:00:09Z", onTime},
		{"@every 1s", "2026-03-01T10:00:00Z", "2026-03-08T10:00:00Z", onTime},
		{"@every 1h", "2026-03-01T10:00:00Z", "2026-03-01T10:59:00Z", nothing},
		{"@every 1h", "2026-03-01T10:00:00Z", "2026-03-01T11:00:30Z", onTime},
		{"@every 1h", "2026-03-01T10:00:00Z", "2026-03-01T13:00:30Z", missed},
		{utc + "0 * * * *", "2026-03-01T12:00:00Z", "2026-03-01T11:59:59Z", nothing},  // the clock was adjusted a little
		{utc + "0 0 30 2 *", "2026-03-01T10:00:00Z", "2027-03-01T10:00:00Z", nothing}, // never
		// Summer time begins on 2026-03-29 at 2:00, which becomes 3:00, and ends on 2026-10-25.
		{berlin + "0 4 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:59:59Z", nothing},
		{berlin + "0 4 * * *", "2026-03-28T12:00:00Z", "2026-03-29T02:00:00Z", onTime},
		{berlin + "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:29:59Z", nothing}, // 2:30 came twice
		{berlin + "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", onTime},
		{berlin + "30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", onTime}, // each hour is each hour
		{berlin + "@daily", "2026-10-24T12:00:00Z", "2026-10-24T22:00:00Z", onTime},
		{berlin + "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z", onTime}, // 2:30 did not come
		{berlin + "0 4 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:59:59Z", nothing},
		{berlin + "0 4 * * *", "2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z", onTime},
	} {
		s := &profiles.Spec{Schedule: c.schedule, Enabled: true}
		if got := owed(s, instant(t, c.since), instant(t, c.now)); got != c.want {
			t.Errorf("%q dealt with up to %s, at %s: %d, want %d", c.schedule, c.since, c.now, got, c.want)
		}
	}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A timetable begins with the present, is kept over peers, and begins anew where
// the schedule changes, the instance is forgotten or the clock is set back.
func TestTimetable(t *testing.T) {
	dir := t.TempDir()
	var table *timetable
	open := func() func() {
		j, err := journal.Open(dir, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		table = &timetable{journal: j, stamps: map[supervisor.Key]stamp{}}
		return func() {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &profiles.Spec{Application: profiles.Application{GUID: "app"}, Name: "a", Schedule: "CRON_TZ=UTC 0 * * * *", Enabled: true}
	ten := instant(t, "2026-03-01T10:10:00Z")
	want := func(what string, now, want time.Time) {
		t.Helper()
		if got, err := table.since(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: dealt with up to %s, want %s (%v)", what, got, want, err)
		}
	}
	shut := open()
	want("at first", ten, ten)
	want("an hour later", ten.Add(time.Hour), ten)
	if err := table.settle(s, ten.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if next := table.next(s, ten); !next.Equal(instant(t, "2026-03-01T12:00:00Z")) {
		t.Errorf("the next run is at %s", next)
	}
	shut()
	defer open()()
	day := ten.Add(24 * time.Hour)
	want("another peer, a day later", day, ten.Add(time.Hour))
	want("the clock is adjusted a little", ten.Add(59*time.Minute+30*time.Second), ten.Add(time.Hour))
	want("the clock is set back", ten, ten)
	s.Schedule = "CRON_TZ=UTC 30 * * * *"
	want("another schedule", day, day)
	s.Schedule = "CRON_TZ=UTC 0 12 * * *"
	noon := instant(t, "2026-03-01T12:00:00Z")
	if err := table.settle(s, noon); err != nil {
		t.Fatal(err)
	}
	want("a time of day, and the clock is set back", noon.Add(-time.Hour), noon)
	want("and by far", noon.Add(-4*time.Hour), noon.Add(-4*time.Hour))
	if err := table.forget(supervisor.KeyOf(s)); err != nil {
		t.Fatal(err)
	}
	want("it has rested", day.Add(time.Hour), day.Add(time.Hour))
}
