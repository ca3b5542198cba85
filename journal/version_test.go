package journal

import (
	"errors"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	db, err := bolt.Open(path, 0o600, boltOptions())
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		sealed := seal(bucketMeta, []byte(keyState), []byte{9, 0, 'n', 'e', 'w'})
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyState), sealed)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, Options{})
	var v *VersionError
	if !errors.As(err, &v) || v.Found != 9 {
		t.Fatalf("got %v", err)
	}
}
