package notify

import (
	"context"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseMessage(t *testing.T) {
	for text, want := range map[string]Message{
		"READY=1":                                  {Ready: true},
		"READY=1\nSTATUS=up\n":                     {Ready: true, Status: "up"},
		"RELOADING=1\nMONOTONIC_USEC=7":            {Reloading: true},
		"STOPPING=1":                               {Stopping: true},
		"WATCHDOG=1":                               {Watchdog: true},
		"WATCHDOG=trigger":                         {Trigger: true},
		"WATCHDOG_USEC=2000000":                    {Interval: 2 * time.Second},
		"EXTEND_TIMEOUT_USEC=1500":                 {Extend: 1500 * time.Microsecond},
		"EXTEND_TIMEOUT_USEC=-1":                   {},
		"EXTEND_TIMEOUT_USEC=99999999999999999999": {},
		"MAINPID=1\nREADY=0\nnonsense\n=\nX=":      {},
		"STATUS=a\xffb":                            {Status: "a\uFFFDb"},
		"STATUS=" + strings.Repeat("é", 2000):      {Status: strings.Repeat("é", 512)},
	} {
		if got := Parse([]byte(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%.40q: %+v", text, got)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=x\nEXTEND_TIMEOUT_USEC=1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m := Parse(b); len(m.Status) > maxStatus || m.Extend < 0 || m.Interval < 0 {
			t.Fatalf("%+v", m)
		}
	})
}

// component starts a process that sends text and lives until release.
func component(t *testing.T, n *Socket, text string) (pid int, release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NOTIFY_TEST_SEND="+text, "NOTIFY_SOCKET="+n.Path())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = in.Close(); _ = cmd.Wait() })
	t.Cleanup(release)
	return cmd.Process.Pid, release
}

func TestItHearsOnlyTheComponent(t *testing.T) {
	n, err := Listen(t.TempDir() + "/generation")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan int, 10)
	var mu sync.Mutex
	own := map[int]bool{}
	heard := make(chan Message, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := n.Run(t.Context(), func(pid int) bool {
			asked <- pid
			mu.Lock()
			defer mu.Unlock()
			return own[pid]
		}, nil, func(m Message) { heard <- m })
		if err != nil {
			t.Error(err)
		}
	})
	stranger, _ := component(t, n, "READY=1")
	if pid := <-asked; pid != stranger {
		t.Fatalf("asked about %d, the sender is %d", pid, stranger)
	}
	mu.Lock()
	own[os.Getpid()] = true // this process plays the component
	mu.Unlock()
	send(t, n.Path(), "STATUS=loading")
	if m := <-heard; m.Pid != os.Getpid() || m.Status != "loading" || m.Ready {
		t.Fatalf("%+v", m)
	}
	if n.Refused() != 1 {
		t.Fatalf("%d refused", n.Refused())
	}
	send(t, n.Path(), strings.Repeat("x", maxDatagram+1)) // longer than any message: refused
	send(t, n.Path(), "READY=1")
	if m := <-heard; !m.Ready || n.Refused() != 2 {
		t.Fatalf("%+v, %d refused", m, n.Refused())
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if _, err := os.Stat(n.Path()); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

// send sends a datagram and waits until it was heard, as sd_notify_barrier
// does: by a pipe whose writing end goes along.
func send(t *testing.T, path, text string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	err = unix.Sendmsg(fd, []byte(text), unix.UnixRights(int(w.Fd())), &unix.SockaddrUnix{Name: path}, 0)
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err != nil { // ends when the receiver closed its copy
		t.Fatal(err)
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	n, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAPathTooLong(t *testing.T) {
	if _, err := Listen(t.TempDir() + "/" + strings.Repeat("x", 200)); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Fatal(err)
	}
}

// What lasts is told while it can still be taken by somebody else.
func TestWhatLastsIsToldBeforeItIsTaken(t *testing.T) {
	n, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	component(t, n, "READY=1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := false
	err = n.Run(ctx, func(int) bool { return true }, func(text string) {
		if told {
			return
		}
		f, err := n.Leave()
		if err != nil {
			t.Error(err)
			return
		}
		other, err := Inherit(f, "")
		if err != nil {
			t.Error(err)
			return
		}
		defer other.LetGo()
		there, seen := context.WithCancel(ctx)
		if err := other.Hear(there, func(int) bool { return true }, func(b []byte) {
			told = text == "READY=1" && string(b) == text
			seen()
		}); err != nil {
			t.Error(err)
		}
		cancel()
	}, func(m Message) { t.Errorf("heard twice: %+v", m) })
	if err != nil || !told {
		t.Errorf("told: %v, %v", told, err)
	}
}

// What is too long to be heard is not told before either.
func TestWhatIsRefusedDoesNotLast(t *testing.T) {
	n, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		err := n.Run(t.Context(), func(int) bool { return true },
			func(text string) { t.Errorf("told %.20q, %d bytes", text, len(text)) },
			func(m Message) { t.Errorf("heard %+v", m) })
		if err != nil {
			t.Error(err)
		}
	})
	send(t, n.Path(), "READY=1\n"+strings.Repeat("x", maxDatagram))
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	running.Wait()
	if n.Refused() != 1 {
		t.Errorf("%d refused", n.Refused())
	}
}

func TestLasts(t *testing.T) {
	for text, want := range map[string]bool{
		"READY=1": true, "STATUS=x\nREADY=1": true, "WATCHDOG_USEC=5": true,
		"READY=0": false, "STATUS=READY=1": false, "WATCHDOG=1": false, "": false,
	} {
		if Lasts(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
