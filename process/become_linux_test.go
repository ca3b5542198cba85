package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["become"], helpers["became"] = become, became
}

// become has a child that ends, and is another program before it has waited for
// it.
func become(file string) {
	note, err := os.Open(file)
	if err != nil {
		panic(err)
	}
	child, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 7"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		panic(err)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, child, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		panic(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HELPER=") {
			env = append(env, v)
		}
	}
	env = append(env, fmt.Sprintf("HELPER=became %d %d", os.Getpid(), child))
	panic(Become("/proc/self/exe", os.Args, env, map[string]*os.File{"note": note}))
}

func became(pids string) {
	var pid, child int
	if _, err := fmt.Sscan(pids, &pid, &child); err != nil {
		panic(err)
	}
	files := Bequest()
	if Bequest() != nil || len(files) != 1 || pid != os.Getpid() {
		panic(fmt.Sprint("pid ", os.Getpid(), " got ", files))
	}
	text, err := io.ReadAll(files["note"])
	if err != nil {
		panic(err)
	}
	s, err := readStat(child)
	if err != nil {
		panic(err)
	}
	id := Identity{Pid: child, StartTicks: s.start, BootID: bootID()}
	d, err := Reopen()
	if err != nil {
		panic(err)
	}
	d.reapOnce(map[int]time.Time{}, time.Now())
	p, err := d.Adopt(id)
	if err != nil {
		panic(err)
	}
	<-p.Exited()
	fmt.Printf("%s %d\n", text, p.Exit().Code)
}

// A program becomes another one in its place: the files it passes on are open,
// and a child that ended in between is waited for with its exit.
func TestBecome(t *testing.T) {
	note := t.TempDir() + "/note"
	if err := os.WriteFile(note, []byte("from before"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "HELPER=become "+note)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "from before 7\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// What cannot be run changes nothing.
func TestBecomeNothing(t *testing.T) {
	rubbish := t.TempDir() + "/rubbish"
	if err := os.WriteFile(rubbish, []byte{0x7f, 'E', 'L', 'F', 0xff}, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(rubbish)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Become(rubbish, []string{"rubbish"}, nil, map[string]*os.File{"self": f}); err == nil {
		t.Fatal("became rubbish")
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v", flags, err)
	}
}

// A bequest for somebody else is none.
func TestBequestOfAnother(t *testing.T) {
	t.Setenv(bequestVar, "1:note=0")
	if files := Bequest(); files != nil {
		t.Errorf("got %v", files)
	}
	if _, is := os.LookupEnv(bequestVar); is {
		t.Error("children would see it")
	}
}
