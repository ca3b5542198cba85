package keeper_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
)

// A process with a lease does not go on without a user for longer; one whose
// lease is not over does, and so does one without.
func TestALeaseEndsWithoutAUser(t *testing.T) {
	u := newUser(t)
	procs := map[string]*keeper.Process{}
	for key, lease := range map[string]time.Duration{"short": 200 * time.Millisecond, "long": time.Hour, "none": 0} {
		o := u.output(key)
		o.Lease = lease
		_, procs[key] = u.sh(key, "exec sleep 600", o)
	}
	_ = u.client.Close()
	u.waitFor("the lease is over", func() bool { return !procs["short"].Identity().Alive() })
	u.connect()
	for key, before := range procs {
		held, p, err := u.client.Attach(t.Context(), key, u.output(key), before.Identity())
		if err != nil {
			t.Fatal(err)
		}
		if alive := before.Identity().Alive(); alive != (key != "short") {
			t.Errorf("%s: alive is %v", key, alive)
		}
		if err := p.Kill(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if x := u.end(held, p); x.Signal != "SIGKILL" {
			t.Errorf("%s: exit %+v", key, x)
		}
	}
}

// A user who is back in time finds what it left.
func TestALeaseIsKeptByTheNextUser(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.Lease = 2 * time.Second
	_, before := u.sh("a", "sleep 3; exit 37", o)
	_ = u.client.Close()
	u.connect()
	held, p, err := u.client.Attach(t.Context(), "a", o, before.Identity())
	if err != nil {
		t.Fatal(err)
	}
	if x := u.end(held, p); x.Code != 37 {
		t.Errorf("exit %+v", x)
	}
}
