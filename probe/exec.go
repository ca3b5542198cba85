package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// marker names the environment variable by which the processes of one probe
// are found, wherever they went. Its value is unique.
const marker = "PEERD_PROBE"

// heldDelay is how long a probe's output is waited for after its process has
// ended, while something it left behind holds the pipe.
const heldDelay = 100 * time.Millisecond

// checkExec runs an argv in a process group of its own.
func checkExec(ctx context.Context, s Spec) (string, error) {
	tag := marker + "=" + rand.Text()
	out := &limited{}
	cmd := exec.CommandContext(ctx, s.Exec[0], s.Exec[1:]...)
	cmd.Dir = s.Dir
	cmd.Env = append(append([]string{}, s.Env...), tag)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = heldDelay
	cmd.Cancel = func() error {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return cmd.Process.Kill()
	}
	err := cmd.Run()
	if held := errors.Is(err, exec.ErrWaitDelay); held || ctx.Err() != nil && cmd.Process != nil {
		killTagged(tag)
		if held && ctx.Err() == nil { // it ended with 0 and left something behind
			err = nil
		}
	}
	return string(out.b), err
}

// limited keeps the first bytes written and accepts all others.
type limited struct{ b []byte }

func (l *limited) Write(b []byte) (int, error) {
	if room := maxDetail - len(l.b); room > 0 {
		l.b = append(l.b, b[:min(room, len(b))]...)
	}
	return len(b), nil
}
