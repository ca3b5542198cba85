package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed-04209a44/peerd/exchange/unix"
	"github.com/seed-04209a44/peerd/process"
)

// Files that a keeper's process inherits.
const (
	fdSocket = 3 // the listening socket
	fdLock   = 4 // of the folder, locked by the keeper
)

// wordSpeaks has the program say what it speaks.
const wordSpeaks = "speaks"

// Main is the whole of a keeper's process, which Client has started: it holds
// what it is given until that is over and nobody is connected. It does not heed
// SIGTERM, SIGINT and SIGHUP: it goes when there is nothing left to lose. args
// are the words after the command line that is known as a keeper's; with
// "speaks" it only says on stdout what it understands.
func Main(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == wordSpeaks:
		return json.NewEncoder(stdout).Encode(Own())
	case len(args) > 0:
		return fmt.Errorf("cannot make sense of %q: a keeper is started by peerd", strings.Join(args, " "))
	}
	deaf := heedNothing()
	defer deaf()
	if err := takeLock(os.NewFile(fdLock, "lock")); err != nil {
		return err
	}
	l, err := unix.FileListener(os.NewFile(fdSocket, "socket"))
	if err != nil {
		return err
	}
	door, err := process.Open()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	thin()
	k := New(door)
	return errors.Join(k.Serve(context.Background(), l), k.Close(), door.Close())
}
