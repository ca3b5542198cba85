package keeper_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
)

// A keeper that is killed before it can answer is followed by the next.
func TestAKeeperThatDiesAtItsBirth(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	door, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	u := &user{t: t, dir: t.TempDir(), door: door}
	born := filepath.Join(u.dir, "born")
	script := fmt.Sprintf("[ -e %[1]s ] || { : >%[1]s; kill -9 $$; }; exec %[2]s keeper", born, self)
	u.client, err = keeper.Connect(t.Context(), keeper.Settings{Folder: u.dir, Programs: [][]string{{"/bin/sh", "-c", script}}, Door: door})
	if err != nil {
		t.Fatal(err)
	}
	defer u.client.Close()
	c, p := u.sh("late", "exit 7", u.output("late"))
	if x := u.end(c, p); x.Code != 7 {
		t.Errorf("%+v", x)
	}
	if _, err := os.Stat(born); err != nil {
		t.Errorf("nobody died: %v", err)
	}
}
