package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// A timetable under a wall clock that is set: which runs are due, by the wall
// clock's time of day.
func TestTimetable(t *testing.T) {
	type jump struct {
		after time.Duration
		by    time.Duration
	}
	const hour = time.Hour
	for name, c := range map[string]struct {
		schedule string
		from, to string // of the wall clock at first; how long it goes on
		jump     jump
		want     []string
	}{
		"a day":                               {"0 12 * * *", "11:59:58", "48h", jump{}, []string{"12:00:00", "12:00:00"}},
		"set back over a fixed time":          {"0 12 * * *", "11:59:58", "2h", jump{10 * time.Second, -hour}, []string{"12:00:00"}},
		"the day after":                       {"0 12 * * *", "11:59:58", "26h", jump{10 * time.Second, -hour}, []string{"12:00:00", "12:00:00"}},
		"set back by days":                    {"0 12 * * *", "11:59:58", "30m", jump{10 * time.Second, -48*hour - time.Minute}, []string{"12:00:00", "12:00:00"}},
		"set forward over a fixed time":       {"0 12 * * *", "11:59:00", "2h", jump{10 * time.Second, hour}, nil},
		"every minute, set back":              {"* * * * *", "11:59:58", "2m30s", jump{10 * time.Second, -hour}, []string{"12:00:00", "11:01:00", "11:02:00"}},
		"every minute, set forward":           {"* * * * *", "11:59:58", "2m30s", jump{10 * time.Second, hour}, []string{"12:00:00", "13:01:00", "13:02:00"}},
		"every minute, set back by a second":  {"* * * * *", "11:59:58", "1m10s", jump{3 * time.Second, -time.Second}, []string{"12:00:00", "12:01:00"}},
		"every minute, set back by 5 seconds": {"* * * * *", "11:59:58", "1m10s", jump{3 * time.Second, -5 * time.Second}, []string{"12:00:00", "12:01:00"}},
		"a span, set back":                    {"@every 40s", "11:59:58", "2m30s", jump{10 * time.Second, -hour}, []string{"11:00:39", "11:01:19", "11:01:59"}},
	} {
		start, err := time.Parse(time.RFC3339, "2026-03-03T"+c.from+"Z")
		if err != nil {
			t.Fatal(err)
		}
		length, err := time.ParseDuration(c.to)
		if err != nil {
			t.Fatal(err)
		}
		specs := []*profiles.Spec{{Schedule: "CRON_TZ=UTC " + c.schedule, Enabled: true}}
		if c.schedule[0] == '@' {
			specs[0].Schedule = c.schedule
		}
		table := timetable{ran: map[supervisor.Key]instant{}}
		var got []string
		for ran := time.Duration(0); ran < length; {
			wall := start.Add(ran)
			if c.jump.after > 0 && ran >= c.jump.after {
				wall = wall.Add(c.jump.by)
			}
			now := instant{wall: wall, ran: ran}
			for range table.due(specs, now) {
				got = append(got, wall.Truncate(time.Second).Format(time.TimeOnly))
			}
			ran += max(table.wait(specs, now), 10*time.Millisecond)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: ran at %v, want %v", name, got, c.want)
		}
	}
}
