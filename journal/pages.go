package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt file, in the machine's byte order, as version 2 of its
// format has it. bbolt itself trusts its pages; this walk does not.
const (
	pageSize       = 4096
	pageHeader     = 16 // id, flags, count, overflow
	elementSize    = 16 // of leaf and branch pages alike
	bucketHeader   = 16 // root page, sequence
	metaSize       = 64
	metaMagic      = 0xED0CDAED
	metaVersion    = 2
	flagBranch     = 0x01
	flagLeaf       = 0x02
	flagMeta       = 0x04
	flagFreelist   = 0x10
	leafIsBucket   = 0x01
	manyFree       = 0xFFFF // freelist count that says: see the first entry
	maxTreeDepth   = 64
	maxBucketDepth = 2 // the root and our buckets
)

var order = binary.NativeEndian

type meta struct {
	root, freelist, pages, txid uint64
}

// walker visits every page in use exactly once.
type walker struct {
	r    io.ReaderAt
	meta meta
	used []bool // by page
	row  func(bucket string, key, value []byte)
}

// walkFile checks the structure of the bbolt file f and calls row for each
// key and value of each bucket.
func walkFile(f *os.File, row func(bucket string, key, value []byte)) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m, err := readMetas(f)
	if err != nil {
		return err
	}
	if m.pages < 4 || m.pages > uint64(info.Size())/pageSize {
		return fmt.Errorf("it has %d bytes and should have %d pages of %d", info.Size(), m.pages, pageSize)
	}
	w := &walker{r: f, meta: m, used: make([]bool, m.pages), row: row}
	w.used[0], w.used[1] = true, true
	if err := w.tree(m.root, "", nil, nil, 0, 0); err != nil {
		return err
	}
	return w.freelist()
}

// readMetas checks both meta pages and returns the newer. bbolt would go on
// with the older one if the newer were bad, and so undo what was acknowledged.
func readMetas(r io.ReaderAt) (meta, error) {
	var newest meta
	for id := range uint64(2) {
		m, err := readMeta(r, id)
		if err != nil {
			return meta{}, err
		}
		if id == 0 || m.txid > newest.txid {
			newest = m
		}
	}
	return newest, nil
}

// readMeta reads and checks meta page id.
func readMeta(r io.ReaderAt, id uint64) (meta, error) {
	p := make([]byte, pageHeader+metaSize)
	if _, err := r.ReadAt(p, int64(id)*pageSize); err != nil {
		return meta{}, fmt.Errorf("meta page %d: %w", id, err)
	}
	if order.Uint64(p) != id || order.Uint16(p[8:]) != flagMeta {
		return meta{}, fmt.Errorf("page %d is no meta page", id)
	}
	b := p[pageHeader:]
	h := fnv.New64a()
	_, _ = h.Write(b[:56])
	if order.Uint32(b) != metaMagic || order.Uint32(b[4:]) != metaVersion ||
		order.Uint32(b[8:]) != pageSize || order.Uint64(b[56:]) != h.Sum64() {
		return meta{}, fmt.Errorf("meta page %d does not match its checksum", id)
	}
	return meta{root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]), pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:])}, nil
}

