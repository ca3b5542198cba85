package keeper

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-04209a44/peerd/notify"
	"github.com/seed-04209a44/peerd/process"
)

// lodge has a keeper hold a process that sleeps.
func lodge(t *testing.T) (*Keeper, *held) {
	t.Helper()
	door, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	k := New(door)
	dir := t.TempDir()
	h, err := k.capture(captureOrder{Key: "a", Output: Output{Folder: dir, Logs: filepath.Join(dir, "logs")}})
	if err == nil {
		_, err = k.spawn("a", process.Spec{Path: "/bin/sleep", Args: []string{"sleep", "600"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.proc.Kill(context.Background())
		<-h.proc.Exited()
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		h.proc.Release()
		if err := door.Close(); err != nil {
			t.Error(err)
		}
	})
	return k, h
}

// What was said is told though the socket does not reach who asks for it.
func TestWhatIsSaidIsToldWithoutTheSocket(t *testing.T) {
	k, h := lodge(t)
	s, err := notify.Listen(h.opts.Folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.LetGo()
	f, err := s.Leave()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := process.KeepFD(f)
	_ = f.Close()
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.ear = &ear{fd: fd, folder: h.opts.Folder}
	h.mu.Unlock()
	if err := k.noteSaid(saidOrder{Key: "a", Text: "READY=1"}); err != nil {
		t.Fatal(err)
	}
	answer, err := k.handOut(earOrder{Key: "a", Path: filepath.Join(h.opts.Folder, "nobody")})
	if err != nil || answer.Held || answer.Trouble == "" || !slices.Equal(answer.Said, []string{"READY=1"}) {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Who forgets a process whose end is kept back does not wait for it either.
func TestNobodyWaitsForTheForgotten(t *testing.T) {
	k, h := lodge(t)
	h.mu.Lock()
	k.discard("a", h)
	h.mu.Unlock()
	k.watching.Wait()
}
