package torture

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// readDiary parses a diary's file.
func readDiary(t *testing.T, path string) (diary []Line) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		l, err := ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		diary = append(diary, l)
	}
	return diary
}

func TestADiaryIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "diary")
	d, err := OpenDiary(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{d.Tick(1), d.Signal(syscall.SIGTERM), d.End(37)} {
		if err != nil {
			t.Error(err)
		}
	}
	all := lives(readDiary(t, path))
	if len(all) != 1 || all[0].id != d.ID() || all[0].id.Pid != os.Getpid() {
		t.Fatalf("%v", all)
	}
	if code, ok := all[0].code(); !ok || code != 37 || strings.Join(all[0].of(Signal), " ") != "SIGTERM" {
		t.Errorf("%v", all[0].lines)
	}
}

// Who begins a life while the one before still lives says so; a process that
// has ended is no twin, even before its parent has waited for it.
func TestATwinIsNoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "diary")
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	start, ok := StartOf(other.Process.Pid)
	if !ok {
		t.Fatal("it does not live")
	}
	id := ID{other.Process.Pid, start}
	if err := os.WriteFile(path, []byte(Line{ID: id, Word: Begin}.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDiary(path); err != nil {
		t.Fatal(err)
	}
	if got := readDiary(t, path); len(got) != 3 || got[2].Word != Twin || got[2].Arg != id.String() {
		t.Errorf("%v", got)
	}
	_ = other.Process.Kill()
	_ = other.Wait()
	if Lives(id) {
		t.Errorf("%v lives", id)
	}
}

func TestWhatAProcessIs(t *testing.T) {
	t.Setenv("ONLY_FOR", "its children")
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	found := Processes("ONLY_FOR=its children")
	if len(found) != 1 || found[0].Pid != cmd.Process.Pid || found[0].Parent != os.Getpid() || found[0].Argv[1] != "600" {
		t.Errorf("%+v", found)
	}
	if !slices.ContainsFunc(Children(os.Getpid()), func(p Process) bool { return p.Pid == cmd.Process.Pid }) {
		t.Error("it is no child")
	}
	u, err := UsageOf(cmd.Process.Pid)
	if err != nil || u.Files < 3 || u.Threads != 1 || u.MemoryKiB == 0 {
		t.Errorf("%+v, %v", u, err)
	}
}
