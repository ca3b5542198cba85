package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// maxBatch bounds the writes that share one transaction, and those waiting.
	maxBatch = 1024
	// maxDetail bounds Record.Detail; what is longer is cut, and says so.
	maxDetail = 4 << 10
	// maxRow bounds what one record, instance or setting takes.
	maxRow = 1 << 20
)

// write is one caller's change, waiting to be committed whole.
type write struct {
	records []pendingRecord
	rows    []row // value not yet sealed
	urgent  bool  // may use the reserve
	done    chan result
}

type pendingRecord struct {
	instance []byte
	payload  []byte
}

type result struct {
	seq uint64
	err error
}

func newWrite() *write { return &write{done: make(chan result, 1)} }

func (w *write) addRecord(r *Record) error {
	key, err := instanceKey(r.Application, r.Name)
	if err != nil {
		return err
	}
	stored := *r
	stored.Seq = 0
	if n := len(stored.Detail); n > maxDetail {
		stored.Detail = strings.ToValidUTF8(stored.Detail[:maxDetail], "") + fmt.Sprintf("… (%d bytes in all)", n)
	}
	payload, err := encode(&stored)
	if err != nil {
		return fmt.Errorf("cannot store a record of %s/%s: %w", r.Application, r.Name, err)
	}
	w.records = append(w.records, pendingRecord{instance: key, payload: payload})
	return nil
}

func (w *write) addInstance(i *Instance) error {
	key, err := instanceKey(i.Application, i.Name)
	if err != nil {
		return err
	}
	payload, err := encode(i)
	if err != nil {
		return fmt.Errorf("cannot store instance %s/%s: %w", i.Application, i.Name, err)
	}
	w.rows = append(w.rows, row{bucket: bucketInstances, key: key, value: payload})
	return nil
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && len(b) > maxRow {
		err = fmt.Errorf("it has %d bytes and may have %d", len(b), maxRow)
	}
	return b, err
}

// commit hands w to the committer and waits for the outcome. It also waits
// while the queue is full.
func (j *Journal) commit(w *write) (uint64, error) {
	select {
	case <-j.closed:
		return 0, ErrClosed
	default:
	}
	select {
	case j.queue <- w:
	case <-j.closed:
		return 0, ErrClosed
	}
	select {
	case r := <-w.done:
		return r.seq, r.err
	case <-j.done:
	}
	select { // the committer may have answered just before it ended
	case r := <-w.done:
		return r.seq, r.err
	default:
		return 0, ErrClosed
	}
}

// commitLoop is the committer: the one goroutine that writes. While it waits
// for an fsync, writes gather in the queue; they make up the next batch.
func (j *Journal) commitLoop() {
	defer close(j.done)
	batch := make([]*write, 0, maxBatch)
	for {
		select {
		case w := <-j.queue:
			batch = append(batch[:0], w)
		case <-j.closed:
			j.finish(batch[:0])
			return
		}
		j.finish(batch)
	}
}

// finish fills batch with what is queued, commits it and answers.
func (j *Journal) finish(batch []*write) {
fill:
	for len(batch) < maxBatch {
		select {
		case w := <-j.queue:
			batch = append(batch, w)
		default:
			break fill
		}
	}
	if len(batch) == 0 {
		return
	}
	err := j.reopen()
	if err == nil {
		if full := j.secure(); full != nil {
			batch = refuse(batch, full)
		}
	}
	if len(batch) == 0 {
		return
	}
	var seqs []uint64
	if err == nil {
		seqs, err = j.commitBatch(batch)
	}
	for i, w := range batch {
		if err != nil {
			w.done <- result{err: err}
			continue
		}
		w.done <- result{seq: seqs[i]}
	}
}

// reopen opens the file where a failed commit has closed it.
func (j *Journal) reopen() error {
	if j.db != nil { // only the committer replaces it
		return nil
	}
	return j.open()
}

// commitBatch writes all of batch in one transaction.
//
// After a failed commit the file and bbolt's memory of it may disagree (a meta
// page whose fsync failed is visible all the same), so the commit is undone,
// and the file is closed, verified and opened anew before the next write. That
// is safe with regard to pages the kernel forgot in a failed fsync: bbolt syncs
// the data pages before the meta page that refers to them, so a visible meta
// refers to synced pages only, and all others are written again before they are
// used.
func (j *Journal) commitBatch(batch []*write) ([]uint64, error) {
	db, t := j.db, newTransaction(j)
	seqs := make([]uint64, len(batch))
	txid := 0
	err := guard(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			t.tx, txid = tx, tx.ID()
			for i, w := range batch {
				if err := t.apply(w); err != nil {
					return err
				}
				seqs[i] = t.state.seq
			}
			// Said before it is visible: a watcher that reads a trimmed file
			// must find the trimming in the tally.
			j.markTrimmed(t)
			return t.bucket(bucketMeta).Put([]byte(keyState), t.state.encode())
		})
	})
	if err != nil {
		j.abandon(uint64(txid))
		return nil, err
	}
	j.publish(t)
	return seqs, nil
}

// abandon closes the database after transaction txid has failed, undoes it, and
// tries to open the file anew at once, so that reading goes on; if that fails,
// the next write tries again.
func (j *Journal) abandon(txid uint64) {
	j.store.Lock()
	db := j.db
	j.db = nil
	_ = guard(func() error { return db.Close() })
	j.store.Unlock()
	j.failed = max(j.failed, txid)
	_ = j.open()
}

// open verifies the file (creating it when there is none) and opens it.
func (j *Journal) open() error {
	if err := create(j.path); err != nil {
		return err
	}
	if j.failed != 0 {
		if err := undo(j.path, j.failed); err != nil {
			return fmt.Errorf("cannot undo the write of %s that failed: %w", j.path, err)
		}
		j.failed = 0
	}
	t, err := verify(j.path)
	if err != nil {
		return err
	}
	db, err := openDB(j.path, boltOptions())
	if errors.Is(err, syscall.EROFS) { // what is there can be read all the same
		readOnly := boltOptions()
		readOnly.ReadOnly = true
		db, err = openDB(j.path, readOnly)
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return fmt.Errorf("%w: %s is held", ErrLocked, j.path)
	}
	if err != nil {
		return fmt.Errorf("cannot open the journal %s: %w", j.path, err)
	}
	j.store.Lock()
	j.db, j.held = db, 0
	j.store.Unlock()
	j.load(t)
	return nil
}

func openDB(path string, o *bolt.Options) (db *bolt.DB, err error) {
	err = guard(func() error {
		db, err = bolt.Open(path, 0o600, o)
		return err
	})
	return db, err
}

func boltOptions() *bolt.Options {
	return &bolt.Options{
		Timeout:      lockPatience,
		PageSize:     pageSize,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
	}
}
