package api

import (
	"fmt"
	"os"
	"slices"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles"
)

// Access is an Options.Authorize that follows the profile's rules: a caller has
// the highest role of the rules that match its user or one of its groups. Root
// and the peer's own user are administrators unless a rule names them by user.
func Access(rules []profiles.AccessRule) (func(Credentials) control.Caller, error) {
	grants := make([]grant, 0, len(rules))
	for i, r := range rules {
		role, err := control.ParseRole(r.Role)
		if err != nil {
			return nil, fmt.Errorf("peer.access[%d]: %w", i, err)
		}
		grants = append(grants, grant{uid: r.UID, gid: r.GID, role: role})
	}
	self := uint32(os.Geteuid())
	return func(c Credentials) control.Caller {
		return control.Caller{Role: roleOf(c, grants, self), By: c.String()}
	}, nil
}

// grant is an access rule with its role understood.
type grant struct {
	uid, gid *uint32
	role     control.Role
}

func (g grant) matches(c Credentials) bool {
	if g.uid != nil {
		return *g.uid == c.UID
	}
	return g.gid != nil && (*g.gid == c.GID || slices.Contains(c.Groups, *g.gid))
}

func roleOf(c Credentials, grants []grant, self uint32) control.Role {
	role, named := control.NoRole, false
	for _, g := range grants {
		if g.matches(c) {
			role = max(role, g.role)
			named = named || g.uid != nil
		}
	}
	if !named && (c.UID == 0 || c.UID == self) {
		return control.Admin
	}
	return role
}
