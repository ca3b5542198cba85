package journal

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The last fsync of a commit fails, the one behind the meta page: the write is
// in the file, and was refused. It is not there when the file is opened again,
// whether or not another write came after it.
func TestARefusedWriteDoesNotComeTrue(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace to make fsync fail")
	}
	for _, when := range []string{"2+2", "3+2", "4..9", "9+1", "12+3"} {
		t.Run(when, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
				"-e", "inject=fdatasync:error=EIO:when="+when, os.Args[0], "-test.run=^TestMainAsWriter$")
			cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir, "JOURNAL_TEST_WRITES=100")
			out, err := cmd.Output()
			if err != nil {
				t.Skipf("cannot trace a process here: %v", err)
			}
			var acked []string
			for word := range strings.FieldsSeq(string(out)) {
				if word[0] >= '0' && word[0] <= '9' && !strings.Contains(word, ".") {
					acked = append(acked, word)
				}
			}
			if failed := strings.Count(string(out), "failed\n"); failed == 0 || len(acked)+failed != 100 {
				t.Fatalf("%d writes failed, %d were acknowledged", failed, len(acked))
			}
			if found := fmt.Sprint(seqs(mustRead(t, open(t, dir, Options{}), Filter{}))); found != fmt.Sprint(acked) {
				t.Errorf("acknowledged\n%v, found\n%s", acked, found)
			}
		})
	}
}

// Undoing changes nothing when there is nothing to undo, and refuses what it
// does not understand.
func TestUndoIsIdempotent(t *testing.T) {
	file, contents := sample(t)
	dir := t.TempDir()
	path := dir + "/" + fileName
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := readMetas(strings.NewReader(string(file)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := undo(path, m.txid+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := undo(path, m.txid+3); err == nil {
		t.Error("a transaction out of order was undone")
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(file) {
		t.Errorf("the file is another: %v", err)
	}
	torn := append([]byte{}, file...)
	for i := range pageHeader + metaSize { // the next meta page, cut short by an error
		torn[int((m.txid+1)%2)*pageSize+i] ^= 0x55
	}
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := undo(path, m.txid+1); err != nil {
		t.Fatal(err)
	}
	mended, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if check(t, t.TempDir(), mended, contents, "undone") {
		t.Error("the file is refused after the undoing")
	}
}

// Sync writes, keeps what is there, and gives no sequence number away.
func TestSync(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	seq := mustAppend(t, j, rec("a", "x", "running"))
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	if next := mustAppend(t, j, rec("a", "x", "stopped")); next != seq+1 {
		t.Errorf("record %d follows %d", next, seq)
	}
}
