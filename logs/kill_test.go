package logs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The test binary also plays the keeper: with LOGS_TEST_FIFO it captures that
// FIFO into LOGS_TEST_DIR until it is killed.
func keeper() {
	r, err := os.OpenFile(os.Getenv("LOGS_TEST_FIFO"), os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		panic(err)
	}
	w, err := OpenWriter(os.Getenv("LOGS_TEST_DIR"), Out, Options{MaxSize: 50_000, MaxFiles: 900})
	if err != nil {
		panic(err)
	}
	fmt.Println("capturing")
	panic(Capture(r, w, nil, nil))
}

func startKeeper(t *testing.T, fifo, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOGS_TEST_FIFO="+fifo, "LOGS_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// A component logs numbered lines while the process that captures them is
// killed with SIGKILL again and again: each line is there exactly once, in
// order, to a reader of another process too.
func TestKilledCaptureLosesAndDoublesNothing(t *testing.T) {
	const lines, kills = 100_000, 20
	fifo, dir := filepath.Join(t.TempDir(), "fifo"), t.TempDir()
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	component, err := os.OpenFile(fifo, os.O_RDWR, 0) // as a component holds it
	if err != nil {
		t.Fatal(err)
	}
	defer component.Close()
	f := follow(t, dir, Query{Tail: -1}) // reads while others write
	turn := make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(turn)
		for i := range lines {
			if _, err := fmt.Fprintf(component, "line %d\n", i); err != nil {
				t.Error(err)
				return
			}
			if i%(lines/kills) == lines/kills/2 {
				turn <- true
			}
		}
	})
	k := startKeeper(t, fifo, dir)
	for range turn {
		_ = k.Process.Kill()
		_ = k.Wait()
		k = startKeeper(t, fifo, dir)
	}
	wg.Wait()
	for i := range lines {
		f.expectWhole(t, fmt.Sprintf("line %d", i))
	}
	_ = k.Process.Kill()
	_ = k.Wait()
}

// tinyDisk mounts a tmpfs of the size given, which only root may.
func tinyDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// The disk is full: the component writes on, every byte is either stored or
// counted, and when there is room again a marker says what is missing.
func TestFullDiskIsSurvived(t *testing.T) {
	disk := tinyDisk(t, "128k")
	w := openWriter(t, disk, Options{MaxSize: 1 << 20})
	r, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	done := make(chan error, 1)
	go func() { done <- Capture(r, w, nil, nil) }()
	const sent = 1 << 20
	for range sent / 4096 {
		if _, err := pw.WriteString(strings.Repeat("x", 4095) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func() bool { n, _ := w.Dropped(); all, _ := stored(t, disk, Out); return int(n)+len(all) < sent }
	for waiting() {
	}
	lost, cause := w.Dropped()
	if lost == 0 || cause == nil {
		t.Fatal(lost, cause)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if _, err := pw.WriteString("back\n"); err != nil {
		t.Fatal(err)
	}
	_ = pw.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	all, _ := stored(t, disk, Out)
	marker := fmt.Sprintf("[peerd: %d bytes of output were lost here: no space left on device]\n", lost)
	if !bytes.HasSuffix(all, []byte("\n"+marker+"back\n")) {
		t.Fatalf("the end is %q, want %q", all[max(0, len(all)-200):], marker)
	}
	if x := bytes.Count(all, []byte("x")) + bytes.Count(all[:len(all)-len(marker)-5], []byte("\n")); x+int(lost) != sent && x+int(lost) != sent+1 {
		t.Fatalf("%d stored and %d lost of %d", x, lost, sent)
	}
}
