//go:build linux

package acceptance_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// service is a real program from the distribution, in the test's profile.
type service struct {
	name  string
	needs string // the executable, or a pattern of its path
	text  string // its entry in the profile; ${ADDRESS} is free, ${PORT} its port
	files map[string]string
	root  bool // it needs somebody else to be
	// workers is what the command lines of those have that a SIGHUP replaces.
	workers string
}

var services = []service{
	{
		name: "nginx", needs: "nginx", // a master with workers
		text: `command: [nginx, -p, nginx, -c, nginx.conf, -g, "daemon off;"], stopSignal: SIGQUIT,
    ready: {http: "http://${ADDRESS}/"}, health: {http: "http://${ADDRESS}/", interval: 100ms}`,
		files: map[string]string{"nginx/nginx.conf": nginxConf}, workers: "nginx",
	},
	{
		name: "daemon", needs: "nginx", // puts itself into the background
		text: `command: [nginx, -p, daemon, -c, nginx.conf], forks: true, stopSignal: SIGQUIT,
    ready: {http: "http://${ADDRESS}/"}, health: {tcp: "${ADDRESS}", interval: 100ms}`,
		files: map[string]string{"daemon/nginx.conf": nginxConf}, workers: "nginx",
	},
	{
		name: "redis", needs: "redis-server",
		text: `command: [redis-server, --bind, 127.0.0.1, --port, "${PORT}", --save, ""],
    ready: {logLine: "Ready to accept connections"}, health: {exec: [redis-cli, -p, "${PORT}", ping], interval: 100ms}`,
	},
	{
		name: "postgres", needs: "/usr/lib/postgresql/*/bin/postgres", root: true,
		text: `command: ["${POSTGRES}/postgres", -D, data, -c, "listen_addresses=127.0.0.1", -p, "${PORT}", -c, "unix_socket_directories="],
    user: postgres, workingDirectory: postgres, stopSignal: SIGINT,
    hooks: {preStart: [/bin/sh, -c, "test -d data || ${POSTGRES}/initdb -D data"]},
    ready: {exec: ["${POSTGRES}/pg_isready", -h, 127.0.0.1, -p, "${PORT}"]}, health: {tcp: "${ADDRESS}", interval: 100ms}`,
	},
	{
		name: "node", needs: "node",
		text: `command: [node, -e, "require('http').createServer((q, r) => r.end('hello')).listen(${PORT}, '127.0.0.1')"],
    ready: {http: "http://${ADDRESS}/"}, health: {http: "http://${ADDRESS}/", interval: 100ms}`,
	},
	{
		name: "python", needs: "python3",
		text: `command: [python3, -m, http.server, "${PORT}", --bind, 127.0.0.1],
    ready: {tcp: "${ADDRESS}"}, health: {http: "http://${ADDRESS}/", interval: 100ms}`,
	},
}

const nginxConf = `pid nginx.pid; error_log stderr; worker_processes 2;
events {}
http {
	access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
	server { listen ${ADDRESS}; location / { return 200 "hello"; } }
}
`

// Issue 3: real programs under one profile are started, probed, reloaded,
// killed, restarted and stopped, with nothing left.
func TestRealPrograms(t *testing.T) {
	t.Parallel()
	p, names := programs(t)
	p.run()
	p.ready()
	p.running(names...)
	p.healthy(names...)
	for _, name := range names {
		p.reloadOne(name)
	}
	p.healthy(names...)
	p.reloadLive()
	for _, s := range services {
		if s.workers != "" && slices.Contains(names, s.name) {
			p.reloadBySignal(s)
		}
	}
	for _, name := range names {
		g := p.of(name).Generation
		p.strike(name, syscall.SIGKILL)
		p.generation(name, g+1)
	}
	p.must(append([]string{"restart"}, names...)...)
	p.healthy(names...)
	p.must("stop", "--all")
	for name, i := range p.ps() {
		if i.Status != "stopped" || i.LastExit.Signal == "SIGKILL" {
			t.Errorf("%s: %v", name, i)
		}
	}
	p.none()
}

