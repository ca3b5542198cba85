package profiles_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-04209a44/peerd/profiles"
)

// A caller that has not read the profile finds the peer that names no socket.
func TestDefaultSocketIsThatOfAProfileWithoutOne(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"runtime folder": {"XDG_RUNTIME_DIR": "/run/user/1000"},
		"bare":           {},
	} {
		for _, uid := range []int{0, 1000} {
			lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
			file := filepath.Join(t.TempDir(), "p.yaml")
			if err := os.WriteFile(file, []byte("components: {a: {command: [/bin/true]}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			plan, err := profiles.Load(file, profiles.LoadOptions{UID: uid, Env: lookup})
			if err != nil {
				t.Fatal(err)
			}
			if got := profiles.DefaultSocket(uid, lookup); got != plan.Peer.Socket {
				t.Errorf("%s, uid %d: default %s, the profile's %s", name, uid, got, plan.Peer.Socket)
			}
		}
	}
}
