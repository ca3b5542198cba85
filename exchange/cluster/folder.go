package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mode is what an engine is to its folder.
type mode string

// The modes. What is in a folder of one mode would be destroyed, or left out, by
// a start in another.
const (
	modeStandalone mode = "standalone" // it is alone
	modeClustered  mode = "clustered"  // it is a node of a cluster
	modeExternal   mode = "external"   // the servers are elsewhere
)

// markFile says in a folder what the folder is.
const markFile = "mode"

// mark is what a folder is of.
type mark struct {
	Mode    mode   `json:"mode"`
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node"`
}

func (m mark) String() string {
	if m.Cluster == "" {
		return fmt.Sprintf("%s (node %s)", m.Mode, m.Node)
	}
	return fmt.Sprintf("%s (cluster %s, node %s)", m.Mode, m.Cluster, m.Node)
}

// allows tells whether an engine may start in a folder that is marked so. The
// name of a node that is alone means nothing to its store.
func (m mark) allows(as mark) bool {
	return m == as || m.Mode == modeStandalone && as.Mode == modeStandalone
}

// flags say on a command line what a folder is to be.
func (m mark) flags() string {
	flags := fmt.Sprintf("--to %s --node %s", m.Mode, m.Node)
	if m.Cluster != "" {
		flags += " --name " + m.Cluster
	}
	return flags
}

// migration is how a folder that is marked as found becomes one of this mode.
func (m mark) migration(dir string, found mark) string {
	if found.Mode == modeStandalone {
		return fmt.Sprintf("ccpc cluster migrate %s %s", m.flags(), dir)
	}
	return m.restoring(dir)
}

// restoring is how a folder becomes one of this mode when what is in it is not in
// it alone.
func (m mark) restoring(dir string) string {
	return fmt.Sprintf("first, on a controller that runs as before: ccpc cluster snapshot FILE; then, with all of them stopped: ccpc cluster restore %s FILE %s", m.flags(), dir)
}

// errInUse refuses a folder that another process has.
var errInUse = errors.New("in use by another process")

// lock is the claim on a folder.
type lock struct{ file *os.File }

// claim locks a folder, making it if need be, and makes sure that it is marked
// as the given.
func claim(dir string, as mark) (*lock, error) {
	l, found, err := open(dir)
	if err != nil {
		return nil, err
	}
	_, interrupted := os.Stat(filepath.Join(dir, migratingFile))
	switch {
	case interrupted == nil && found != nil:
		err = fmt.Errorf("a migration of %s was interrupted; finish it: %s", dir, as.migration(dir, mark{Mode: modeStandalone}))
	case found == nil:
		err = l.write(as)
	case !found.allows(as):
		err = fmt.Errorf("%s is %s, and what is in it would be lost by a start as %s; to move it: %s", dir, found, as, as.migration(dir, *found))
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// open locks a folder, making it if need be, and reads its mark; nil if it has
// none.
func open(dir string) (*lock, *mark, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, markFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	l := &lock{f}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		l.release()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil, fmt.Errorf("%s is %w", dir, errInUse)
		}
		return nil, nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	m, err := readMark(f.Name())
	if err != nil {
		l.release()
		return nil, nil, err
	}
	return l, m, nil
}

// readMark returns a mark, nil if there is none.
func readMark(path string) (*mark, error) {
	data, err := os.ReadFile(path)
	if err != nil || len(strings.TrimSpace(string(data))) == 0 {
		return nil, err
	}
	var m mark
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w; it says what the folder is of, and must not be changed by hand", path, err)
	}
	return &m, nil
}

// write marks the folder.
func (l *lock) write(m mark) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	_, err = l.file.WriteAt(data, 0) // not by way of another file: this one is locked
	if err == nil {
		err = l.file.Truncate(int64(len(data)))
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", l.file.Name(), err)
	}
	return nil
}

// release gives the folder back.
func (l *lock) release() {
	if l != nil {
		l.file.Close()
	}
}
