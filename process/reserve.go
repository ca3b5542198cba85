//go:build unix

package process

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// reserve keeps some file descriptors back, so that a tree can be killed when
// the program has used up all the others.
type reserve struct {
	mu    sync.Mutex
	spare []*os.File
}

// reserved is how many fds finding and signalling one member takes at once.
const reserved = 4

func newReserve() *reserve {
	r := &reserve{}
	r.fill()
	return r
}

// use runs f, and once more with the reserve freed if it had no fds.
func (r *reserve) use(f func() error) {
	err := f()
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	_ = f()
	r.fill()
}

// fill opens what is missing, as far as possible.
func (r *reserve) fill() {
	for len(r.spare) < reserved {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		r.spare = append(r.spare, f)
	}
}

func (r *reserve) drop() {
	for _, f := range r.spare {
		f.Close()
	}
	r.spare = nil
}

// close frees the reserve for good.
func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
}
