package keeper

import (
	"context"
	"errors"
	"sync"

	"github.com/seed-04209a44/peerd/process"
)

// word is what is known of one process, as it becomes known. Nothing in it is
// ever taken back, and a loss is numbered, so that it can be told again and in
// any order.
type word struct {
	line    chan struct{} // closed: the first line is known, or there will be none
	matched chan struct{} // closed: a line has matched
	ended   chan struct{} // closed: the exit is known

	mu    sync.Mutex // guards the following field
	entry Entry
}

func newWord(key, folder string) *word {
	return &word{
		line: make(chan struct{}), matched: make(chan struct{}), ended: make(chan struct{}),
		entry: Entry{Key: key, Folder: folder},
	}
}

// merge takes in news and reports whether they were any.
func (w *word) merge(e Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	news := false
	if e.Folder != "" && w.entry.Folder == "" {
		w.entry.Folder, news = e.Folder, true
	}
	if e.Identity != nil && w.entry.Identity == nil {
		w.entry.Identity, news = e.Identity, true
	}
	if e.First != nil && w.entry.First == nil {
		w.entry.First, news = e.First, true
		shut(w.line)
	}
	if e.Matched && !w.entry.Matched {
		w.entry.Matched, news = true, true
		close(w.matched)
	}
	if l := e.Loss; l != nil && (w.entry.Loss == nil || l.Serial > w.entry.Loss.Serial) {
		w.entry.Loss, news = l, true
	}
	if e.Exit != nil && (w.entry.Exit == nil || !known(*w.entry.Exit) && known(*e.Exit)) {
		w.entry.Exit, news = e.Exit, true
		shut(w.ended)
	}
	return news
}

// of is what is known of a key whose process went on as another.
func (w *word) of(id process.Identity) *word {
	e := w.now()
	next := newWord(e.Key, e.Folder)
	next.merge(Entry{Identity: &id, First: e.First, Matched: e.Matched, Loss: e.Loss})
	return next
}

// loses takes in that n bytes were lost in all, and why more are; "": no more
// are. It is called by one goroutine at a time.
func (w *word) loses(n int64, why string) {
	next := &Loss{Serial: 1, Bytes: n, Why: why}
	if before := w.now().Loss; before != nil {
		next.Serial = before.Serial + 1
	}
	w.merge(Entry{Loss: next})
}

// lost is how many bytes are known to be lost.
func (w *word) lost() int64 {
	if l := w.now().Loss; l != nil {
		return l.Bytes
	}
	return 0
}

// takeOver takes in what other keepers had lost. Whether this one loses
// anything is to be seen.
func (w *word) takeOver(l *Loss) {
	if l == nil {
		return
	}
	w.merge(Entry{Loss: l})
	if l.Why != "" {
		w.loses(l.Bytes, "")
	}
}

// silent says that no first line will come any more.
func (w *word) silent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	shut(w.line)
}

// shut closes c unless it is closed; whoever calls it holds the mutex.
func shut(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

func (w *word) now() Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.entry
}

// firstLine waits for the first line of stdout.
func (w *word) firstLine(ctx context.Context) (string, error) {
	select {
	case <-w.line:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if first := w.now().First; first != nil {
		return *first, nil
	}
	return "", errors.New("its stdout ended without a line")
}

// known reports whether an exit says how the process ended.
func known(x process.Exit) bool { return x.Code >= 0 || x.Signal != "" }
