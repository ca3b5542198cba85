package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// verify reads the whole file and returns its tally, or why the file cannot be
// trusted. A sound file has only sound pages (see pages.go), every row matches
// its checksum, and the rows together match the state row's count and digest.
func verify(path string) (tally, error) {
	f, err := os.Open(path)
	if err != nil {
		return tally{}, fmt.Errorf("cannot open the journal: %w", err)
	}
	defer f.Close()
	v := verifier{tally: tally{heads: make(map[string]head)}}
	if err := walkFile(f, v.row); err != nil {
		return tally{}, &DamageError{Path: path, Reason: err.Error()}
	}
	if v.stored.version > formatVersion {
		return tally{}, &VersionError{Path: path, Found: int(v.stored.version), Supported: formatVersion}
	}
	if err := v.finish(); err != nil {
		return tally{}, &DamageError{Path: path, Reason: err.Error()}
	}
	return v.tally, nil
}

type verifier struct {
	tally  tally // as counted
	stored state // as the file claims
	fault  error // first one in a row; kept until the version is known
	index  int
}

// row takes one row of one bucket, in key order within each bucket.
func (v *verifier) row(bucket string, key, sealed []byte) {
	if bucket == bucketMeta {
		if string(key) != keyState {
			v.fail(fmt.Errorf("unknown row %s/%q", bucket, key))
			return
		}
		stored, err := decodeState(sealed)
		v.fail(err)
		v.stored = stored
		return
	}
	v.tally.rows++
	v.tally.digest ^= fingerprint(bucket, key, sealed)
	if _, err := unseal(bucket, key, sealed); err != nil {
		v.fail(err)
		return
	}
	switch bucket {
	case bucketRecords:
		v.tally.records++
		if len(key) != seqBytes {
			v.fail(fmt.Errorf("row %s/%x has a strange key", bucket, key))
			return
		}
		v.tally.seq = max(v.tally.seq, binary.BigEndian.Uint64(key))
	case bucketIndex:
		instance, _, ok := splitIndexKey(key)
		if !ok || !bytes.ContainsRune(instance, 0) {
			v.fail(fmt.Errorf("row %s/%q has a strange key", bucket, key))
			return
		}
		h := v.tally.heads[string(instance)]
		h.count++
		v.tally.heads[string(instance)] = h
		v.index++
	case bucketInstances, bucketSettings:
	default:
		v.fail(fmt.Errorf("unknown bucket %q", bucket))
	}
}

func (v *verifier) fail(err error) {
	if v.fault == nil {
		v.fault = err
	}
}

func (v *verifier) finish() error {
	switch {
	case v.fault != nil:
		return v.fault
	case v.stored.version != formatVersion:
		return fmt.Errorf("its state row is missing")
	case v.tally.rows != v.stored.rows || v.tally.digest != v.stored.digest:
		return fmt.Errorf("rows are missing or doubled: %d found, %d written", v.tally.rows, v.stored.rows)
	case v.tally.records != v.index:
		return fmt.Errorf("%d records have %d index entries", v.tally.records, v.index)
	case v.tally.seq > v.stored.seq:
		return fmt.Errorf("record %d is beyond the last sequence number %d", v.tally.seq, v.stored.seq)
	}
	v.tally.state = v.stored
	return nil
}
