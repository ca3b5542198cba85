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

// migration is the command that makes a folder be of another mode.
func (m mark) migration(dir string) string {
	command := fmt.Sprintf("ccpc cluster migrate --to %s --node %s", m.Mode, m.Node)
	if m.Cluster != "" {
		command += " --name " + m.Cluster
	}
	return command + " " + dir
}

// lock is the claim on a folder.
type lock struct{ file *os.File }

// claim locks a folder, making it if need be, and makes sure that it is marked
// as the given.
func claim(dir string, as mark) (*lock, error) {
	l, found, err := open(dir)
	if err != nil {
		return nil, err
	}
	switch {
	case found == nil:
		err = l.write(as)
	case !found.allows(as):
		err = fmt.Errorf("%s is %s, and would be destroyed by a start as %s; to move what is in it: %s", dir, found, as, as.migration(dir))
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
			return nil, nil, fmt.Errorf("%s is in use by another process", dir)
		}
		return nil, nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	m, err := l.read()
	if err != nil {
		l.release()
		return nil, nil, err
	}
	return l, m, nil
}

// read returns the mark of the folder, nil if it has none.
func (l *lock) read() (*mark, error) {
	data, err := os.ReadFile(l.file.Name())
	if err != nil || len(strings.TrimSpace(string(data))) == 0 {
		return nil, err
	}
	var m mark
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w; it says what the folder is of, and must not be changed by hand", l.file.Name(), err)
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