// page reads page id with its overflow and marks it used.
func (w *walker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.meta.pages {
		return nil, fmt.Errorf("page %d does not exist", id)
	}
	p := make([]byte, pageSize)
	if _, err := w.r.ReadAt(p, int64(id)*pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(order.Uint32(p[12:]))
	if order.Uint64(p) != id || overflow >= w.meta.pages-id {
		return nil, fmt.Errorf("page %d has a bad header", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	if overflow > 0 {
		p = append(p, make([]byte, overflow*pageSize)...)
		if _, err := w.r.ReadAt(p[pageSize:], int64(id+1)*pageSize); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return p, nil
}

// tree walks the tree below page id, whose keys must be at or above low and
// below high (nil: no bound).
func (w *walker) tree(id uint64, bucket string, low, high []byte, buckets, depth int) error {
	if depth > maxTreeDepth {
		return fmt.Errorf("page %d lies too deep", id)
	}
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if order.Uint16(p[8:]) != flagBranch {
		return w.leaf(p, id, bucket, low, high, buckets)
	}
	keys, children, err := branchElements(p, low, high)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i, child := range children {
		next := high
		if i+1 < len(keys) {
			next = keys[i+1]
		}
		if err := w.tree(child, bucket, keys[i], next, buckets, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func branchElements(p, low, high []byte) (keys [][]byte, children []uint64, err error) {
	n := int(order.Uint16(p[10:]))
	if n == 0 || pageHeader+n*elementSize > len(p) {
		return nil, nil, fmt.Errorf("it has %d elements", n)
	}
	for i := range n {
		at := pageHeader + i*elementSize
		key, err := slice(p, at, order.Uint32(p[at:]), order.Uint32(p[at+4:]))
		if err != nil {
			return nil, nil, err
		}
		if i > 0 {
			low = append(bytes.Clone(keys[i-1]), 0)
		}
		if err := inBounds(key, low, high); err != nil {
			return nil, nil, err
		}
		keys = append(keys, key)
		children = append(children, order.Uint64(p[at+8:]))
	}
	return keys, children, nil
}

// leaf walks the leaf page p, which may also be an inline bucket.
func (w *walker) leaf(p []byte, id uint64, bucket string, low, high []byte, buckets int) error {
	n := int(order.Uint16(p[10:]))
	if order.Uint16(p[8:]) != flagLeaf || pageHeader+n*elementSize > len(p) {
		return fmt.Errorf("page %d is no leaf page", id)
	}
	for i := range n {
		at := pageHeader + i*elementSize
		flags, pos := order.Uint32(p[at:]), order.Uint32(p[at+4:])
		ksize, vsize := order.Uint32(p[at+8:]), order.Uint32(p[at+12:])
		both, err := slice(p, at, pos, ksize, vsize)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		key, value := both[:ksize], both[ksize:]
		if err := inBounds(key, low, high); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		low = append(bytes.Clone(key), 0)
		if err := w.element(id, bucket, flags, key, value, buckets); err != nil {
			return err
		}
	}
	return nil
}

// element takes one leaf element: a bucket at the top, a row below it.
func (w *walker) element(id uint64, bucket string, flags uint32, key, value []byte, buckets int) error {
	if flags != leafIsBucket {
		if flags != 0 || buckets == 0 {
			return fmt.Errorf("page %d: %q is no row", id, key)
		}
		w.row(bucket, key, value)
		return nil
	}
	if buckets+1 >= maxBucketDepth || len(value) < bucketHeader {
		return fmt.Errorf("page %d: %q is no bucket", id, key)
	}
	if root := order.Uint64(value); root != 0 {
		return w.tree(root, string(key), nil, nil, buckets+1, 0)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader {
		return fmt.Errorf("page %d: bucket %q is cut", id, key)
	}
	return w.leaf(inline, id, string(key), nil, nil, buckets+1)
}

// freelist checks that no page is free that is in use, or twice: it would be
// overwritten. A page that is neither is lost space and nothing worse.
func (w *walker) freelist() error {
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if order.Uint16(p[8:]) != flagFreelist {
		return fmt.Errorf("page %d is no free list", w.meta.freelist)
	}
	n, ids := uint64(order.Uint16(p[10:])), p[pageHeader:]
	if n == manyFree {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return errors.New("the free list is cut")
	}
	for i := range n {
		id := order.Uint64(ids[i*8:])
		if id >= w.meta.pages || w.used[id] {
			return fmt.Errorf("page %d is free and in use", id)
		}
		w.used[id] = true
	}
	return nil
}

// slice cuts the bytes of an element out of its page: they begin pos bytes
// after the element at `at`.
func slice(p []byte, at int, pos uint32, sizes ...uint32) ([]byte, error) {
	from := uint64(at) + uint64(pos)
	to := from
	for _, s := range sizes {
		to += uint64(s)
	}
	if to > uint64(len(p)) {
		return nil, errors.New("an element reaches beyond the page")
	}
	return p[from:to], nil
}

func inBounds(key, low, high []byte) error {
	if low != nil && bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
		return fmt.Errorf("key %q is out of order", key)
	}
	return nil
}
