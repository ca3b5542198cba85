package process

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func writeIdentity(file string, id Identity) {
	text, err := json.Marshal(id)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		panic(err)
	}
}

func readIdentity(t *testing.T, file string) (id Identity) {
	t.Helper()
	eventually(t, "the keeper's child runs", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(text, &id) == nil
	})
	return id
}

// The keeper dies; its child becomes ours, and its exit is exact.
func TestAdoptAfterTheKeepersDeath(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		dir := t.TempDir()
		k := start(t, d, helper("keeper "+dir))
		p, err := d.Adopt(readIdentity(t, filepath.Join(dir, "identity")))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		if err := k.leader.signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "exit of the keeper", k.Exited())
		tell(t, filepath.Join(dir, "go"))
		await(t, "exit of the adopted", p.Exited())
		if got := p.Exit(); got.Code != 37 || got.Reason != "" {
			t.Errorf("exit is %+v, want 37", got)
		}
		await(t, "end of the tree", p.Empty())
	})
}

// The keeper lives and waits for its child itself; we learn the exit from the
// zombie, before it can wait, or from the pidfd, where the kernel keeps it.
func TestAdoptTheChildOfALivingKeeper(t *testing.T) {
	for _, late := range []bool{true, false} {
		t.Run(fmt.Sprintf("late=%v", late), func(t *testing.T) {
			d := newDoor(t)
			dir := t.TempDir()
			k := start(t, d, helper("keeper "+dir))
			p, err := d.Adopt(readIdentity(t, filepath.Join(dir, "identity")))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Release()
			if late {
				if err := k.leader.signal(unix.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			tell(t, filepath.Join(dir, "go"))
			await(t, "exit of the adopted", p.Exited())
			switch got := p.Exit(); {
			case !late && got.Code == -1 && got.Reason != "": // an older kernel: unknown, with the reason
				t.Log(got.Reason)
			case got.Code != 37:
				t.Errorf("exit is %+v, want 37", got)
			}
			if err := k.leader.signal(unix.SIGCONT); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func tell(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A stranger with the pid of a dead process is neither followed nor signalled.
func TestAdoptIsNotFooledByARecycledPid(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		stranger := start(t, d, shell("sleep 1000"))
		for name, change := range map[string]func(*Identity){
			"earlier start": func(id *Identity) { id.StartTicks -= 5 },
			"other boot":    func(id *Identity) { id.BootID = "earlier" },
		} {
			t.Run(name, func(t *testing.T) {
				id := stranger.Identity()
				id.Cgroup, id.Token = "", "test:gone"
				change(&id)
				if id.Alive() {
					t.Error("taken for alive")
				}
				p, err := d.Adopt(id)
				if err != nil {
					t.Fatal(err)
				}
				await(t, "exit of the gone", p.Exited())
				if got := p.Exit(); got.Code != -1 || got.Reason == "" {
					t.Errorf("exit is %+v, want unknown with a reason", got)
				}
				if err := p.Signal(unix.SIGTERM); err != nil {
					t.Error(err)
				}
				if left := p.Kill(t.Context()); left != nil {
					t.Errorf("left: %v", left)
				}
				p.Release()
			})
		}
		select {
		case <-stranger.Exited():
			t.Error("the stranger was hit")
		case <-time.After(50 * time.Millisecond):
		}
	})
}

// The leader ended while nobody watched; its tree is still found.
func TestAdoptWhatALeaderLeft(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		p := start(t, d, shell("setsid sleep 1000 & exit 0"))
		await(t, "exit", p.Exited())
		again, err := d.Adopt(p.Identity())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the member is found", func() bool { m := again.Members(); return len(m) == 1 && m[0].Command == "sleep" })
		if left := again.Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
		await(t, "end of the tree", p.Empty())
	})
}

// What a dead program left is found by its name, leader or not.
func TestFind(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		with, without := shell("sleep 1000 & sleep 1000"), shell("setsid sleep 1000 & exit 0")
		name := "find-me-" + newToken("")[1:]
		with.Name, without.Name = name, name
		other := shell("sleep 1000")
		other.Name = name + "-not"
		start(t, d, other)
		a, b := start(t, d, with), start(t, d, without)
		await(t, "exit of the second leader", b.Exited())
		found, err := d.Find(name)
		if err != nil || len(found) != 2 {
			t.Fatalf("found %+v, %v", found, err)
		}
		for _, id := range found {
			switch want := a.Identity(); id.Token {
			case want.Token:
				if id != want {
					t.Errorf("found %+v, want %+v", id, want)
				}
			case b.Identity().Token:
				p, err := d.Adopt(id)
				if err != nil {
					t.Fatal(err)
				}
				if left := p.Kill(t.Context()); left != nil {
					t.Errorf("left: %v", left)
				}
				p.Release()
			default:
				t.Errorf("found a stranger: %+v", id)
			}
		}
		await(t, "end of the second tree", b.Empty())
	})
}
