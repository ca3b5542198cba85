package peer

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskTrouble says which of the folders cannot take a byte; nil: all can. A
// folder that cannot be looked at is left to who uses it.
func diskTrouble(dirs ...string) error {
	for _, dir := range dirs {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) != nil {
			continue
		}
		free := st.Bavail
		if unix.Geteuid() == 0 {
			free = st.Bfree
		}
		switch {
		case st.Flags&unix.ST_RDONLY != 0:
			return fmt.Errorf("%s: %w", dir, syscall.EROFS)
		case st.Blocks > 0 && free == 0:
			return fmt.Errorf("%s: %w", dir, syscall.ENOSPC)
		}
	}
	return nil
}
