package handshake

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	base, err := os.MkdirTemp("", "ccp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	dir, deep := filepath.Join(base, "own"), filepath.Join(base, "own", "deep")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "s"), filepath.Join(deep, "s"), filepath.Join(base, "s")} {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{filepath.Join(dir, "link"): filepath.Join(dir, "s"), filepath.Join(base, "alias"): dir} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ address, want string }{
		{dir + "/s", ""},
		{base + "/alias/s", ""}, // the runtime folder itself may be reached through a link
		{"", "plain path"},
		{"s", "plain path"},
		{"@abstract", "plain path"},
		{"\x00abstract", "plain path"},
		{dir + "/s\x00", "plain path"},
		{dir + "/../own/s", "plain path"},
		{dir + "//s", "plain path"},
		{dir + "/deep/../../s", "plain path"},
		{dir + "/deep/s", "not in its own folder"},
		{base + "/s", "not in its own folder"},
		{"/dev/log", "not in its own folder"},
		{dir + "/link", "a symbolic link"},
		{dir + "/file", "a file"},
		{dir + "/deep", "a folder"},
		{dir + "/none", "does not exist"},
		{dir + "/" + strings.Repeat("x", 5000), "(50"},
	} {
		err := checkAddress(dir, c.address)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.address, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.200q: error %v, want one with %q", c.address, err, c.want)
		case err != nil && len(err.Error()) > 1000:
			t.Errorf("%.200q: the error has %d bytes", c.address, len(err.Error()))
		}
	}
}
