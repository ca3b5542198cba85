package keeper

import (
	"context"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/process"
)

// Notify returns the socket of sd_notify that an earlier user of the keeper has
// shared, and what the process has said while there was no user, in order; the
// file is the caller's. nil: the keeper has none. From now on the keeper does not
// hear it, as long as the Client lives. Where the socket was lost on the way, what
// was said may come with the error.
func (c *Capture) Notify(ctx context.Context) (f *os.File, said []string, err error) {
	r, ok := c.host.(remote)
	if !ok {
		return nil, nil, nil
	}
	fd, said, err := r.notify(ctx, c.key)
	if err != nil || fd < 0 {
		return nil, said, err
	}
	f = os.NewFile(uintptr(fd), "notify")
	c.keepEar(duplicate(f))
	return f, said, nil
}

// ShareNotify has the keeper keep the socket of sd_notify, which this user hears,
// for the next one; and keepers to come too. While there is no user, the keeper
// hears it itself, so that the process never waits. The file stays the caller's. An
// error says that the keeper cannot.
func (c *Capture) ShareNotify(ctx context.Context, f *os.File) error {
	r, ok := c.host.(remote)
	if !ok {
		return nil
	}
	c.keepEar(duplicate(f))
	return r.c.offer(duplicate(f), func(path string) error {
		return r.c.call(ctx, TypeListen, earOrder{Key: c.key, Path: path}, nil)
	})
}

// Note has the keeper remember what the process says, before it is heard.
func (c *Capture) Note(ctx context.Context, text string) error {
	if r, ok := c.host.(remote); ok {
		return r.c.call(ctx, TypeSaid, saidOrder{Key: c.key, Text: text}, nil)
	}
	return nil
}

// keepEar holds the socket for keepers to come.
func (c *Capture) keepEar(f *os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ear != nil {
		_ = c.ear.Close()
	}
	c.ear = f
}

// hasEar reports whether a socket is held.
func (c *Capture) hasEar() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ear != nil
}

// heldEar is a duplicate of the socket that is held; nil: there is none.
func (c *Capture) heldEar() *os.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	return duplicate(c.ear)
}

// duplicate is the same open file under another number;
// nil of nil, and where there are no numbers left.
func duplicate(f *os.File) *os.File {
	if f == nil {
		return nil
	}
	fd, err := process.KeepFD(f)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "notify")
}

// notify asks the keeper for the socket; -1: it has none, or there is an error.
func (r remote) notify(ctx context.Context, key string) (fd int, said []string, err error) {
	counter, err := r.c.counter()
	if err != nil {
		return -1, nil, err
	}
	type handed struct {
		fd  int
		err error
	}
	got := make(chan handed, 1)
	r.c.running.Go(func() {
		fd := -1
		conn, err := counter.meet()
		if err == nil {
			fd, err = receive(conn)
			_ = conn.Close()
		}
		got <- handed{fd, err}
	})
	var answer earAnswer
	err = r.c.call(ctx, TypeNotify, earOrder{Key: key, Path: counter.path()}, &answer)
	if err != nil || !answer.Held {
		counter.close()
	}
	h := <-got
	counter.close()
	switch {
	case err != nil:
	case answer.Trouble != "":
		err = errors.New(answer.Trouble)
	case answer.Held:
		err = h.err
	}
	if err != nil && h.fd >= 0 {
		_ = unix.Close(h.fd)
		h.fd = -1
	}
	return h.fd, answer.Said, err
}

// offer has do done with an order that names a counter where the keeper gets a
// socket; "" where there is none to get. It closes ear.
func (c *Client) offer(ear *os.File, do func(path string) error) error {
	if ear == nil {
		return do("")
	}
	defer ear.Close()
	counter, err := c.counter()
	if err != nil {
		return do("") // it is heard from here, as long as this lives
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if conn, err := counter.meet(); err == nil {
			if raw, err := ear.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { _ = send(conn, int(fd)) })
			}
			_ = conn.Close()
		}
	})
	defer waiting.Wait()
	defer counter.close()
	return do(counter.path())
}

// counter opens the next one.
func (c *Client) counter() (*counter, error) {
	return openCounter(c.s.Folder, c.counters.Add(1))
}
