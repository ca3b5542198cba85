package keeper

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed-04209a44/peerd/logs"
)

// Notes in a process's private folder: what a keeper has seen of the output. They
// are written before anybody is told, so that a keeper that is killed before it
// could tell leaves them to the next.
const (
	noteFirst   = "first"   // the first line of stdout, before it is taken out of the pipe
	noteMatched = "matched" // a line has matched
)

// maxNote is more than a note has: a first line is at most half as long.
const maxNote = 128 << 10

// writeNote writes down a line. The folder may be the process's own, so nothing in
// it is written through.
func writeNote(folder, name, line string) error {
	path := filepath.Join(folder, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// readNote is the line that an earlier keeper has written down; nil: none has, or it
// was killed over it.
func readNote(folder, name string) *string {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxNote))
	line, whole := bytes.CutSuffix(text, []byte("\n"))
	if err != nil || !whole {
		return nil
	}
	note := string(line)
	return &note
}

// match notes that a line has matched, and tells it.
func (o *output) match() {
	_ = writeNote(o.opts.Folder, noteMatched, "") // as in offer
	o.tell(Entry{Matched: true})
}

// offer takes a first line that looks like a handshake; anything else stays
// output, and is told all the same so that its user can say what came.
func (o *output) offer(line string) bool {
	_ = writeNote(o.opts.Folder, noteFirst, line) // where it cannot be, it is lost with a keeper that is killed now
	o.tell(Entry{First: &line})
	return looksLikeHandshake(line)
}

// recall goes on where an earlier keeper has seen a line that matched, or the first
// one: it may have been killed before it took that out of the pipe.
func (o *output) recall() error {
	if o.opts.Match != "" && readNote(o.opts.Folder, noteMatched) != nil {
		o.word.merge(Entry{Matched: true})
	}
	if !o.opts.Handshake {
		return nil
	}
	if first := readNote(o.opts.Folder, noteFirst); first != nil {
		o.word.merge(Entry{First: first})
	}
	first := o.word.now().First
	if first == nil || !looksLikeHandshake(*first) {
		return nil
	}
	return logs.Skip(o.streams[0].fifo.Read, *first)
}
