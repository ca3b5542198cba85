package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAFolderKeepsItsMode: an engine that would destroy what is in a folder does
// not start in it, and says what to do.
func TestAFolderKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	alone := filepath.Join(dir, "alone")
	openNATS(t, alone).Close()
	external := filepath.Join(dir, "external")
	e, err := OpenExternal(ExternalOptions{Node: "one", Dir: external, URL: "nats://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	o := members(3, dir)[0]
	m, err := OpenNATS(o)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	other := o
	other.Node = "c9"
	for _, c := range []struct {
		dir  string
		open func(dir string) (*NATS, error)
		want string
	}{
		{alone, func(dir string) (*NATS, error) { return OpenNATS(NATSOptions{Node: "renamed", Dir: dir}) }, ""},
		{alone, func(dir string) (*NATS, error) { o := o; o.Dir = dir; return OpenNATS(o) }, "ccpc cluster migrate --to clustered --node c1 --name east "},
		{alone, func(dir string) (*NATS, error) {
			return OpenExternal(ExternalOptions{Node: "one", Dir: dir, URL: "nats://127.0.0.1:1"})
		}, "ccpc cluster migrate --to external --node one "},
		{external, func(dir string) (*NATS, error) { return OpenNATS(NATSOptions{Node: "one", Dir: dir}) }, "ccpc cluster restore --to standalone --node one FILE "},
		{o.Dir, func(dir string) (*NATS, error) { return OpenNATS(NATSOptions{Node: "one", Dir: dir}) }, "ccpc cluster restore --to standalone --node one FILE "},
		{o.Dir, func(string) (*NATS, error) { return OpenNATS(other) }, "ccpc cluster restore --to clustered --node c9 --name east FILE "},
		{o.Dir, func(string) (*NATS, error) { return OpenNATS(o) }, ""},
	} {
		before := snapshotOf(t, c.dir)
		e, err := c.open(c.dir)
		switch {
		case err == nil:
			e.Close()
			if c.want != "" {
				t.Errorf("%s: opened", c.dir)
			}
		case c.want == "" || !strings.Contains(err.Error(), c.want+c.dir):
			t.Errorf("%s: %v, want %q", c.dir, err, c.want+c.dir)
		case snapshotOf(t, c.dir) != before:
			t.Errorf("%s: changed by a start that was refused", c.dir)
		}
	}
}

// snapshotOf is what is in a folder: names and times.
func snapshotOf(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			all.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestAClusterIsChecked(t *testing.T) {
	for _, m := range []Membership{
		{Listen: "127.0.0.1:6222", Routes: []string{"b:6222", "c:6222"}},
		{Name: "two words", Listen: "127.0.0.1:6222", Routes: []string{"b:6222", "c:6222"}},
		{Name: "east", Listen: "127.0.0.1", Routes: []string{"b:6222", "c:6222"}},
		{Name: "east", Listen: "127.0.0.1:0", Routes: []string{"b:6222", "c:6222"}},
		{Name: "east", Listen: ":6222", Routes: []string{"b:6222", "c:6222"}},
		{Name: "east", Listen: "127.0.0.1:6222"},
		{Name: "east", Listen: "127.0.0.1:6222", Routes: []string{"127.0.0.1:6222", "127.0.0.2:6222"}},
		{Name: "east", Listen: "127.0.0.1:6222", Routes: []string{"127.0.0.2:6222", "127.0.0.3:6222", "127.0.0.4:6222"}},
		{Name: "east", Listen: "127.0.0.1:6222", Routes: []string{"127.0.0.1:6222"}},
		{Name: "east", Listen: "0.0.0.0:6222", Routes: []string{"localhost:6222", "127.0.0.1:6222"}},
	} {
		dir := t.TempDir()
		if e, err := OpenNATS(NATSOptions{Node: "c1", Dir: dir, Cluster: &m}); err == nil {
			e.Close()
			t.Errorf("%+v was taken", m)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%+v left something behind", m)
		}
	}
}

func TestARouteToItselfIsNoOther(t *testing.T) {
	for _, c := range []struct {
		listen string
		routes []string
		others int
	}{
		{"0.0.0.0:6222", []string{"localhost:6222", "localhost:6223"}, 1},
		{"0.0.0.0:6222", []string{"203.0.113.1:6222", "203.0.113.2:6222", "127.0.0.1:6222"}, 2},
		{"203.0.113.1:6222", []string{"203.0.113.1:6222", "203.0.113.2:6222", "203.0.113.2:6222"}, 1},
		{"127.0.0.1:6222", []string{"127.0.0.2:6222", "127.0.0.1:6223"}, 2},
	} {
		if got := (Membership{Listen: c.listen, Routes: c.routes}).others(); len(got) != c.others {
			t.Errorf("%+v: others are %v", c, got)
		}
	}
}
