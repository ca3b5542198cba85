package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Filter selects records; zero values select all.
type Filter struct {
	Application, Name string
	Since             uint64 // records with Seq > Since
	Last              int    // only the last N
}

func (f Filter) all() bool { return f.Application == "" && f.Name == "" }

func (f Filter) matches(instance string) bool {
	application, name, _ := strings.Cut(instance, "\x00")
	return (f.Application == "" || f.Application == application) && (f.Name == "" || f.Name == name)
}

// Read returns the matching records in order. Those of one instance are found
// through an index, at a cost that does not depend on the others.
func (j *Journal) Read(f Filter) ([]Record, error) {
	p, err := j.readPage(f, f.Since, math.MaxInt)
	return p.records, err
}

// Instances returns all instances known, by application and name.
func (j *Journal) Instances() ([]Instance, error) {
	var all []Instance
	err := j.view(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketInstances)).ForEach(func(key, sealed []byte) error {
			payload, err := unseal(bucketInstances, key, sealed)
			if err != nil {
				return err
			}
			var i Instance
			if err := json.Unmarshal(payload, &i); err != nil {
				return fmt.Errorf("row %s/%q: %w", bucketInstances, key, err)
			}
			all = append(all, i)
			return nil
		})
	})
	return all, err
}

// Get returns the value that Put stored under key, nil when there is none.
func (j *Journal) Get(key string) ([]byte, error) {
	var value []byte
	err := j.view(func(tx *bolt.Tx) error {
		sealed := tx.Bucket([]byte(bucketSettings)).Get([]byte(key))
		if sealed == nil {
			return nil
		}
		payload, err := unseal(bucketSettings, []byte(key), sealed)
		value = append([]byte{}, payload...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// view runs fn in a read transaction and names the file in its errors.
func (j *Journal) view(fn func(tx *bolt.Tx) error) error {
	j.store.RLock()
	defer j.store.RUnlock()
	if j.db == nil {
		select {
		case <-j.closed:
			return ErrClosed
		default:
			return fmt.Errorf("cannot read the journal %s: it is closed after a failed write, which the next write tries to mend", j.path)
		}
	}
	if err := guard(func() error { return j.db.View(fn) }); err != nil {
		return fmt.Errorf("cannot read the journal %s: %w", j.path, err)
	}
	return nil
}

// page is what one read transaction saw of a filter's records.
type page struct {
	records []Record
	upTo    uint64 // nothing else matched up to this sequence number
	lost    uint64 // up to here some had aged out; 0: none
}

// readPage returns at most limit matching records with Seq > after, in order.
// What is in the file but not acknowledged yet may be undone still: nobody is
// shown it.
func (j *Journal) readPage(f Filter, after uint64, limit int) (page, error) {
	var p page
	if after == math.MaxUint64 {
		return p, nil
	}
	keys, committed := j.matching(f), j.lastSeq()
	err := j.view(func(tx *bolt.Tx) error {
		st, err := decodeState(tx.Bucket([]byte(bucketMeta)).Get([]byte(keyState)))
		if err != nil {
			return err
		}
		p.upTo = min(st.seq, committed)
		var seqs []uint64
		if f.all() {
			seqs = scanRecords(tx, after, limit, f.Last)
		} else {
			seqs = scanIndex(tx, keys, after, limit, f.Last)
		}
		seqs = slices.DeleteFunc(seqs, func(seq uint64) bool { return seq > committed })
		b := tx.Bucket([]byte(bucketRecords))
		p.lost = j.trimmedAfter(f, after, func(seq uint64) bool { return b.Get(seqKey(seq)) != nil })
		p.records, err = fetch(b, seqs)
		return err
	})
	if err != nil {
		return page{}, err
	}
	if len(p.records) == limit {
		p.upTo = p.records[limit-1].Seq
	}
	return p, nil
}

func fetch(b *bolt.Bucket, seqs []uint64) ([]Record, error) {
	recs := make([]Record, 0, len(seqs))
	for _, seq := range seqs {
		key := seqKey(seq)
		r, err := decodeRecord(key, b.Get(key))
		if err != nil {
			return nil, err
		}
		recs = append(recs, r)
	}
	return recs, nil
}

// scanRecords returns the first limit sequence numbers above after, or the
// last ones when last > 0.
func scanRecords(tx *bolt.Tx, after uint64, limit, last int) []uint64 {
	var seqs []uint64
	c := tx.Bucket([]byte(bucketRecords)).Cursor()
	if last > 0 {
		for k, _ := c.Last(); k != nil && len(seqs) < last; k, _ = c.Prev() {
			seq := binary.BigEndian.Uint64(k)
			if seq <= after {
				break
			}
			seqs = append(seqs, seq)
		}
		slices.Reverse(seqs)
		return seqs
	}
	for k, _ := c.Seek(seqKey(after + 1)); k != nil && len(seqs) < limit; k, _ = c.Next() {
		seqs = append(seqs, binary.BigEndian.Uint64(k))
	}
	return seqs
}

// scanIndex is scanRecords for the given instances.
func scanIndex(tx *bolt.Tx, instances []string, after uint64, limit, last int) []uint64 {
	var seqs []uint64
	c := tx.Bucket([]byte(bucketIndex)).Cursor()
	for _, instance := range instances {
		if last > 0 {
			seqs = append(seqs, lastOf(c, []byte(instance), after, last)...)
		} else {
			seqs = append(seqs, firstOf(c, []byte(instance), after, limit)...)
		}
	}
	slices.Sort(seqs)
	switch {
	case last > 0 && len(seqs) > last:
		return seqs[len(seqs)-last:]
	case last <= 0 && len(seqs) > limit:
		return seqs[:limit]
	}
	return seqs
}

func firstOf(c *bolt.Cursor, instance []byte, after uint64, limit int) []uint64 {
	var seqs []uint64
	for k, _ := c.Seek(indexKey(instance, after+1)); k != nil && len(seqs) < limit; k, _ = c.Next() {
		owner, seq, ok := splitIndexKey(k)
		if !ok || !bytes.Equal(owner, instance) {
			break
		}
		seqs = append(seqs, seq)
	}
	return seqs
}

func lastOf(c *bolt.Cursor, instance []byte, after uint64, last int) []uint64 {
	var seqs []uint64
	k, _ := c.Seek(indexKey(instance, math.MaxUint64))
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	for ; k != nil && len(seqs) < last; k, _ = c.Prev() {
		owner, seq, ok := splitIndexKey(k)
		if !ok || !bytes.Equal(owner, instance) || seq <= after {
			break
		}
		seqs = append(seqs, seq)
	}
	return seqs
}
