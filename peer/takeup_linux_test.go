package peer

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
)

// What a component is told while it is still being taken up reaches it: the stop
// signal, and force.
func TestOrdersBeforeATakeover(t *testing.T) {
	for signal, order := range map[string]func(*generation){
		"SIGTERM": func(g *generation) { g.Signal(syscall.SIGTERM) },
		"SIGKILL": func(g *generation) { g.Signal(syscall.SIGTERM); g.Kill() },
	} {
		t.Run(signal, func(t *testing.T) {
			door, err := process.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer door.Close()
			k := keeper.New(door)
			defer k.Close()
			dir := filepath.Join(t.TempDir(), "private")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			out, err := k.Capture(t.Context(), "one", keeper.Output{Folder: dir, Logs: dir})
			if err != nil {
				t.Fatal(err)
			}
			proc, err := out.Spawn(t.Context(), process.Spec{Path: "/bin/sleep", Args: []string{"sleep", "600"}, Dir: dir, Name: "one"})
			if err != nil {
				t.Fatal(err)
			}
			l := &launcher{log: hclog.NewNullLogger()}
			g := l.generation(t.Context(), &profiles.Spec{}, 1, nil)
			g.resumed = true
			order(g)
			if g.calledOff() != nil || g.alive.Err() != nil && signal == "SIGTERM" {
				t.Error("what lives already was called off")
			}
			g.takeUp(proc, out, time.Now())
			l.work.Wait()
			<-proc.Empty()
			if x := proc.Exit(); x.Signal != signal {
				t.Errorf("%+v", x)
			}
			if err := out.Drain(); err != nil {
				t.Error(err)
			}
			if err := out.Forget(); err != nil {
				t.Error(err)
			}
			g.Release()
		})
	}
}

// Who asks for the process of a component that is still being taken up waits for
// it, but not for ever.
func TestAQuestionDuringATakeover(t *testing.T) {
	for name, takenUp := range map[string]bool{"taken up": true, "late": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &launcher{log: hclog.NewNullLogger()}
				g := l.generation(t.Context(), &profiles.Spec{}, 1, nil)
				g.found, g.resumed = make(chan struct{}), true
				answered := make(chan bool, 1)
				go func() {
					g.awaitFound(t.Context())
					answered <- g.process() != nil
				}()
				synctest.Wait()
				if len(answered) > 0 {
					t.Error("the question was answered before the process was known")
				}
				if takenUp {
					g.takeUp(&keeper.Process{}, nil, time.Now())
					close(g.found)
				}
				if got := <-answered; got != takenUp {
					t.Errorf("a process is known: %v, want %v", got, takenUp)
				}
				g.Release()
			})
		})
	}
}
