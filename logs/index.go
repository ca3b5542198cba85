package logs

import (
	"encoding/binary"
	"os"
	"sort"
	"time"
)

// An index file says when the bytes of its log file came: a header (magic and
// the log file's inode number), then one entry per chunk written, each an
// offset and a time. Entries are advice: whoever reads them checks them.
const (
	indexMagic = "peerdix1"
	headerSize = 16
	entrySize  = 16
	// At least this much time lies between two entries, and beyond the first
	// indexFree bytes of entries an index is never larger than its log.
	indexStep = time.Millisecond
	indexFree = 64 << 10
)

type entry struct {
	offset int64
	at     int64 // Unix nanoseconds
}

func (e entry) encode() []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, entrySize), uint64(e.offset))
	return binary.LittleEndian.AppendUint64(b, uint64(e.at))
}

func decodeEntry(b []byte) entry {
	return entry{offset: int64(binary.LittleEndian.Uint64(b)), at: int64(binary.LittleEndian.Uint64(b[8:]))}
}

func indexHeader(ino uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte(indexMagic), ino)
}

// indexWriter appends entries. Its failures cost precision only, so they are
// not reported. It belongs to the Writer's mutex.
type indexWriter struct {
	file *os.File
	n    int64
	last entry
}

// open takes over the index at path if it is the one of the log file ino, and
// forgets entries beyond the log's size; else it begins a new one.
func (x *indexWriter) open(path string, ino uint64, size int64) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return
	}
	x.file, x.n = f, 0
	header := make([]byte, headerSize)
	_, err = f.ReadAt(header, 0)
	if want := indexHeader(ino); err != nil || string(header) != string(want) {
		_ = f.Truncate(0)
		_, _ = f.WriteAt(want, 0)
		return
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	x.n = (info.Size() - headerSize) / entrySize
	for ; x.n > 0; x.n-- {
		if x.last, err = x.read(x.n - 1); err == nil && x.last.offset <= size {
			break
		}
	}
	_ = f.Truncate(headerSize + x.n*entrySize)
}

func (x *indexWriter) read(i int64) (entry, error) {
	b := make([]byte, entrySize)
	_, err := x.file.ReadAt(b, headerSize+i*entrySize)
	return decodeEntry(b), err
}

// note says that the bytes from offset on came at now.
func (x *indexWriter) note(offset int64, now time.Time) {
	if x.file == nil {
		return
	}
	e := entry{offset: offset, at: now.UnixNano()}
	i := x.n
	switch since := time.Duration(e.at - x.last.at).Abs(); {
	case x.n > 0 && offset == x.last.offset:
		i-- // the write announced before did not happen
	case x.n > 0 && (since < indexStep || x.n*entrySize > indexFree+offset):
		return
	}
	if _, err := x.file.WriteAt(e.encode(), headerSize+i*entrySize); err == nil {
		x.n, x.last = i+1, e
	}
}

func (x *indexWriter) reset() {
	if x.file != nil {
		_ = x.file.Truncate(headerSize)
	}
	x.n = 0
}

func (x *indexWriter) close() {
	if x.file != nil {
		_ = x.file.Close()
	}
	*x = indexWriter{}
}

// indexBlock entries are read at a time.
const indexBlock = 256

// indexReader finds times in an index file; nil finds none.
type indexReader struct {
	file  *os.File
	n     int // entries
	start int // of block
	block []entry
	at    int // where timeAt found the last one
}

// openIndex finds the index of log file ino among the stream's index files: a
// rotation under way, or one cut short, may have it under another number.
func openIndex(dir string, s Stream, ino uint64) *indexReader {
	want := string(indexHeader(ino))
	for n, missing := 0, 0; n < maxNumber && missing < holes; n++ {
		f, err := os.Open(indexPath(dir, s, n))
		if err != nil {
			missing++
			continue
		}
		missing = 0
		header := make([]byte, headerSize)
		if _, err := f.ReadAt(header, 0); err == nil && string(header) == want {
			x := &indexReader{file: f}
			x.refresh()
			return x
		}
		_ = f.Close()
	}
	return nil
}

// refresh takes notice of entries written since.
func (x *indexReader) refresh() {
	if x == nil {
		return
	}
	if info, err := x.file.Stat(); err == nil {
		x.n = int(max(0, info.Size()-headerSize) / entrySize)
		x.block = nil
	}
}

func (x *indexReader) close() {
	if x != nil {
		_ = x.file.Close()
	}
}

// get returns entry i; ok is false where the file does not give it.
func (x *indexReader) get(i int) (entry, bool) {
	if i < 0 || i >= x.n {
		return entry{}, false
	}
	if i < x.start || i >= x.start+len(x.block) {
		x.start = i - i%indexBlock
		b := make([]byte, min(indexBlock, x.n-x.start)*entrySize)
		n, _ := x.file.ReadAt(b, headerSize+int64(x.start)*entrySize)
		x.block = x.block[:0]
		for ; n >= entrySize; n -= entrySize {
			x.block = append(x.block, decodeEntry(b))
			b = b[entrySize:]
		}
	}
	if i-x.start >= len(x.block) {
		return entry{}, false
	}
	return x.block[i-x.start], true
}

// timeAt returns when the byte at offset came; ok is false when unknown.
func (x *indexReader) timeAt(offset int64) (time.Time, bool) {
	if x == nil {
		return time.Time{}, false
	}
	if x.after(x.at, offset) || !x.after(x.at+1, offset) {
		x.at = sort.Search(x.n, func(i int) bool { return x.after(i, offset) }) - 1
	}
	e, ok := x.get(x.at)
	if !ok || e.offset > offset || e.at <= 0 {
		return time.Time{}, false
	}
	return time.Unix(0, e.at), true
}

func (x *indexReader) after(i int, offset int64) bool {
	e, ok := x.get(i)
	return !ok || e.offset > offset
}

// since returns the offset of the first chunk at or after t, up to size.
func (x *indexReader) since(t time.Time, size int64) int64 {
	if x == nil {
		return 0
	}
	i := sort.Search(x.n, func(i int) bool {
		e, ok := x.get(i)
		return !ok || e.at >= t.UnixNano()
	})
	if i == 0 {
		return 0
	}
	e, ok := x.get(i)
	if !ok || e.offset > size || e.offset < 0 {
		return size
	}
	return e.offset
}
