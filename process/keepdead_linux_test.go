package process

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The dead are there, with their pids, until they are released; or until they are
// not to be kept any more.
func TestTheDeadAreKept(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		d.KeepDead(true)
		dead := func() *Process {
			p, err := d.Start(shell("exit 37"))
			if err != nil {
				t.Fatal(err)
			}
			await(t, "exit", p.Exited())
			await(t, "end of the tree", p.Empty())
			if x := p.Exit(); x.Code != 37 {
				t.Errorf("exit %+v, want 37", x)
			}
			if s, err := readStat(p.id.Pid); err != nil || s.state != 'Z' {
				t.Errorf("%+v, %v; want a zombie", s, err)
			}
			if members := p.Members(); len(members) > 0 {
				t.Errorf("members %v", members)
			}
			return p
		}
		reaped := func(p *Process) bool { return unix.Kill(p.id.Pid, 0) == unix.ESRCH }
		first, second, third := dead(), dead(), dead()
		first.Release()
		if !reaped(first) || reaped(second) || reaped(third) {
			t.Error("who was released was not reaped, or somebody else was")
		}
		d.KeepDead(false)
		if !reaped(second) || !reaped(third) {
			t.Error("who was kept was not reaped")
		}
		second.Release()
		third.Release()
		fourth, err := d.Start(shell("exit 37"))
		if err != nil {
			t.Fatal(err)
		}
		await(t, "exit", fourth.Exited())
		if !reaped(fourth) {
			t.Error("one was kept that should not be")
		}
		fourth.Release()
	})
}

// Where a parent keeps its dead and nobody else may know how they ended, others
// see that nothing lives, and how it ended when it is reaped.
func TestOthersSeeThatNothingLives(t *testing.T) {
	needRoot(t)
	d := newDoor(t)
	d.KeepDead(true)
	s := shell("exit 37")
	s.User = "nobody"
	p, err := d.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "exit", p.Exited())
	id, err := json.Marshal(p.Identity())
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s = helper("mourn " + string(id))
	s.Stdout, s.Sandbox.Capabilities = w, &[]string{}
	start(t, d, s)
	w.Close()
	lines := bufio.NewScanner(r)
	if lines.Scan(); lines.Text() != "nothing lives" {
		t.Errorf("it says %q", lines.Text())
	}
	p.Release()
	if lines.Scan(); lines.Text() != "it has ended" {
		t.Errorf("it says %q", lines.Text())
	}
}

// mourn follows a dead child of somebody else's.
func mourn(identity string) {
	var id Identity
	if err := json.Unmarshal([]byte(identity), &id); err != nil {
		panic(err)
	}
	d, err := Open()
	if err != nil {
		panic(err)
	}
	p, err := d.Adopt(id)
	if err != nil {
		panic(err)
	}
	select {
	case <-p.Empty():
		fmt.Println("nothing lives")
	case <-p.Exited():
		fmt.Println("it may know more than it should")
	}
	<-p.Exited()
	fmt.Println("it has ended")
}

// An orphan that was reaped before anybody asked for it is remembered.
func TestAnOrphanIsRemembered(t *testing.T) {
	var r recent
	for i := range 2 * maxRecent {
		r.add(process{pid: i, start: 7}, Exit{Code: i % 256})
	}
	for i := range 2 * maxRecent {
		x, ok := r.of(process{pid: i, start: 7})
		if want := i >= maxRecent; ok != want || ok && x.Code != i%256 {
			t.Fatalf("of %d: %+v, %v", i, x, ok)
		}
	}
	if _, ok := r.of(process{pid: 2*maxRecent - 1, start: 8}); ok {
		t.Error("a stranger on its pid is taken for it")
	}
}
