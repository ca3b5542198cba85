package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	sys "golang.org/x/sys/unix"
)

// leftName is the file in the runtime folder by which a keeper that leaves tells
// the next one what nobody has heard yet.
const leftName = "keeper.left"

// home is a keeper's runtime folder.
type home struct {
	folder string
	lock   int // the file that is locked in it

	mu   sync.Mutex      // guards the following field
	left map[string]bool // keys that are in the file
}

func newHome(folder string, lock int) *home {
	return &home{folder: folder, lock: lock, left: map[string]bool{}}
}

// isThere reports whether the folder is still the one that users look into.
func (h *home) isThere() bool {
	var mine, there sys.Stat_t
	return sys.Fstat(h.lock, &mine) == nil && sys.Stat(filepath.Join(h.folder, lockName), &there) == nil &&
		mine.Dev == there.Dev && mine.Ino == there.Ino
}

// read returns what an earlier keeper has left.
func (h *home) read() ([]heldEstate, error) {
	f, err := os.Open(filepath.Join(h.folder, leftName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what the last keeper left: %w", err)
	}
	e, err := readEstate(f)
	if err != nil {
		return nil, err
	}
	return e.Held, nil
}

// remember has the file stay until these keys are forgotten.
func (h *home) remember(left []heldEstate, held map[string]*held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, he := range left {
		if held[he.Entry.Key] != nil {
			h.left[he.Entry.Key] = true
		}
	}
}

// forget notes that a key need not be remembered any more.
func (h *home) forget(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.left[key] {
		return
	}
	if delete(h.left, key); len(h.left) == 0 {
		_ = os.Remove(filepath.Join(h.folder, leftName))
	}
}

// write leaves what is held to the next keeper. It is on disk then.
func (h *home) write(held []heldEstate) error {
	text, err := json.Marshal(estate{State: state, Held: held})
	if err != nil {
		return err
	}
	path := filepath.Join(h.folder, leftName)
	if err := writeSynced(path+".new", text); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(h.folder)
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// leave ends the keeper if nobody is connected and nothing lives: then quit is
// called, and nobody is heard any more. How processes ended that nobody has
// heard of is left in the folder; if that is gone, nobody will ask. As long as it
// cannot be written down, the keeper stays.
func (s *server) leave(quit func()) bool {
	if !s.turn.TryLock() {
		return false // somebody is heard
	}
	defer s.turn.Unlock()
	if s.anyLives() {
		return false
	}
	if left := s.untold(); len(left) > 0 && s.home.isThere() && s.home.write(left) != nil {
		return false
	}
	quit()
	return true
}

// anyLives reports whether a process lives, or one of its tree.
func (k *Keeper) anyLives() bool {
	for _, h := range k.all() {
		h.mu.Lock()
		lives := h.proc != nil && !isClosed(h.proc.Empty())
		h.mu.Unlock()
		if lives {
			return true
		}
	}
	return false
}

// untold stores all output and returns what is known of the processes that
// nobody has told the keeper to forget. Those that were never spawned are no
// loss.
func (k *Keeper) untold() []heldEstate {
	var left []heldEstate
	for _, h := range k.all() {
		h.mu.Lock()
		h.out.close()
		he := heldEstate{Output: h.opts, Entry: h.word.now(), Drained: true, Lost: h.out.dropped()}
		h.mu.Unlock()
		if he.Entry.Identity != nil {
			left = append(left, he)
		}
	}
	return left
}
