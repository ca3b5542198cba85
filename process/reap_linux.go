package process

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// Reaping happens at most this often, however many children end; an orphan in
// our own session is left to whoever may be waiting for it for claimGrace, and
// so is one of Reopen, to be adopted.
const (
	reapPause  = 10 * time.Millisecond
	claimGrace = time.Minute
)

// reapOrphans waits for children that nobody else will: those the subreaper
// inherited. It runs until the Door closes and sleeps while nothing ends.
func (d *Door) reapOrphans() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	defer signal.Stop(ended)
	unclaimed := map[int]time.Time{}
	var again <-chan time.Time
	for {
		if d.reapOnce(unclaimed, time.Now()); len(unclaimed) > 0 {
			again = time.After(claimGrace)
		} else {
			again = nil
		}
		select {
		case <-ended:
		case <-again:
		case <-d.closing:
			return
		}
		select {
		case <-time.After(reapPause):
		case <-d.closing:
			return
		}
	}
}

// reapOnce reaps all orphans there are now. unclaimed carries, from one call
// to the next, since when a zombie in our own session has been seen: it may be
// a child which other code in this program waits for.
func (d *Door) reapOnce(unclaimed map[int]time.Time, now time.Time) {
	d.spawning.Lock()
	defer d.spawning.Unlock()
	own, _ := unix.Getsid(0)
	zombies := map[int]bool{}
	for _, pid := range children() {
		if d.knows(pid) {
			continue
		}
		s, err := readStat(pid)
		if err != nil || s.alive() {
			continue
		}
		since, waiting := unclaimed[pid]
		if s.session != own && !d.inherited[pid] || waiting && now.Sub(since) >= claimGrace {
			var status unix.WaitStatus
			if got, err := wait4(pid, &status); err == nil && got == pid {
				d.recent.add(process{pid, s.start}, exitOf(status))
			}
			continue
		}
		zombies[pid] = true
		if !waiting {
			unclaimed[pid] = now
		}
	}
	for pid := range unclaimed {
		if !zombies[pid] {
			delete(unclaimed, pid)
		}
	}
}

func (d *Door) knows(pid int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[pid] != nil
}
