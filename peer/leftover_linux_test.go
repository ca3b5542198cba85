package peer

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/process"
)

// How something ended that was left over is known though nothing of it lives any
// more and its parent waits for it late.
func TestTheExitOfALeftoverIsKnown(t *testing.T) {
	door, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	parent := exec.Command("sh", "-c", "sleep 600 & echo $!; kill -STOP $$; wait")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Process.Kill(); _ = parent.Wait() }()
	eventually := func(what string, cond func() bool) {
		for deadline := time.Now().Add(time.Minute); !cond(); <-time.After(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain: %s", what)
			}
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	id, err := process.Identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	eventually("its parent is stopped", func() bool {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", parent.Process.Pid))
		return strings.Contains(string(stat), ") T ")
	})
	ended := make(chan process.Exit, 1)
	go func() {
		exit, left, err := (&Peer{door: door}).killLeftover(id)
		if err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
		ended <- exit
	}()
	eventually("it is killed", func() bool { return !id.Alive() })
	if err := parent.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if exit := <-ended; exit.Signal != "SIGKILL" && !strings.Contains(exit.Reason, "Linux 6.15") {
		t.Errorf("%+v", exit)
	}
}
