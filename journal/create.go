package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// create makes an empty journal at path when there is none. It is built under
// another name and renamed, so that a journal file that is empty or half made
// is always damage and never a crash while creating.
func create(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot create the journal: %w", err)
	}
	db, err := bolt.Open(fresh, 0o600, boltOptions())
	if err != nil {
		return fmt.Errorf("cannot create the journal %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket([]byte(bucketMeta))
		if err != nil {
			return err
		}
		for _, name := range dataBuckets {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return meta.Put([]byte(keyState), state{version: formatVersion}.encode())
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("cannot create the journal %s: %w", path, err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("cannot create the journal: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// guard runs fn and turns a panic or a memory fault into an error: bbolt reads
// through a memory map, which faults when the disk fails under it.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading or writing the database failed: %v", p)
		}
	}()
	return fn()
}
