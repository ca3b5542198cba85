package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	sys "golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/exchange/unix"
	"github.com/seed-04209a44/peerd/process"
)

// Files that a keeper's process inherits from its user.
const (
	fdSocket = 3 // the listening socket
	fdLock   = 4 // of the folder, locked by the keeper
)

// Main is the whole of a keeper's process, which Client has started: it holds
// what it is given until that is over and nobody is connected. It does not heed
// SIGTERM, SIGINT and SIGHUP: it goes when there is nothing left to lose. args
// are the words after the command line that is known as a keeper's: none, or
// "speaks", to say on stdout what it understands. Where a keeper has become this
// program, it goes on with what that one had.
func Main(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == wordSpeaks:
		return json.NewEncoder(stdout).Encode(Own())
	case len(args) == 0:
		deaf := heedNothing()
		defer deaf()
		if f := process.Bequest()[estateName]; f != nil {
			return resume(f)
		}
		return begin()
	}
	return fmt.Errorf("cannot make sense of %q: a keeper is started by peerd", strings.Join(args, " "))
}

// begin is Main for a keeper that has nothing yet.
func begin() error {
	if err := takeLock(fdLock); err != nil {
		return err
	}
	return live(&estate{State: state, Socket: fdSocket, Lock: fdLock}, true)
}

// resume is Main for what a keeper has become. The lock is still held.
func resume(f *os.File) error {
	e, err := readEstate(f)
	if err != nil {
		return err
	}
	return live(e, false)
}

// live is a keeper's life from the estate that it begins with to its end, or
// until it becomes another program. One that is new begins with what the last
// keeper of the folder has left.
func live(e *estate, isNew bool) error {
	// The lock goes with the process: its file is never closed.
	sys.CloseOnExec(e.Lock)
	l, err := unix.FileListener(os.NewFile(uintptr(e.Socket), "socket"))
	if err != nil {
		return err
	}
	home := newHome(filepath.Dir(l.Path()), e.Lock)
	left, err := home.read()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err) // into its log; what lives is more important
	case isNew:
		e.Held = left
	}
	k, door, err := e.inherit()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	home.remember(left, k.held)
	s := newServer(k, home)
	user := e.User.inherit(s)
	if user == nil {
		k.hearAll(0)
	}
	thin()
	o, err := s.serve(context.Background(), l, user)
	if o == nil {
		return errors.Join(err, s.Close(), door.Close())
	}
	next, lost := s.bequeath(o, e.Lock)
	err = become(o.argv[0], o.argv, next, o.hears)
	if next.User != nil {
		next.User.Refuse = err.Error()
	}
	return errors.Join(lost, err, become("/proc/self/exe", os.Args, next, true))
}
