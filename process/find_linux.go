package process

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Find identifies the trees that any Door on this host spawned under a name
// and that still have living members: what a program that died between spawning
// and writing down has left. Two programs that use the same name find each
// other's; names that hold something of the peer's own prevent that.
//
// The leader is the oldest member that leads a session. A tree without any has
// the Pid 0; [Door.Adopt] takes it all the same.
func (d *Door) Find(name string) ([]Identity, error) {
	return d.find(name, func(tree string) bool { return tree == name })
}

// FindAll is Find for all names that begin with a prefix.
func (d *Door) FindAll(prefix string) ([]Identity, error) {
	return d.find(prefix+"…", func(tree string) bool { return strings.HasPrefix(tree, prefix) })
}

func (d *Door) find(what string, fits func(name string) bool) ([]Identity, error) {
	trees, err := d.livingTrees(fits)
	if err != nil {
		return nil, fmt.Errorf("cannot look for the processes of %q: %w", what, err)
	}
	var found []Identity
	for id, members := range trees {
		id.BootID = bootID()
		if leader, ok := leaderOf(members); ok {
			id.Pid, id.StartTicks = leader.pid, leader.start
		}
		found = append(found, id)
	}
	slices.SortFunc(found, func(a, b Identity) int { return cmp.Compare(a.Token, b.Token) })
	return found, nil
}

// leaderOf is the oldest that leads a session; if the true one is gone, that is
// a member which made its own.
func leaderOf(members []stat) (stat, bool) {
	members = slices.DeleteFunc(members, func(s stat) bool { return s.session != s.pid })
	if len(members) == 0 {
		return stat{}, false
	}
	return slices.MinFunc(members, func(a, b stat) int { return cmp.Compare(a.start, b.start) }), true
}

// livingTrees are the members of each tree whose name fits; of the identity only
// token and cgroup are set.
func (d *Door) livingTrees(fits func(name string) bool) (map[Identity][]stat, error) {
	switch d.held {
	case cgroupV2:
		return treesInCgroups(d.hierarchies.unified, fits)
	case cgroupFreezer:
		return treesInCgroups(d.hierarchies.v1["freezer"], fits)
	}
	snap, err := d.table.snapshot(time.Now())
	if err != nil {
		return nil, err
	}
	trees := map[Identity][]stat{}
	for _, s := range snap.stats {
		if token := snap.token(s); fits(nameOf(token)) {
			id := Identity{Token: token}
			trees[id] = append(trees[id], s)
		}
	}
	return trees, nil
}

func treesInCgroups(dir string, fits func(name string) bool) (map[Identity][]stat, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	trees := map[Identity][]stat{}
	for _, entry := range entries {
		token := tokenOfCgroup(entry.Name())
		if !fits(nameOf(token)) {
			continue
		}
		id := Identity{Token: token, Cgroup: filepath.Join(dir, entry.Name())}
		members, err := cgroupHolder{id.Cgroup}.stats(time.Now())
		if err != nil {
			return nil, err
		}
		if len(members) > 0 {
			trees[id] = members
		}
	}
	return trees, nil
}

// nameOf is what comes before the nonce, which has no colon; "" for what is no
// token.
func nameOf(token string) string {
	return token[:max(0, strings.LastIndexByte(token, ':'))]
}

// tokenOfCgroup is the reverse of cgroupName, for names without a colon.
func tokenOfCgroup(cgroup string) string {
	i := strings.LastIndexByte(cgroup, '-')
	if i < 0 {
		return ""
	}
	return cgroup[:i] + ":" + cgroup[i+1:]
}
