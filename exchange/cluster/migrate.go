package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Files of a folder on its way from one mode to another.
const (
	migratingFile = "migrating.snapshot" // what was in it; it has no store until this is pending
	storeFolder   = "jetstream"          // the store, as the server names it
	offlineWait   = time.Minute
)

// Folder is what a folder of an engine is.
type Folder struct {
	Mode    string `json:"mode"` // standalone, clustered or external; "" if it is new
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node,omitempty"`
	InUse   bool   `json:"inUse"`   // by a running controller
	Pending string `json:"pending"` // id of the snapshot that the next start restores
}

// As says what a folder is to be.
type As struct {
	Mode    string // standalone, clustered or external
	Cluster string // name of the cluster, with clustered
	Node    string
}

func (a As) mark() (mark, error) {
	m := mark{Mode: mode(a.Mode), Cluster: a.Cluster, Node: a.Node}
	switch {
	case m.Mode != modeStandalone && m.Mode != modeClustered && m.Mode != modeExternal:
		return m, fmt.Errorf("%q is no mode: it is standalone, clustered or external", a.Mode)
	case a.Node == "":
		return m, errors.New("a folder belongs to a node: its name is missing")
	case (m.Mode == modeClustered) != (a.Cluster != ""):
		return m, errors.New("a folder that is clustered, and only that, has the name of its cluster")
	}
	return m, nil
}

// Inspect tells what a folder is; it changes nothing.
func Inspect(dir string) (Folder, error) {
	var f Folder
	if _, err := os.Stat(filepath.Join(dir, markFile)); err != nil {
		return f, fmt.Errorf("%s is no folder of an engine: %w", dir, err)
	}
	l, m, err := open(dir)
	if errors.Is(err, errInUse) {
		f.InUse = true
		m, err = readMark(filepath.Join(dir, markFile))
	}
	l.release()
	if err != nil {
		return f, err
	}
	if m != nil {
		f.Mode, f.Cluster, f.Node = string(m.Mode), m.Cluster, m.Node
	}
	if p, err := ReadManifest(filepath.Join(dir, pendingFile)); err == nil {
		f.Pending = p.ID
	}
	return f, nil
}

// SnapshotFolder takes a snapshot of a folder of an engine that is alone and does
// not run.
func SnapshotFolder(ctx context.Context, dir, path string) (Manifest, error) {
	l, found, err := open(dir)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot take a snapshot: %w", err)
	}
	defer l.release()
	if found == nil || found.Mode != modeStandalone {
		return Manifest{}, fmt.Errorf("cannot take a snapshot of %s alone: it is %s; take it on a controller that runs", dir, found)
	}
	return snapshotStore(ctx, dir, *found, path)
}

// snapshotStore takes a snapshot of the store of a claimed folder.
func snapshotStore(ctx context.Context, dir string, as mark, path string) (Manifest, error) {
	e := &NATS{node: as.Node, dir: dir, replicas: 1, mark: as}
	defer e.Close()
	if err := e.start(NATSOptions{Node: as.Node, Dir: dir}.withDefaults()); err != nil {
		return Manifest{}, fmt.Errorf("cannot open the engine in %s: %w", dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, offlineWait)
	defer cancel()
	return e.Snapshot(ctx, path)
}

// Migrate makes a folder of an engine that was alone one of another mode. What is
// in it is restored by the next start; the store as it was is kept beside, in the
// folder whose name it returns. A migration that was interrupted is finished by
// another one.
func Migrate(ctx context.Context, dir string, to As) (kept string, err error) {
	as, err := to.mark()
	if err != nil {
		return "", fmt.Errorf("cannot migrate %s: %w", dir, err)
	}
	l, found, err := open(dir)
	if err != nil {
		return "", fmt.Errorf("cannot migrate: %w", err)
	}
	defer l.release()
	switch {
	case found == nil:
		return "", fmt.Errorf("cannot migrate %s: it is new, and needs no migration", dir)
	case *found == as:
		return "", fmt.Errorf("cannot migrate %s: it is %s already", dir, as)
	}
	migrating := filepath.Join(dir, migratingFile)
	if _, err := ReadManifest(migrating); err != nil { // else the first half is done
		if found.Mode != modeStandalone {
			return "", fmt.Errorf("cannot migrate %s, which is %s, alone: %s", dir, found, as.restoring(dir))
		}
		_ = os.Remove(migrating)
		if _, err := snapshotStore(ctx, dir, *found, migrating); err != nil {
			return "", err
		}
	}
	return become(l, dir, as, migrating)
}

// become gives a claimed folder a snapshot to restore, and its mark. The order is
// what makes it safe to be interrupted: while the folder has a migration, no
// engine starts in it.
func become(l *lock, dir string, as mark, migrating string) (kept string, err error) {
	store := filepath.Join(dir, storeFolder)
	if _, err := os.Stat(store); err == nil {
		kept = filepath.Join(dir, "before-"+time.Now().UTC().Format("20060102T150405"))
		if err := os.Rename(store, kept); err != nil {
			return "", err
		}
	}
	err = syncFolder(dir)
	if err == nil {
		err = l.write(as)
	}
	if err == nil {
		err = os.Rename(migrating, filepath.Join(dir, pendingFile))
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return kept, fmt.Errorf("cannot make %s %s: %w", dir, as, err)
	}
	return kept, nil
}

// Restore makes a folder, new or not, one of the given kind, that restores a
// snapshot at its next start. A store that was in it is kept beside, in the folder
// whose name it returns. Of a cluster one node restores; the folders of the others
// have to be new.
func Restore(path, dir string, to As) (kept string, err error) {
	as, err := to.mark()
	if err != nil {
		return "", fmt.Errorf("cannot restore into %s: %w", dir, err)
	}
	if _, err := ReadManifest(path); err != nil {
		return "", err
	}
	l, _, err := open(dir)
	if err != nil {
		return "", fmt.Errorf("cannot restore: %w", err)
	}
	defer l.release()
	migrating := filepath.Join(dir, migratingFile)
	if err := copyFile(path, migrating); err != nil {
		return "", fmt.Errorf("cannot restore into %s: %w", dir, err)
	}
	return become(l, dir, as, migrating)
}

// copyFile copies a file; it is there whole or not at all.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".copy-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return errors.Join(out.Sync(), out.Close(), os.Rename(out.Name(), to))
}
