package peer

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// timetable remembers until when the runs of each timed instance have been
// dealt with: carried out, left out or missed. It is on disk, so that a peer
// knows what fell due while none was there.
type timetable struct {
	journal *journal.Journal

	mu     sync.Mutex // guards the following field
	stamps map[supervisor.Key]stamp
}

// stamp says that all runs of a schedule up to At have been dealt with.
type stamp struct {
	Schedule string    `json:"schedule"`
	At       time.Time `json:"at"`
}

func stampKey(k supervisor.Key) string { return "schedules/" + k.String() }

// since is until when the runs of s have been dealt with. An instance, or a
// schedule, that is new begins now.
func (t *timetable) since(s *profiles.Spec, now time.Time) (time.Time, error) {
	k := supervisor.KeyOf(s)
	t.mu.Lock()
	defer t.mu.Unlock()
	is, known := t.stamps[k]
	if !known {
		if raw, err := t.journal.Get(stampKey(k)); err == nil && raw != nil {
			known = json.Unmarshal(raw, &is) == nil
		}
	}
	if known && is.Schedule == s.Schedule && is.At.Sub(now) <= secondTime(s) {
		t.stamps[k] = is
		return is.At, nil
	}
	return now, t.put(k, stamp{s.Schedule, now}) // new, or the clock was set back
}

// settle notes that all runs of s up to now have been dealt with.
func (t *timetable) settle(s *profiles.Spec, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.put(supervisor.KeyOf(s), stamp{s.Schedule, now})
}

// put keeps a stamp, if only in memory when the journal refuses. t.mu is held.
func (t *timetable) put(k supervisor.Key, is stamp) error {
	t.stamps[k] = is
	raw, err := json.Marshal(is)
	if err != nil {
		return err
	}
	return t.journal.Put(stampKey(k), raw)
}

// forget drops what is known of an instance that is timed no more, if anything.
func (t *timetable) forget(k supervisor.Key) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.stamps[k]
	if raw, err := t.journal.Get(stampKey(k)); !known && raw == nil {
		return err
	}
	delete(t.stamps, k)
	return t.journal.Put(stampKey(k), nil)
}

// next is when a timed instance is due next, seen at now; zero for others.
func (t *timetable) next(s *profiles.Spec, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if is, ok := t.stamps[supervisor.KeyOf(s)]; ok && is.Schedule == s.Schedule {
		return nextRun(s, is.At)
	}
	return nextRun(s, now)
}

// lateness is how late a run may begin and still count as that run: the
// scheduler looks at the clock at least this often.
const lateness = time.Minute

// maxSecondTime is how far the clock may be set back for the times of day that
// come a second time to be known as that.
const maxSecondTime = 3 * time.Hour

// secondTime is how far the clock may be set back for s to wait until it is where
// it was. What is due at a certain time of day does not run twice for one such
// time; what is due again and again goes on by the new clock.
func secondTime(s *profiles.Spec) time.Duration {
	if _, hour := fieldsOf(s.Schedule); hour {
		return maxSecondTime
	}
	return lateness
}

// due is what a timed instance is owed.
type due uint8

const (
	nothing due = iota // the next run is to come
	onTime             // a run fell due just now
	missed             // runs fell due when nobody could begin them
)

// owed says what s is owed at now, when all up to since has been dealt with.
// Both are times of the wall clock.
func owed(s *profiles.Spec, since, now time.Time) due {
	at := nextRun(s, since)
	if at.IsZero() || at.After(now) {
		return nothing
	}
	recent := now.Add(-lateness)
	if !at.Before(recent) {
		return onTime
	}
	if again := nextRun(s, recent); !again.IsZero() && !again.After(now) {
		return onTime // the last of those that fell due
	}
	return missed
}

// nextRun is when a timed instance is due next after t; zero for others.
func nextRun(s *profiles.Spec, t time.Time) time.Time {
	if s.Schedule == "" || !s.Enabled {
		return time.Time{}
	}
	times, err := cron.ParseStandard(s.Schedule)
	if err != nil {
		return time.Time{} // the profile's check lets none through
	}
	zone, hour := fieldsOf(s.Schedule)
	at := times.Next(t.In(zone))
	for hour && !at.IsZero() && isRepeated(at, zone) {
		at = times.Next(at)
	}
	return at
}

// fieldsOf is the zone that a schedule is meant in, and whether it names hours:
// those come once a day, though the clock may show one twice.
func fieldsOf(schedule string) (zone *time.Location, hour bool) {
	zone = time.Local
	if name, rest, ok := strings.Cut(schedule, " "); ok && strings.Contains(name, "TZ=") {
		_, name, _ = strings.Cut(name, "=")
		if named, err := time.LoadLocation(name); err == nil {
			zone = named
		}
		schedule = strings.TrimSpace(rest)
	}
	fields := strings.Fields(schedule)
	if len(fields) == 5 {
		return zone, !strings.HasPrefix(fields[1], "*")
	}
	return zone, fields[0] != "@every" && fields[0] != "@hourly"
}

// isRepeated reports whether the clocks of zone show the time of day of at for
// the second time, as they were set back: at the end of summer time.
func isRepeated(at time.Time, zone *time.Location) bool {
	_, now := at.In(zone).Zone()
	_, earlier := at.Add(-3 * time.Hour).In(zone).Zone()
	first := at.Add(-time.Duration(earlier-now) * time.Second)
	_, then := first.In(zone).Zone()
	return earlier > now && then == earlier
}
