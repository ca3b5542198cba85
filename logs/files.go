package logs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// fileID tells files apart whatever they are called.
type fileID struct{ dev, ino uint64 }

func idOf(info fs.FileInfo) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // int32 on darwin
}

// logPath is the stream's current file for n = 0, else the n-th before it.
func logPath(dir string, s Stream, n int) string { return numbered(dir, string(s)+".log", n) }

func indexPath(dir string, s Stream, n int) string { return numbered(dir, string(s)+".idx", n) }

func numbered(dir, name string, n int) string {
	if n > 0 {
		name += "." + strconv.Itoa(n)
	}
	return filepath.Join(dir, name)
}

// maxNumber bounds the numbered files looked for when reading, whatever number
// the writer keeps.
const maxNumber = 1000

// holes is how many numbers in a row are missing beyond the last file. In the
// midst of a rotation one is missing before it.
const holes = 2

// shift moves the current files to number 1 and the others on, dropping what
// would exceed keep files. It stops at the first free number, so that a shift
// cut short by a crash is completed by the next one with nothing lost early.
func shift(dir string, s Stream, keep int) error {
	if keep <= 1 {
		return errors.Join(remove(logPath(dir, s, 0)), remove(indexPath(dir, s, 0)))
	}
	free := 1
	for free < keep-1 && exists(logPath(dir, s, free)) {
		free++
	}
	// Renaming over a file makes ext4 write the data out at once, so the one
	// that is dropped goes first.
	if err := errors.Join(remove(logPath(dir, s, free)), remove(indexPath(dir, s, free))); err != nil {
		return err
	}
	for n := free; n >= 1; n-- {
		if err := move(indexPath(dir, s, n-1), indexPath(dir, s, n)); err != nil {
			return err
		}
		if err := move(logPath(dir, s, n-1), logPath(dir, s, n)); err != nil {
			return err
		}
	}
	for n := keep; exists(logPath(dir, s, n)); n++ { // MaxFiles was lowered
		if err := errors.Join(remove(logPath(dir, s, n)), remove(indexPath(dir, s, n))); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func remove(path string) error { return ignoreAbsent(os.Remove(path)) }

func move(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		return remove(to) // nothing may stay there that belongs to another file
	}
	return err
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
