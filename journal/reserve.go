package journal

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// A journal holds more of the disk than it uses: reserveSize bytes behind its last
// page, for what is written by AppendUrgent though the disk is full. Some more is
// taken ahead where there is room, so that not every commit has to ask.
const (
	reserveSize  = 512 << 10
	reserveAhead = 64 << 10
)

// secure has the reserve be there in full. An error says that the disk has no
// room for it: then only what is urgent may be written. Where the file system
// cannot reserve, there is none, and a write fails when it fails.
func (j *Journal) secure() error {
	used, err := sizeOf(j.db)
	if err != nil || j.held >= used+reserveSize {
		return nil // a file that cannot be read is the commit's to tell of
	}
	for _, ahead := range []int64{reserveAhead, 0} {
		until := used + reserveSize + ahead
		if err = allocate(j.path, min(j.held, used), until); err == nil {
			j.held = until
			return nil
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("what is left of the disk is kept to stop components: %w", err)
	case errors.Is(err, errors.ErrUnsupported):
		j.held = math.MaxInt64
	}
	return nil
}

// sizeOf is where the pages of the file end.
func sizeOf(db *bolt.DB) (n int64, err error) {
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			n = tx.Size()
			return nil
		})
	})
	return n, err
}

// refuse answers all of batch that is not urgent, and returns the rest.
func refuse(batch []*write, why error) []*write {
	rest := batch[:0]
	for _, w := range batch {
		if w.urgent {
			rest = append(rest, w)
			continue
		}
		w.done <- result{err: why}
	}
	return rest
}
