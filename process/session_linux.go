package process

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tokenVariable is the environment variable by which the members of a tree
// without a cgroup are recognised, whatever session they moved to.
const tokenVariable = "PEERD_INSTANCE"

// sessionTree holds a tree by what its members cannot easily shed: the session
// of the leader, their ancestry below it, and the inherited environment. A
// member that gives up all three escapes.
type sessionTree struct {
	roster
	group group // what limits it
}

func newSessionTree(id Identity, t *table, g group) *sessionTree {
	return &sessionTree{newRoster(&sessionHolder{leader: id, table: t, known: map[int]uint64{}}), g}
}

// killPasses bound how often one kill looks for members born during the last.
const killPasses = 10

// kill repeats at once while there are members: nothing keeps them from forking
// between the look and the signal.
func (t *sessionTree) kill() error {
	for range killPasses {
		stats, err := t.stats(time.Now())
		if err != nil || len(stats) == 0 {
			return err
		}
		if err := t.signal(unix.SIGKILL); err != nil {
			return err
		}
	}
	return nil
}

func (t *sessionTree) release() { t.group.remove() }

// sessionHolder remembers members it has seen, so that one that is orphaned
// later is still known.
type sessionHolder struct {
	leader Identity
	table  *table

	mu    sync.Mutex
	known map[int]uint64 // pid → start ticks
}

func (h *sessionHolder) stats(since time.Time) ([]stat, error) {
	snap, err := h.table.snapshot(since)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := map[int]uint64{}
	anchored := h.anchored(snap)
	for { // until no more descendants are found: children may precede parents
		before := len(known)
		for _, s := range snap.stats {
			if _, seen := known[s.pid]; !seen && (h.belongs(s, known, snap) || anchored && s.session == h.leader.Pid) {
				known[s.pid] = s.start
			}
		}
		if len(known) == before {
			break
		}
	}
	h.known = known
	var list []stat
	for _, s := range snap.stats {
		if _, member := known[s.pid]; member {
			list = append(list, s)
		}
	}
	return list, nil
}

// seen are the members known from the last look.
func (h *sessionHolder) seen() map[int]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.known)
}

// anchored says that the leader's session is still the one it made: the kernel
// keeps its number from being recycled as long as a known member is in it.
func (h *sessionHolder) anchored(snap *snapshot) bool {
	for _, s := range snap.stats {
		start, seen := h.known[s.pid]
		known := seen && start == s.start || s.pid == h.leader.Pid && s.start == h.leader.StartTicks
		if known && s.session == h.leader.Pid {
			return true
		}
	}
	return false
}

// belongs decides by the cheapest proof first. Nothing older than the leader
// can be a member.
func (h *sessionHolder) belongs(s stat, known map[int]uint64, snap *snapshot) bool {
	if s.start < h.leader.StartTicks || s.pid == os.Getpid() {
		return false
	}
	if s.pid == h.leader.Pid {
		return s.start == h.leader.StartTicks
	}
	if start, seen := h.known[s.pid]; seen && start == s.start {
		return true
	}
	if _, child := known[s.ppid]; child {
		return true
	}
	return snap.token(s) == h.leader.Token
}

// holds trusts the last look for a process with the same start time.
func (h *sessionHolder) holds(s stat) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	start, member := h.known[s.pid]
	return member && start == s.start
}

// table shares one look at all processes between the trees that ask at the
// same time: a thousand stopping at once cost a few looks, not a thousand.
type table struct {
	mu   sync.Mutex
	last *snapshot
}

// snapshot is of some time not before since.
func (t *table) snapshot(since time.Time) (*snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil && !t.last.taken.Before(since) {
		return t.last, nil
	}
	next := &snapshot{taken: time.Now()}
	pids, err := allPids()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		s, err := readStat(pid)
		if ignoreGone(err) != nil {
			return nil, err
		}
		if err == nil && s.alive() {
			next.stats = append(next.stats, s)
		}
	}
	next.inheritTokens(t.last)
	t.last = next
	return next, nil
}

// snapshot is all living processes at one moment.
type snapshot struct {
	taken time.Time
	stats []stat

	mu     sync.Mutex
	tokens map[process]string
}

// process is a pid that cannot be mistaken for its successor.
type process struct {
	pid   int
	start uint64
}

// inheritTokens keeps what was read of processes that still live.
func (s *snapshot) inheritTokens(last *snapshot) {
	s.tokens = make(map[process]string, len(s.stats))
	if last == nil {
		return
	}
	last.mu.Lock()
	defer last.mu.Unlock()
	for _, st := range s.stats {
		key := process{st.pid, st.start}
		if token := last.tokens[key]; token != "" && token != unread {
			s.tokens[key] = token
		}
	}
}

// token reads which tree a process was born into.
func (s *snapshot) token(st stat) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := process{st.pid, st.start}
	token, read := s.tokens[key]
	if !read {
		token = readToken(st)
		s.tokens[key] = token
	}
	return token
}

// In the midst of an exec a process shows an empty environment for a moment.
const (
	environTries = 5
	environPause = time.Millisecond
)

// What readToken says of a process without the marker.
const (
	unmarked = "-" // for good
	unread   = "?" // its environment was empty: the next look asks again
)

// readToken finds the marker in a process's environment.
func readToken(st stat) string {
	for range environTries {
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(st.pid) + "/environ")
		for entry := range bytes.SplitSeq(environ, []byte{0}) {
			if value, ok := bytes.CutPrefix(entry, []byte(tokenVariable+"=")); ok {
				return string(value)
			}
		}
		if err != nil || len(environ) > 0 || isKernelThread(st.pid) {
			return unmarked
		}
		time.Sleep(environPause) //nolint:forbidigo // the kernel announces this to nobody
	}
	return unread
}

// isKernelThread reports whether a process runs no program at all.
func isKernelThread(pid int) bool {
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return errors.Is(err, os.ErrNotExist)
}
