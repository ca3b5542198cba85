package profiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"runtime"
	"strconv"
)

// LoadOptions are what Load needs from outside the files. Functions left nil
// ask the operating system.
type LoadOptions struct {
	Env         func(string) (string, bool)  // for ${NAME}, PATH and default folders
	Hostname    string                       // default name of the peer
	UID         int                          // decides default folders
	GOOS        string                       // held against descriptors' os masks
	LookupUser  func(string) (uint32, error) // user name → number
	LookupGroup func(string) (uint32, error) // group name → number
	// Replicas overrides the number of replicas by application/component.
	Replicas map[string]int
}

// MaxReplicas is the most replicas that a component may have.
const MaxReplicas = 1000

func (o LoadOptions) withDefaults() LoadOptions {
	lookup := o.Env
	if lookup == nil {
		lookup = os.LookupEnv
	}
	o.Env = func(name string) (string, bool) {
		value, set := lookup(name)
		if !set {
			return "", false
		}
		return value, true
	}
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname()
	}
	if o.GOOS == "" {
		o.GOOS = runtime.GOOS
	}
	if o.LookupUser == nil {
		o.LookupUser = func(name string) (uint32, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return 0, err
			}
			return parseID(u.Uid)
		}
	}
	if o.LookupGroup == nil {
		o.LookupGroup = func(name string) (uint32, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return 0, err
			}
			return parseID(g.Gid)
		}
	}
	return o
}

func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	return uint32(id), err
}

// disk is all that resolving asks of the file system.
type disk interface {
	open(path string) (io.ReadCloser, error)
	// executable reports why path could not be run now.
	executable(path string) error
}

type realDisk struct{}

// open refuses what is no regular file: reading a FIFO would never end.
func (realDisk) open(path string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return os.Open(path)
}

func (realDisk) executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("does not exist")
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a folder")
	case info.Mode().Perm()&0o111 == 0:
		return errors.New("is not executable")
	}
	return nil
}
