package torture

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Diary is where the running process writes down its life. Every line is one
// write to the end of the file, so that what was written outlives the process
// and lines of different processes never mix. Its methods may be called from
// several goroutines.
type Diary struct {
	file *os.File
	id   ID
}

// OpenDiary begins a life in the file, and notes a twin if the one who wrote
// last still lives.
func OpenDiary(path string) (*Diary, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	start, ok := StartOf(os.Getpid())
	if !ok {
		return nil, fmt.Errorf("cannot read its own start from /proc")
	}
	d := &Diary{file: file, id: ID{os.Getpid(), start}}
	last, known, err := lastOf(file)
	if err == nil {
		err = d.write(Begin, "")
	}
	if err == nil && known && last != d.id && Lives(last) {
		err = d.write(Twin, last.String())
	}
	return d, err
}

// ID is the identity of the process.
func (d *Diary) ID() ID { return d.id }

// Tick notes that the process has lived up to its nth tick, from 1.
func (d *Diary) Tick(n int) error { return d.write(Tick, strconv.Itoa(n)) }

// Signal notes a signal that was received.
func (d *Diary) Signal(s os.Signal) error {
	name := s.String()
	if number, ok := s.(syscall.Signal); ok {
		name = unix.SignalName(number)
	}
	return d.write(Signal, name)
}

// End notes the exit code with which the process is about to end.
func (d *Diary) End(code int) error { return d.write(End, strconv.Itoa(code)) }

func (d *Diary) write(word, arg string) error {
	_, err := d.file.WriteString(Line{d.id, SinceBoot(), word, arg}.String() + "\n")
	return err
}

// SinceBoot is the time of a diary's lines.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// lastOf is who wrote the last line of a diary.
func lastOf(file *os.File) (id ID, ok bool, err error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return ID{}, false, err
	}
	const enough = 1 << 10
	tail := make([]byte, min(size, enough))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return ID{}, false, err
	}
	text := strings.TrimSuffix(string(tail), "\n")
	line, err := ParseLine(text[strings.LastIndexByte(text, '\n')+1:])
	return line.ID, err == nil, err
}
