package keeper

import (
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/process"
)

// Output says how the output of one process is captured.
type Output struct {
	// Folder is private to the process. It holds the FIFOs "out", "err" and,
	// with ReadyFD, "ready"; and the files "first" and "matched" once there is such
	// a line. Those that are there already are taken over.
	Folder  string       `json:"folder"`
	Logs    string       `json:"logs"` // folder of the captured files
	Options logs.Options `json:"options"`
	// Handshake: a first line of stdout that looks like one is for the user of
	// the process, and no output.
	Handshake bool `json:"handshake,omitempty"`
	// First is what an earlier keeper saw as first line.
	First string `json:"first,omitempty"`
	// Match is a regular expression; the first line of either stream that
	// matches is told. "": none.
	Match string `json:"match,omitempty"`
	// ReadyFD is the number, from 3 on, of a file that the process gets to say
	// that it is ready; 0: none.
	ReadyFD int `json:"readyFd,omitempty"`
	// Lease is how long the process may go on without a user of the keeper; then
	// its tree is ended by force. 0: for ever.
	Lease time.Duration `json:"lease,omitempty"`
}

// Entry is what a keeper knows of one process that it holds.
type Entry struct {
	Key      string            `json:"key"`
	Folder   string            `json:"folder"`
	Identity *process.Identity `json:"identity,omitempty"` // nil: not spawned
	First    *string           `json:"first,omitempty"`    // first line of stdout, once there is one
	Matched  bool              `json:"matched,omitempty"`  // a line has matched
	Exit     *process.Exit     `json:"exit,omitempty"`     // once the leader has ended
	Loss     *Loss             `json:"loss,omitempty"`     // once bytes of its output were lost
}

// Loss is what of a process's output could not be stored.
type Loss struct {
	Serial uint64 `json:"serial"` // of two, the one with the higher is the newer
	Bytes  int64  `json:"bytes"`  // in all, when it was told
	Why    string `json:"why"`    // what is lost now is lost for this reason; "": all is stored again
}

// looksLikeHandshake reports whether a first line of stdout is for go-plugin
// and not for the log.
func looksLikeHandshake(line string) bool { return strings.Count(line, "|") >= 4 }

// The commands a keeper answers, and TypeTold, which it sends: the whole Entry
// of what has changed.
const (
	TypeCapture = "KEEPER_CAPTURE"
	TypeSpawn   = "KEEPER_SPAWN"
	TypeList    = "KEEPER_LIST"
	TypeDrain   = "KEEPER_DRAIN"
	TypeClear   = "KEEPER_CLEAR"
	TypeDropped = "KEEPER_DROPPED"
	TypeForget  = "KEEPER_FORGET"
	TypeBecome  = "KEEPER_BECOME"
	TypeNotify  = "KEEPER_NOTIFY"
	TypeListen  = "KEEPER_LISTEN"
	TypeSaid    = "KEEPER_SAID"
	TypeTold    = "KEEPER_TOLD"
)

// captureOrder prepares the output of a process; with an identity the process
// lives already, and is followed from now on.
type captureOrder struct {
	Key      string            `json:"key"`
	Output   Output            `json:"output"`
	Identity *process.Identity `json:"identity,omitempty"`
	Exit     *process.Exit     `json:"exit,omitempty"` // where it is known already
	Loss     *Loss             `json:"loss,omitempty"` // by earlier keepers
	// Notify is where the process's socket of sd_notify is to be got; "": there is
	// none, or the keeper has it.
	Notify string `json:"notify,omitempty"`
}

// spawnOrder spawns a process whose output is captured already. The files of
// Spec stay behind: the keeper makes its own.
type spawnOrder struct {
	Key  string       `json:"key"`
	Spec process.Spec `json:"spec"`
}

// becomeOrder has the keeper become another program, with all that it holds.
type becomeOrder struct {
	Argv []string `json:"argv"` // the command line that starts a keeper; its first word is an absolute path
}

// listOrder asks for the listing.
type listOrder struct {
	// Zombies: the user can tell the end of a process that nobody has reaped. Only
	// then is it kept until it is forgotten, while this user is connected.
	Zombies bool `json:"zombies,omitempty"`
	// Notify: the user asks for the sockets of sd_notify. Else it makes its own.
	Notify bool `json:"notify,omitempty"`
}

// ours is what a user of this version asks for.
var ours = listOrder{Zombies: true, Notify: true}

// earOrder has the keeper bring the socket of sd_notify to a path, for the user to
// hear it from now on (TypeNotify), or get it there (TypeListen).
type earOrder struct {
	Key  string `json:"key"`
	Path string `json:"path"`
}

// earAnswer says whether there is such a socket, and what was said on it.
type earAnswer struct {
	Held bool     `json:"held"`
	Said []string `json:"said,omitempty"`
	// Trouble is why the socket that is held was not handed over; "": it was.
	Trouble string `json:"trouble,omitempty"`
}

// saidOrder has the keeper remember something that its user is about to hear.
type saidOrder struct {
	Key  string `json:"key"`
	Text string `json:"text"`
}

type keyOrder struct {
	Key string `json:"key"`
}

type listing struct {
	Pid     int     `json:"pid"` // of the keeper
	Speaks  Speaks  `json:"speaks"`
	Entries []Entry `json:"entries"`
}

type droppedBytes struct {
	Bytes int64 `json:"bytes"`
}
