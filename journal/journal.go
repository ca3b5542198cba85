package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Record is one step of one instance's history. Its JSON is the public form.
type Record struct {
	Seq         uint64    `json:"seq"`
	At          time.Time `json:"at"`
	Name        string    `json:"name"`
	Application string    `json:"application"`
	Generation  uint64    `json:"generation"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	State       string    `json:"state"`
	Cause       string    `json:"cause"`
	By          string    `json:"by"`
	Pid         int       `json:"pid"`
	Exit        *Exit     `json:"exit,omitempty"`
	Detail      string    `json:"detail"`
}

// Exit is how a generation ended.
type Exit struct {
	Code   int    `json:"code"` // -1: ended by Signal, or unknown with a Reason
	Signal string `json:"signal"`
	Reason string `json:"reason,omitempty"`
}

// Instance is what must be known of an instance after a crash of the peer.
type Instance struct {
	Application string `json:"application"`
	Name        string `json:"name"`
	Generation  uint64 `json:"generation"`
	Desired     string `json:"desired"` // "up" | "down" | "" as the profile says
	// Live is the identity of the running generation (opaque to the journal),
	// nil when none runs.
	Live []byte `json:"live,omitempty"`
}

// Options of Open.
type Options struct {
	Keep  int // history records kept per instance; default 1000
	Total int // history records kept of all instances, gone ones included; default 1,000,000
	// Lock is what KeepLock returned in the program that this process was before;
	// Open takes it over. nil: Open takes the folder's lock itself.
	Lock *os.File
}

const (
	fileName     = "journal.db"
	lockName     = "journal.lock"
	defaultKeep  = 1000
	defaultTotal = 1_000_000
)

// ErrLocked says that another process holds the folder's journal.
var ErrLocked = errors.New("journal is in use by another process")

// ErrClosed is returned by every method after Close.
var ErrClosed = errors.New("journal is closed")

// Journal is the durable memory of a peer in one folder. It is safe for
// concurrent use; writes that arrive together share one fsync.
//
// Lifecycle: Open, use, Close once; every Watch ends at Close.
type Journal struct {
	path string
	opts Options
	lock *os.File

	failed uint64        // transaction to be undone; the committer's
	held   int64         // how far the disk holds the file, used or not; the committer's
	queue  chan *write   // to the committer
	closed chan struct{} // closed by Close
	done   chan struct{} // closed when the committer has ended
	once   sync.Once

	// store guards db, which the committer replaces after a failed commit;
	// nil while no good file is open.
	store sync.RWMutex
	db    *bolt.DB

	// mu guards all following fields; only the committer changes them.
	mu      sync.RWMutex
	tally   tally
	changed chan struct{} // closed and replaced at each commit
}

// Open opens or creates the journal in dir, creating dir itself. It fails
// within 1 s with ErrLocked when another process has it, with a *DamageError
// when the file is damaged and with a *VersionError when a newer peer wrote it.
// It reads the whole file once to be sure of it.
func Open(dir string, o Options) (*Journal, error) {
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.Total <= 0 {
		o.Total = defaultTotal
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the journal's folder: %w", err)
	}
	lock, err := inherit(o.Lock, filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	j := &Journal{
		path:    filepath.Join(dir, fileName),
		opts:    o,
		lock:    lock,
		queue:   make(chan *write, maxBatch),
		closed:  make(chan struct{}),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	if err := j.open(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	go j.commitLoop()
	return j, nil
}

// Append writes records (their Seq is assigned, in order, and set in recs)
// together with the instances that changed with them, in one transaction. It
// returns when they are on disk, with the last sequence number. On an error
// nothing of them is acknowledged.
func (j *Journal) Append(recs []Record, insts ...Instance) (uint64, error) {
	return j.append(newWrite(), recs, insts)
}

// AppendUrgent is Append for what ends something: where the disk is full, and
// Append fails, it may use what the journal has reserved (half a megabyte, where
// the file system can reserve; it is made up for when there is room again).
func (j *Journal) AppendUrgent(recs []Record, insts ...Instance) (uint64, error) {
	w := newWrite()
	w.urgent = true
	return j.append(w, recs, insts)
}

func (j *Journal) append(w *write, recs []Record, insts []Instance) (uint64, error) {
	for i := range recs {
		if err := w.addRecord(&recs[i]); err != nil {
			return 0, err
		}
	}
	for i := range insts {
		if err := w.addInstance(&insts[i]); err != nil {
			return 0, err
		}
	}
	last, err := j.commit(w)
	if err != nil {
		return 0, fmt.Errorf("cannot write the journal %s: %w", j.path, err)
	}
	for i := range recs {
		recs[i].Seq = last - uint64(len(recs)-1-i)
	}
	return last, nil
}

// Forget drops the instance row (its history stays until it ages out).
func (j *Journal) Forget(application, name string) error {
	key, err := instanceKey(application, name)
	if err != nil {
		return err
	}
	return j.change(bucketInstances, key, nil)
}

// Put stores value under key, on disk when it returns; nil deletes.
func (j *Journal) Put(key string, value []byte) error {
	if key == "" || len(key) > maxName {
		return fmt.Errorf("a setting's key has 1 to %d bytes, %q has %d", maxName, key, len(key))
	}
	if len(value) > maxRow {
		return fmt.Errorf("setting %q has %d bytes and may have %d", key, len(value), maxRow)
	}
	return j.change(bucketSettings, []byte(key), value)
}

// Sync proves that the journal can write: it commits an empty transaction. A
// journal that could not write before is mended by it as by any other write.
func (j *Journal) Sync() error {
	if _, err := j.commit(newWrite()); err != nil {
		return fmt.Errorf("cannot write the journal %s: %w", j.path, err)
	}
	return nil
}

// change sets a row, or takes it away, which is always possible.
func (j *Journal) change(bucket string, key, value []byte) error {
	w := newWrite()
	w.urgent = value == nil
	w.rows = append(w.rows, row{bucket: bucket, key: key, value: value})
	if _, err := j.commit(w); err != nil {
		return fmt.Errorf("cannot write the journal %s: %w", j.path, err)
	}
	return nil
}

// Close waits for the writes under way, ends every Watch and releases the
// folder. It may be called more than once.
func (j *Journal) Close() error {
	var err error
	j.once.Do(func() {
		close(j.closed)
		<-j.done
		j.store.Lock()
		defer j.store.Unlock()
		if j.db != nil {
			err = j.db.Close()
			j.db = nil
		}
		_ = j.lock.Close()
	})
	return err
}

// KeepLock returns the folder's lock in a file of its own, which keeps it
// beyond Close, for Options.Lock. The caller closes it.
func (j *Journal) KeepLock() (*os.File, error) {
	fd, err := unix.FcntlInt(j.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the journal's lock: %w", err)
	}
	return os.NewFile(uintptr(fd), lockName), nil
}

// FormatVersion is the format of the files that this build writes, and the
// newest that it reads.
const FormatVersion = formatVersion

// instanceKey is application NUL name, which sorts by application first.
func instanceKey(application, name string) ([]byte, error) {
	if name == "" || len(application)+len(name) > maxName {
		return nil, fmt.Errorf("an instance's application and name have 1 to %d bytes together, %q/%q have %d",
			maxName, application, name, len(application)+len(name))
	}
	if strings.ContainsRune(application, 0) || strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("instance %q/%q has a NUL in its name", application, name)
	}
	return []byte(application + "\x00" + name), nil
}
