package journal

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// The child of TestKilledWriter: appends for ever, telling each acknowledged
// sequence number on stdout.
func TestMainAsWriter(t *testing.T) {
	dir := os.Getenv("JOURNAL_TEST_WRITER")
	if dir == "" {
		t.Skip("only as a child of TestKilledWriterLosesNothingAcknowledged")
	}
	j := open(t, dir, Options{})
	writes, _ := strconv.Atoi(os.Getenv("JOURNAL_TEST_WRITES"))
	for i := 0; writes == 0 || i < writes; i++ {
		r := rec("a", "x", "running")
		r.Detail = strings.Repeat("d", 700) // so that the file grows now and then
		if seq, err := j.Append([]Record{r}); err == nil {
			fmt.Println(seq)
		} else {
			fmt.Println("failed")
		}
	}
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	var acked uint64
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMainAsWriter$")
		cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 20 + round*17 {
			if _, err := fmt.Fscan(out, &acked); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Process.Kill()
		for err == nil { // what it still said before it died
			_, err = fmt.Fscan(out, &acked)
		}
		_ = cmd.Wait()
		j := open(t, dir, Options{Keep: 50})
		recs := mustRead(t, j, Filter{Last: 1})
		if len(recs) != 1 || recs[0].Seq < acked || recs[0].Seq > acked+1 {
			t.Fatalf("acknowledged %d, found %v", acked, seqs(recs))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fsync fails for a while: what was acknowledged before, in between and after
// is there, and nothing is acknowledged while it fails.
func TestFailingFsyncAcknowledgesNothing(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace to make fsync fail")
	}
	dir := t.TempDir()
	cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync",
		"-e", "inject=fdatasync,fsync:error=EIO:when=60..120", os.Args[0], "-test.run=^TestMainAsWriter$")
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir, "JOURNAL_TEST_WRITES=200")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("cannot trace a process here: %v", err)
	}
	var acked []string
	failed := 0
	for word := range strings.FieldsSeq(string(out)) {
		if word == "failed" {
			failed++
		} else if word[0] >= '0' && word[0] <= '9' {
			acked = append(acked, word)
		}
	}
	if failed == 0 || len(acked) < 100 {
		t.Fatalf("%d writes failed, %d were acknowledged", failed, len(acked))
	}
	found := fmt.Sprint(seqs(mustRead(t, open(t, dir, Options{}), Filter{})))
	for _, seq := range acked {
		if !strings.Contains(found, seq) {
			t.Fatalf("%s was acknowledged and is not among %s", seq, found)
		}
	}
	t.Logf("%d acknowledged, %d failed", len(acked), failed)
}
