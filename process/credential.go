//go:build unix

package process

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// credential is whom a process runs as; nil: as the peer.
type credential struct{ UID, GID uint32 }

// attribute drops all supplementary groups: an empty list is set.
func (c *credential) attribute() *syscall.Credential {
	if c == nil {
		return nil
	}
	return &syscall.Credential{Uid: c.UID, Gid: c.GID}
}

// mayEnter reports whether the mode of a folder lets c in. Where that cannot be
// told, it does. (An access list may say otherwise; this explains an error that
// has happened, and prevents none.)
func (c *credential) mayEnter(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return true
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	if c != nil {
		uid, gid = c.UID, c.GID
	}
	mode := info.Mode().Perm()
	switch {
	case !info.IsDir():
		return false
	case !ok || uid == 0:
		return true
	case st.Uid == uid:
		return mode&0o100 != 0
	case st.Gid == gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// lookup resolves names or ids. Without a group it is the user's own; a user
// given by an id that has no entry gets the group of the same number.
func lookup(userName, groupName string) (*credential, error) {
	if userName == "" && groupName == "" {
		return nil, nil
	}
	c := &credential{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if userName != "" {
		u, err := findUser(userName)
		if err != nil {
			return nil, err
		}
		c.UID, c.GID = id(u.Uid), id(u.Gid)
	}
	if groupName != "" {
		g, err := findGroup(groupName)
		if err != nil {
			return nil, err
		}
		c.GID = g
	}
	return c, nil
}

func id(number string) uint32 {
	n, _ := strconv.ParseUint(number, 10, 32)
	return uint32(n)
}

func findUser(name string) (*user.User, error) {
	if u, err := user.Lookup(name); err == nil {
		return u, nil
	}
	if _, err := strconv.ParseUint(name, 10, 32); err != nil {
		return nil, fmt.Errorf("there is no user %q", name)
	}
	if u, err := user.LookupId(name); err == nil {
		return u, nil
	}
	return &user.User{Uid: name, Gid: name}, nil
}

func findGroup(name string) (uint32, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return id(g.Gid), nil
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q", name)
	}
	return uint32(n), nil
}

// Groups lists the ids of all groups a user is in, its own first.
func Groups(uid uint32) ([]uint32, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil, fmt.Errorf("cannot list the groups of user %d: %w", uid, err)
	}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("cannot list the groups of user %d: %w", uid, err)
	}
	groups := []uint32{id(u.Gid)}
	for _, name := range names {
		if g := id(name); g != groups[0] {
			groups = append(groups, g)
		}
	}
	return groups, nil
}
