package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Who listens hears when bytes begin to be lost and when they are stored again,
// each time once; that is found out without further output, too.
func TestListenHearsTheTroubleBeginAndEnd(t *testing.T) {
	dir := t.TempDir()
	w, err := OpenWriter(dir, Out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	var heard []string
	w.Listen(func(n int64, why string) { heard = append(heard, fmt.Sprint(n, " ", why)) })
	write := func(text string) {
		t.Helper()
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("stored\n")
	path := filepath.Join(dir, "out.log")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // where no file can be
		t.Fatal(err)
	}
	write("lost\n")
	write("lost too\n")
	if n, _ := w.Mend(); n != 14 {
		t.Errorf("%d bytes are lost, want 14", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if n, _ := w.Mend(); n != 14 {
		t.Errorf("%d bytes are lost, want 14", n)
	}
	if want := []string{"5 is a directory", "14 "}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "14 bytes of output were lost here") {
		t.Errorf("the file says %q: %v", text, err)
	}
}