// programs makes the profile of all services whose programs are installed.
func programs(t *testing.T) (p *peerd, names []string) {
	t.Helper()
	p = prepare(t, "")
	if err := os.Chmod(p.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	body.WriteString("defaults: {workingDirectory: ., restart: {delay: 50ms}}\ncomponents:\n")
	for _, s := range services {
		if why := s.missing(); why != "" {
			t.Logf("%s is left out: %s", s.name, why)
			continue
		}
		address := freeAddress(t)
		expand := strings.NewReplacer("${ADDRESS}", address, "${PORT}", address[strings.LastIndexByte(address, ':')+1:], "${POSTGRES}", postgresBin())
		fmt.Fprintf(&body, "  %s: {%s}\n", s.name, expand.Replace(s.text))
		p.folder(s)
		for file, text := range s.files {
			p.put(file, expand.Replace(text))
		}
		names = append(names, s.name)
	}
	if len(names) == 0 {
		t.Skip("none of the programs is installed; see .ci/programs")
	}
	p.env[0] += ":/usr/sbin:/sbin"
	p.write(body.String())
	return p, names
}

func (s service) missing() string {
	if s.root && os.Geteuid() != 0 {
		return "only root can start it as its own user"
	}
	if strings.Contains(s.needs, "*") {
		if found, _ := filepath.Glob(s.needs); len(found) == 0 {
			return s.needs + " is not installed"
		}
		return ""
	}
	if _, err := exec.LookPath(s.needs); err != nil {
		return s.needs + " is not installed"
	}
	return ""
}

func postgresBin() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}

// folder makes a service's own folder, which its own user owns.
func (p *peerd) folder(s service) {
	p.t.Helper()
	dir := p.path(s.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if !s.root {
		return
	}
	u, err := user.Lookup(s.name)
	if err != nil {
		p.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	if err := os.Chown(dir, uid, -1); err != nil {
		p.t.Fatal(err)
	}
}

// healthy waits until the health check of each instance has passed.
func (p *peerd) healthy(names ...string) {
	p.t.Helper()
	p.waitFor(fmt.Sprint(names, " healthy"), func() bool {
		good := 0
		for _, r := range p.timings() {
			if r.Health == "healthy" && slices.Contains(names, r.Name) {
				good++
			}
		}
		return good == len(names)
	})
}

// reloadLive changes what can change under running programs: none is touched.
func (p *peerd) reloadLive() {
	p.t.Helper()
	text, err := os.ReadFile(p.profile)
	if err != nil {
		p.t.Fatal(err)
	}
	before := p.pids()
	p.put("profile.yaml", strings.Replace(string(text), "restart: {delay: 50ms}", "componentStopWaitTime: 20s, restart: {delay: 60ms}", 1))
	p.must("reload")
	if now := p.pids(); !maps.Equal(now, before) {
		p.t.Errorf("a change of what is live: were %v and are %v", before, now)
	}
}

// reloadBySignal has a master read its configuration anew: its workers are
// others then, and it is the same.
func (p *peerd) reloadBySignal(s service) {
	p.t.Helper()
	master, old := p.of(s.name), p.workers(s)
	if len(old) < 2 {
		p.t.Fatalf("%s has the workers %v", s.name, old)
	}
	p.must("kill", "--signal", "HUP", s.name)
	p.waitFor(s.name+" has other workers", func() bool {
		now := p.workers(s)
		return len(now) == len(old) && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(old, pid) })
	})
	if now := p.of(s.name); now.Pid != master.Pid || now.Generation != master.Generation || now.Status != "running" {
		p.t.Errorf("%s: was %v and is %v", s.name, master, now)
	}
}

// workers are the pids of a service's tree but for the leader's.
func (p *peerd) workers(s service) (pids []int) {
	p.t.Helper()
	var detail struct {
		Pid  int
		Tree []struct {
			Pid     int
			Command string
		}
	}
	p.decode(p.must("get", s.name, "-o", "json"), &detail)
	for _, m := range detail.Tree {
		if m.Pid != detail.Pid && strings.Contains(m.Command, s.workers) {
			pids = append(pids, m.Pid)
		}
	}
	return pids
}

// reloadOne changes one service in the profile: it alone is started anew.
func (p *peerd) reloadOne(name string) {
	p.t.Helper()
	text, err := os.ReadFile(p.profile)
	if err != nil {
		p.t.Fatal(err)
	}
	before := p.pids()
	p.put("profile.yaml", strings.Replace(string(text), "  "+name+": {", "  "+name+": {env: {CHANGED: y}, ", 1))
	p.must("reload")
	p.generation(name, before[name][1]+1)
	now := p.pids()
	delete(before, name)
	delete(now, name)
	if !maps.Equal(now, before) {
		p.t.Errorf("a change of %s: the others were %v and are %v", name, before, now)
	}
}
