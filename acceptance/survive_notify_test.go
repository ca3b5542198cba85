//go:build linux

package acceptance_test

import (
	"strconv"
	"testing"
)

// beats says by sd_notify that it is alive, over and over, and that it is ready
// once its file is there. It writes down that it said so when it has gone on for a
// while, and ends when it cannot say something.
const beats = `import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(w): s.sendto(w.encode(), os.environ['NOTIFY_SOCKET'])
say('WATCHDOG_USEC=60000000')
n, since = 0, 0
while True:
    n += 1
    say('WATCHDOG=1\nSTATUS=%d' % n)
    if not since and os.path.exists('ready.' + sys.argv[1]):
        say('READY=1')
        since = n
    if since and n == since + 1000:
        open('said.' + sys.argv[1], 'w').close()
    time.sleep(0.002 if since else 0.01)
`

// Components go on to say what they have to say by sd_notify while no peerd lives,
// and the next one knows: also where the keeper was another one meanwhile.
func TestWhatIsSaidWhilePeerdIsAwayIsHeard(t *testing.T) {
	t.Parallel()
	if !hasProgram("python3") {
		t.Skip("python3 is not installed")
	}
	p := prepare(t, "")
	p.put("beats.py", beats)
	p.write(`
defaults: {workingDirectory: ., launchTimeout: 10m, restart: {policy: never}, ready: {notify: true}}
components:
  a: {command: [python3, beats.py, a]}
  b: {command: [python3, beats.py, b]}
  c: {command: [python3, beats.py, c]}
  d: {command: [python3, beats.py, d]}
`)
	p.run()
	p.ready()
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		p.until(name, "speaks", func(i instance) bool { return i.Status == "starting" && i.Says != "" })
	}
	before := p.pids()
	for n, name := range names {
		if n%2 == 1 {
			p.killKeeper()
		}
		p.killPeerd(func() {
			p.put("ready."+name, "")
			p.waitFor(name+" has said that it is ready, and goes on", func() bool { return p.hasFile("said." + name) })
		})
		p.running(names[:n+1]...)
		for _, later := range names[n+1:] {
			if i := p.of(later); i.Status != "starting" {
				t.Errorf("%s did not say that it is ready: %v", later, i)
			}
		}
		was, _ := strconv.Atoi(p.of(name).Says)
		p.until(name, "is heard", func(i instance) bool { now, _ := strconv.Atoi(i.Says); return now > was && was > 0 })
	}
	if now := p.pids(); len(now) != len(before) {
		t.Errorf("were %v and are %v", before, now)
	} else {
		p.untouched(before)
	}
}
