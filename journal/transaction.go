package journal

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// transaction applies writes to a bbolt transaction and keeps the books: rows,
// digest, sequence number and the heads it touches. It belongs to the
// committer.
type transaction struct {
	tx      *bolt.Tx
	opts    Options
	state   state
	records int
	aged    uint64
	base    map[string]head // as committed; only read
	heads   map[string]head // touched here
}

func newTransaction(j *Journal) *transaction {
	return &transaction{
		opts:    j.opts,
		state:   j.tally.state,
		records: j.tally.records,
		aged:    j.tally.aged,
		base:    j.tally.heads,
		heads:   make(map[string]head),
	}
}

func (t *transaction) bucket(name string) *bolt.Bucket { return t.tx.Bucket([]byte(name)) }

func (t *transaction) apply(w *write) error {
	for _, r := range w.records {
		if err := t.addRecord(r); err != nil {
			return err
		}
	}
	for _, r := range w.rows {
		if err := t.set(r.bucket, r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) addRecord(r pendingRecord) error {
	t.state.seq++
	seq := t.state.seq
	if err := t.set(bucketRecords, seqKey(seq), r.payload); err != nil {
		return err
	}
	if err := t.set(bucketIndex, indexKey(r.instance, seq), []byte{}); err != nil {
		return err
	}
	h := t.head(r.instance)
	h.count++
	t.heads[string(r.instance)] = h
	t.records++
	return t.trim(r.instance)
}

// trim drops the oldest records of instance beyond Keep, then the oldest of
// all beyond Total.
func (t *transaction) trim(instance []byte) error {
	for h := t.head(instance); h.count > t.opts.Keep; h = t.head(instance) {
		first, _ := t.bucket(bucketIndex).Cursor().Seek(indexKey(instance, 0))
		owner, seq, ok := splitIndexKey(first)
		if !ok || !bytes.Equal(owner, instance) {
			return fmt.Errorf("the index of %q ends early", instance)
		}
		h.trimmed = seq
		t.heads[string(instance)] = h
		if err := t.drop(bytes.Clone(owner), seq); err != nil {
			return err
		}
	}
	for t.records > t.opts.Total {
		key, value := t.bucket(bucketRecords).Cursor().First()
		r, err := decodeRecord(key, value)
		if err != nil {
			return err
		}
		owner, err := instanceKey(r.Application, r.Name)
		if err != nil {
			return err
		}
		t.aged = r.Seq
		if err := t.drop(owner, r.Seq); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) drop(instance []byte, seq uint64) error {
	if err := t.set(bucketIndex, indexKey(instance, seq), nil); err != nil {
		return err
	}
	h := t.head(instance)
	h.count--
	t.heads[string(instance)] = h
	t.records--
	return t.set(bucketRecords, seqKey(seq), nil)
}

func (t *transaction) head(instance []byte) head {
	if h, ok := t.heads[string(instance)]; ok {
		return h
	}
	return t.base[string(instance)]
}

// set stores payload under key, or deletes the row when payload is nil, and
// keeps the row count and the digest true.
func (t *transaction) set(bucket string, key, payload []byte) error {
	b := t.bucket(bucket)
	if old := b.Get(key); old != nil {
		t.state.rows--
		t.state.digest ^= fingerprint(bucket, key, old)
	}
	if payload == nil {
		return b.Delete(key)
	}
	sealed := seal(bucket, key, payload)
	t.state.rows++
	t.state.digest ^= fingerprint(bucket, key, sealed)
	return b.Put(key, sealed)
}
