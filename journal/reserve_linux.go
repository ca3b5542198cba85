package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate has the disk hold a file's bytes from one offset to another, beyond its
// end too, which stays where it is.
func allocate(path string, from, until int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, until-from)
		if err != unix.EINTR {
			return err
		}
	}
}
