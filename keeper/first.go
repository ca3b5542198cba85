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

// firstName is the file in a process's private folder that holds the first line
// of its stdout. It is written before the line is taken out of the pipe, so that
// a keeper that is killed before it could tell anybody leaves it to the next.
const firstName = "first"

// maxFirst is more than a first line may have.
const maxFirst = 128 << 10

// keepFirst writes the first line down. The folder may be the process's own, so
// nothing in it is written through.
func keepFirst(folder, line string) error {
	path := filepath.Join(folder, firstName)
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

// keptFirst is the first line that an earlier keeper has written down; nil: none
// has, or it was killed over it, and the line is in the pipe.
func keptFirst(folder string) *string {
	f, err := os.OpenFile(filepath.Join(folder, firstName), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFirst))
	line, whole := bytes.CutSuffix(text, []byte("\n"))
	if err != nil || !whole {
		return nil
	}
	first := string(line)
	return &first
}

// offer takes a first line that looks like a handshake; anything else stays
// output, and is told all the same so that its user can say what came.
func (o *output) offer(line string) bool {
	_ = keepFirst(o.opts.Folder, line) // where it cannot be, it is lost with a keeper that is killed now
	o.tell(Entry{First: &line})
	return looksLikeHandshake(line)
}

// recall goes on where an earlier keeper has seen the first line, and may have
// been killed before it took it out of the pipe.
func (o *output) recall() error {
	if !o.opts.Handshake {
		return nil
	}
	if first := keptFirst(o.opts.Folder); first != nil {
		o.word.merge(Entry{First: first})
	}
	first := o.word.now().First
	if first == nil || !looksLikeHandshake(*first) {
		return nil
	}
	return logs.Skip(o.streams[0].fifo.Read, *first)
}
