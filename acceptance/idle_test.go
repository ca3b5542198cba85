//go:build linux

package acceptance_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A keeper of a hundred components is small, and does not run at all while
// nothing happens.
func TestAKeeperAtRest(t *testing.T) {
	t.Parallel()
	p := idle(t)
	keeper := p.keeperPid()
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", keeper)); err != nil || filepath.Base(exe) != "peerd-keeper" {
		t.Errorf("the keeper is %s, %v", exe, err)
	}
	const most = 15 << 20
	if size := resident(t, keeper); size > most {
		t.Errorf("the keeper has %d bytes resident, at most %d are promised", size, most)
	}
	p.waitFor("the keeper does not run for two seconds", func() bool {
		before := switches(t, keeper)
		<-time.After(2 * time.Second)
		return switches(t, keeper) == before
	})
}

// What a keeper of a hundred components costs while nothing happens, beside a
// program that only waits at as many pipes.
func BenchmarkIdleKeeper(b *testing.B) {
	p := idle(b)
	costs := map[string]int{"keeper": p.keeperPid(), "floor": onlooker(b)}
	before := map[string]int{}
	began := time.Now()
	for who, pid := range costs {
		before[who] = switches(b, pid)
	}
	for b.Loop() {
		<-time.After(time.Second)
	}
	spent := time.Since(began).Seconds()
	for who, pid := range costs {
		b.ReportMetric(float64(resident(b, pid))/(1<<20), who+"-MiB")
		b.ReportMetric(float64(switches(b, pid)-before[who])/spent, who+"-wakeups/s")
	}
	b.ReportMetric(float64(resident(b, costs["keeper"]))/float64(resident(b, costs["floor"])), "MiB-ratio")
}

// idle is a peer with a hundred components that do nothing.
func idle(t testing.TB) *peerd {
	t.Helper()
	const n = 100
	p := start(t, crowd(n, ""))
	p.waitFor("all run", func() bool {
		return countOf(p.ps(), func(i instance) bool { return i.Status == "running" }) == n
	})
	return p
}

// onlooker starts the floor: two pipes for each component.
func onlooker(b *testing.B) (pid int) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "onlooker")
	if out, err := exec.Command("go", "build", "-o", path, "../internal/testcomponents/onlooker").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(path, "200")
	cmd.Env = []string{"GOMAXPROCS=2"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		b.Fatalf("%q, %v", line, err)
	}
	return cmd.Process.Pid
}

// resident is a process's memory in bytes.
func resident(t testing.TB, pid int) int {
	t.Helper()
	return 1 << 10 * statusField(t, fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
}

// switches counts how often the threads of a process began to run.
func switches(t testing.TB, pid int) (n int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, path := range threads {
		n += statusField(t, path, "voluntary_ctxt_switches") + statusField(t, path, "nonvoluntary_ctxt_switches")
	}
	return n
}

func statusField(t testing.TB, path, name string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s has no %s", path, name)
	return 0
}

// Where peerd-keeper is missing, or is not of the same house, peerd itself is
// the keeper.
func TestWithoutTheSmallKeeper(t *testing.T) {
	t.Parallel()
	for name, keeper := range map[string]string{
		"missing":          "",
		"no program":       "rubbish",
		"no keeper":        "#!/bin/sh\necho hello\n",
		"another protocol": "#!/bin/sh\necho '{\"protocol\":{\"oldest\":98,\"newest\":99},\"state\":{\"oldest\":1,\"newest\":1}}'\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := prepare(t, "components: {a: {command: [/bin/sleep, '600']}}\n")
			alone := p.path("peerd")
			if out, err := exec.Command("cp", program("peerd"), alone).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if keeper != "" {
				if err := os.WriteFile(p.path("peerd-keeper"), []byte(keeper), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			p.wrap = []string{"/bin/sh", "-c", `shift; exec "$0" "$@"`, alone}
			p.run()
			p.ready()
			p.waitFor("it runs", func() bool { return p.ps()["a"].Status == "running" })
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.keeperPid())); err != nil || exe != alone {
				t.Errorf("the keeper is %s, %v", exe, err)
			}
		})
	}
}
