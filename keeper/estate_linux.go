package keeper

import (
	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/process"
)

// estate is all that a keeper has, as it is handed to the program that it
// becomes. Its files are numbers: they stay open. A field that is added needs no
// new number of state as long as its absence does no harm.
type estate struct {
	State  int          `json:"state"`
	Socket int          `json:"socket"` // the listening one
	Lock   int          `json:"lock"`   // of the folder
	User   *userEstate  `json:"user,omitempty"`
	Held   []heldEstate `json:"held"`
}

// userEstate is the connection of the user who gave the order.
type userEstate struct {
	Socket int    `json:"socket"`
	Unread []byte `json:"unread,omitempty"` // received and not looked at
	Order  string `json:"order"`            // the command that is to be answered
	Refuse string `json:"refuse,omitempty"` // why it was not carried out
}

// heldEstate is one process with its output.
type heldEstate struct {
	Entry   Entry            `json:"entry"`
	Output  Output           `json:"output"`
	Process *process.Carried `json:"process,omitempty"` // nil: not spawned
	Drained bool             `json:"drained,omitempty"` // the output is closed
	Lost    int64            `json:"lost,omitempty"`    // bytes of it, but for what the streams lost
	Streams []streamEstate   `json:"streams,omitempty"`
	Ready   int              `json:"ready,omitempty"`  // the process's readiness file; 0: none
	Notify  int              `json:"notify,omitempty"` // its socket of sd_notify; 0: none
	Said    []string         `json:"said,omitempty"`   // on it, while nobody heard
}

// streamEstate is stdout or stderr of a process.
type streamEstate struct {
	Name  logs.Stream `json:"name"`
	Write int         `json:"write"` // the FIFO's ends
	Read  int         `json:"read"`
	Loss  logs.Loss   `json:"loss"`
	Line  []byte      `json:"line,omitempty"` // begun, where a line is waited for
}

// files are the numbers of all files in the estate, those of sd_notify only where
// the next program knows what they are for: nobody would ever hear them.
func (e *estate) files(hears bool) []int {
	fds := []int{e.Socket, e.Lock}
	if e.User != nil {
		fds = append(fds, e.User.Socket)
	}
	for _, h := range e.Held {
		if h.Process != nil && h.Process.PidFD >= 0 {
			fds = append(fds, h.Process.PidFD)
		}
		if h.Ready > 0 {
			fds = append(fds, h.Ready)
		}
		if h.Notify > 0 && hears {
			fds = append(fds, h.Notify)
		}
		for _, s := range h.Streams {
			fds = append(fds, s.Write, s.Read)
		}
	}
	return fds
}
