//go:build linux

package acceptance_test

import (
	"os"
	"os/exec"
	"testing"
)

// strangerScript runs in a pid namespace of its own, where the next pid can be
// chosen: peerd dies, its component dies, and the keeper dies or leaves (as long as
// it is there, so is the pid); a stranger gets the component's pid, and peerd comes
// back.
const strangerScript = `
set -eu
await() { n=0; until "$@" >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 600 ] || { echo "in vain: $*" >&2; exit 1; }; sleep 0.05; done; }
running() { "$BIN/ccpc" ps victim -o json | grep -q '"status": *"running"'; }
field() { sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p" | head -n 1; }
gone() { ! kill -0 "$1"; }
"$BIN/peerd" run profile.yaml >>peerd.log 2>&1 & peerd=$!
await running
victim=$("$BIN/ccpc" ps victim -o json | field pid)
keeper=$("$BIN/ccpc" status -o json | field keeperPid)
kill -9 $peerd; wait $peerd || true
kill -9 $victim
[ "$KEEPER" = leaves ] || kill -9 $keeper
await gone $victim
echo $((victim - 1)) > /proc/sys/kernel/ns_last_pid
setsid sleep 700 & stranger=$!
[ $stranger = $victim ] || { echo "the stranger is $stranger, not $victim"; exit 77; }
"$BIN/peerd" run profile.yaml >>peerd.log 2>&1 & peerd=$!
await running
[ "$("$BIN/ccpc" ps victim -o json | field pid)" != $stranger ]
"$BIN/ccpc" restart victim
"$BIN/ccpc" kill victim
kill -TERM $peerd; wait $peerd
kill -0 $stranger || { echo "the stranger was killed"; exit 1; }
kill -9 $stranger
`

// Issue 4: a stranger on a recycled pid is never signalled.
func TestAStrangerOnARecycledPidIsLeftAlone(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may make a pid namespace and choose its next pid")
	}
	for _, keeper := range []string{"leaves", "dies"} {
		t.Run("the keeper "+keeper, func(t *testing.T) {
			t.Parallel()
			p := prepare(t, `
components:
  victim: {command: [/bin/sleep, "600"]}
`)
			cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", strangerScript)
			cmd.Env = append(p.env, "BIN="+bin, "KEEPER="+keeper)
			cmd.Dir = p.dir
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code == 77 {
				t.Skipf("this kernel gave out another pid: %s", out)
			}
			if err != nil {
				t.Errorf("%v\n%s\n%s", err, out, p.log())
			}
		})
	}
}
