package peer

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// giveTo makes a user the owner of a folder.
func giveTo(dir, name string) error {
	u, err := user.Lookup(name)
	if _, isNumber := strconv.Atoi(name); err != nil && isNumber == nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, -1)
}

// handOver makes the private folder the component's user's.
func (g *generation) handOver(dir string) error {
	if err := giveTo(dir, g.spec.User); err != nil {
		return err
	}
	return letThrough(filepath.Dir(g.l.run))
}

// letThrough lets other users pass through a folder, not look into it: a
// component with a user of its own has its private folder below.
func letThrough(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o001 != 0 {
		return err
	}
	return os.Chmod(dir, info.Mode().Perm()|0o011)
}
