//go:build unix

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// FIFO is a named pipe for a component's output, which no fault of the reader
// can break.
type FIFO struct {
	// Write is opened read-write and blocking: handed to a component as its
	// stdout or stderr it never raises SIGPIPE, since the component itself
	// holds a reading end. Kept open by the reader's side, it keeps unread
	// bytes alive between readers, and Read from ending.
	Write *os.File
	// Read never blocks a thread, and honours deadlines. It reports no end of
	// file while anybody holds Write.
	Read *os.File
}

// fifoSize is how many bytes a component may write before somebody reads; the
// kernel may grant an ordinary user less.
const fifoSize = 1 << 20

// OpenFIFO makes the FIFO at path, mode 0600, or opens the one which an earlier
// process made; anything else at path is an error.
func OpenFIFO(path string) (*FIFO, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot make the FIFO %q: %w", path, err)
	}
	write, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the FIFO %q: %w", path, err)
	}
	if info, err := write.Stat(); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		write.Close()
		return nil, fmt.Errorf("cannot open the FIFO %q: something else is there; remove it", path)
	}
	growPipe(write)
	read, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("cannot read the FIFO %q: %w", path, err)
	}
	return &FIFO{Write: write, Read: read}, nil
}

// Close closes both ends; the FIFO itself stays.
func (f *FIFO) Close() error {
	return errors.Join(f.Write.Close(), f.Read.Close())
}
