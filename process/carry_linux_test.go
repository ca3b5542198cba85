package process

import (
	"testing"

	"golang.org/x/sys/unix"
)

// What one door carries another takes up: who lives, who has ended meanwhile,
// and members that only the first has seen.
func TestCarriedIsTakenUp(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		// The member sheds session, environment and parent, in this order of looks.
		begin := func(s Spec) *Process { // the next door is to end it
			p, err := d.Start(s)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		lives := begin(shell("env -i setsid sh -c 'sleep 1000 & exec sleep 1001' & exec sleep 1002"))
		ends := begin(shell("exec sleep 1003"))
		over := begin(shell("exit 5"))
		await(t, "exit", over.Exited())
		await(t, "end of the tree", over.Empty())
		eventually(t, "all are there", func() bool {
			n := 0
			for _, m := range lives.Members() {
				if m.Command == "sleep" {
					n++
				}
			}
			return n == 3
		})
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		// Its parent ends while no door sees it.
		for _, m := range lives.Members() {
			if s, err := readStat(m.Pid); err == nil && s.session == s.pid && s.pid != lives.Identity().Pid {
				if err := unix.Kill(m.Pid, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := ends.leader.signal(9); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has ended", func() bool { s, _ := readStat(ends.Identity().Pid); return s.state == 'Z' })
		var carried []Carried
		for _, p := range []*Process{lives, ends, over} {
			c, err := p.Carry()
			if err != nil {
				t.Fatal(err)
			}
			carried = append(carried, c)
		}
		next, procs, err := OpenCarried(carried)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = next.Close() })
		await(t, "exit", procs[1].Exited())
		if x := procs[1].Exit(); x.Signal != "SIGKILL" {
			t.Errorf("exit %+v, want SIGKILL", x)
		}
		await(t, "exit", procs[2].Exited())
		await(t, "end of the tree", procs[2].Empty())
		eventually(t, "both members are known", func() bool { return len(procs[0].Members()) == 2 })
		if left := procs[0].Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
		if x := procs[0].Exit(); x.Signal != "SIGKILL" {
			t.Errorf("exit %+v, want SIGKILL", x)
		}
		for _, p := range procs {
			p.Release()
		}
	})
}
