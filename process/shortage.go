package process

import (
	"strings"
	"syscall"
)

// shortages are the errors by which a system says that it has not enough of
// something, or that a device fails: nothing that the component could help.
var shortages = []syscall.Errno{
	syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS,
}

// Shortage finds in the text of an error, which may have crossed a process
// boundary, the shortage of the system that caused it; "": it was something
// else.
func Shortage(text string) string {
	for _, e := range shortages {
		if strings.Contains(text, e.Error()) {
			return e.Error()
		}
	}
	return ""
}
