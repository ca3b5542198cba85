package process

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The reader dies and comes back: no writer gets SIGPIPE, no byte is lost.
func TestFIFOOutlivesItsReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	first, err := OpenFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := shell("echo one; until [ -e " + dir + "/two ]; do sleep 0.01; done; echo two; until [ -e " + dir + "/three ]; do sleep 0.01; done; echo three")
	s.Stdout = first.Write
	p := start(t, newDoor(t), s)
	if got := readLine(t, first.Read); got != "one\n" {
		t.Errorf("read %q", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	tell(t, dir+"/two") // written while nobody reads
	eventually(t, "two is written", func() bool { return strings.Contains(cmdlines(p), "sleep") })
	second, err := OpenFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := readLine(t, second.Read); got != "two\n" {
		t.Errorf("read %q", got)
	}
	tell(t, dir+"/three")
	await(t, "exit", p.Exited())
	if got := p.Exit(); got.Code != 0 {
		t.Errorf("the writer ended as %+v", got)
	}
	if got := readLine(t, second.Read); got != "three\n" {
		t.Errorf("read %q", got)
	}
}

func cmdlines(p *Process) string {
	var names []string
	for _, m := range p.Members() {
		names = append(names, m.Command)
	}
	return strings.Join(names, " ")
}

func readLine(t *testing.T, r *os.File) string {
	t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64)
	n, err := r.Read(buffer)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestFIFOIsPrivateAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := OpenFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	tell(t, path+".file")
	if _, err := OpenFIFO(path + ".file"); err == nil {
		t.Error("a plain file was taken for a FIFO")
	}
}

func TestPeerCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := PeerCredentials(conn)
	want := Credentials{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Pid: os.Getpid()}
	if err != nil || got != want {
		t.Errorf("connected is %+v, %v; want %+v", got, err, want)
	}
}

func TestGroups(t *testing.T) {
	groups, err := Groups(0)
	if err != nil || len(groups) == 0 || groups[0] != 0 {
		t.Errorf("groups of root are %v, %v", groups, err)
	}
	if _, err := Groups(4_000_000_001); err == nil {
		t.Error("groups of nobody known")
	}
}
