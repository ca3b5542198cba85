package control

import "context"

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of ctx; the zero Caller has no role.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Permit returns nil when c's role suffices for the operation, else a refusal
// that names both.
func (o Operation) Permit(c Caller) error {
	if c.Role >= o.Role {
		return nil
	}
	who := c.By
	if who == "" {
		who = "an unknown caller"
	}
	return Errorf(CodeRefused, "%s needs the role %s; %s has %s", o.Type, o.Role, who, c.Role)
}

// String is the word that profiles use for the role; "no role" without one.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	default:
		return "no role"
	}
}

// ParseRole is the inverse of String for the three roles.
func ParseRole(s string) (Role, error) {
	for r := Viewer; r <= Admin; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return NoRole, Errorf(CodeInvalid, "unknown role %q: use viewer, operator or admin", s)
}
