package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles"
)

func ptr(n uint32) *uint32 { return &n }

func TestAccessRules(t *testing.T) {
	self := uint32(os.Geteuid())
	stranger := api.Credentials{UID: self + 1000, GID: 65534, Groups: []uint32{7, 8}, Pid: 77, Comm: "ccpc"}
	for _, tc := range []struct {
		name  string
		rules []profiles.AccessRule
		cred  api.Credentials
		want  control.Role
	}{
		{"root", nil, api.Credentials{UID: 0}, control.Admin},
		{"the peer's own user", nil, api.Credentials{UID: self}, control.Admin},
		{"the peer's own user, named lower", []profiles.AccessRule{{UID: &self, Role: "viewer"}}, api.Credentials{UID: self}, control.Viewer},
		{"a stranger", nil, stranger, control.NoRole},
		{"by user", []profiles.AccessRule{{UID: ptr(self + 1000), Role: "viewer"}}, stranger, control.Viewer},
		{"another user's rule", []profiles.AccessRule{{UID: ptr(1), Role: "admin"}}, stranger, control.NoRole},
		{"by first group", []profiles.AccessRule{{GID: ptr(65534), Role: "operator"}}, stranger, control.Operator},
		{"by supplementary group", []profiles.AccessRule{{GID: ptr(8), Role: "operator"}}, stranger, control.Operator},
		{"the highest of several", []profiles.AccessRule{{GID: ptr(8), Role: "admin"}, {UID: ptr(self + 1000), Role: "viewer"}}, stranger, control.Admin},
		{"a rule that names nobody", []profiles.AccessRule{{Role: "admin"}}, stranger, control.NoRole},
	} {
		authorize, err := api.Access(tc.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got := authorize(tc.cred).Role; got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if by := (api.Credentials{UID: 5, Pid: 77, Comm: "ccpc"}).String(); by != "uid 5 pid 77 ccpc" {
		t.Errorf("by %q", by)
	}
	if _, err := api.Access([]profiles.AccessRule{{Role: "king"}}); err == nil {
		t.Error("accepts the role king")
	}
}

func TestCallerIsKnown(t *testing.T) {
	f := start(t, nil)
	if err := f.client.Call(t.Context(), control.OpGet, control.NameRequest{Name: "ticker"}, nil); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`^uid %d pid %d \S+$`, os.Getuid(), os.Getpid())
	if by := f.peer.LastBy.Load().(string); !regexp.MustCompile(want).MatchString(by) {
		t.Errorf("by %q, want %s", by, want)
	}
}

// TestRoles: each operation is open to its role and refused to the one below,
// before the request is looked at.
func TestRoles(t *testing.T) {
	var role control.Role
	f := start(t, func(o *api.Options) {
		o.Authorize = func(api.Credentials) control.Caller { return control.Caller{Role: role, By: "a test"} }
	})
	for _, op := range control.Operations() {
		path := strings.ReplaceAll(op.Path, "{name}", "nobody")
		role = op.Role
		if resp, body := f.do(t, op.Method, path+"?bad", ""); resp.StatusCode == http.StatusForbidden {
			t.Errorf("%s refused to %v: %s", op.Type, role, body)
		}
		role--
		resp, body := f.do(t, op.Method, path+"?bad", "")
		if resp.StatusCode != http.StatusForbidden || errorOf(t, body).Code != control.CodeRefused {
			t.Errorf("%s open to %v: %d %s", op.Type, role, resp.StatusCode, body)
		}
	}
	role = control.NoRole
	for _, path := range []string{"/metrics", "/docs", "/openapi.json", "/healthz", "/nowhere"} {
		if resp, _ := f.do(t, "GET", path, ""); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s open to nobody: %d", path, resp.StatusCode)
		}
	}
}

// TestSecondUser runs a client as another user, where the file modes let it in:
// only the rules decide.
func TestSecondUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as another user")
	}
	for _, tc := range []struct {
		name  string
		rules []profiles.AccessRule
		want  string // what it may do: list, restart
	}{
		{"no rule", nil, "refused refused"},
		{"viewer", []profiles.AccessRule{{UID: ptr(65534), Role: "viewer"}}, "ok refused"},
		{"operator by a supplementary group", []profiles.AccessRule{{GID: ptr(4321), Role: "operator"}}, "ok ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			authorize, err := api.Access(tc.rules)
			if err != nil {
				t.Fatal(err)
			}
			f := start(t, func(o *api.Options) { o.Authorize = authorize })
			dir := filepath.Dir(f.socket)
			for _, name := range []string{filepath.Dir(dir), dir, f.socket} {
				if err := os.Chmod(name, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			out := runAs(t, dir, f.socket, &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{4321}})
			if out != tc.want {
				t.Errorf("list and restart: %q, want %q", out, tc.want)
			}
		})
	}
}

// clientEnv makes this test binary a client of the socket it names.
const clientEnv = "API_TEST_CLIENT_OF"

// runAs runs this binary as a client with other credentials.
func runAs(t *testing.T, dir, socket string, cred *syscall.Credential) string {
	t.Helper()
	binary := filepath.Join(dir, "client") // where the other user may execute it
	if err := os.Link(executable(t), binary); err != nil {
		copyFile(t, executable(t), binary)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = []string{clientEnv + "=" + socket, "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// clientMain prints what happens to a list and to a restart.
func clientMain(socket string) {
	c := api.NewClient(socket)
	defer c.Close()
	verdict := func(err error) string {
		var e *control.Error
		if errors.As(err, &e) {
			return string(e.Code)
		}
		return "ok"
	}
	ctx, cancel := clientContext()
	defer cancel()
	list := c.Call(ctx, control.OpPs, nil, nil)
	restart := c.Call(ctx, control.OpRestart, control.ActRequest{Selection: control.Selection{Names: []string{"ticker"}}}, nil)
	fmt.Print(verdict(list), " ", verdict(restart))
}

func executable(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLoopback: over TCP the caller is the user who owns the other socket, and
// pages of other places get nothing.
func TestLoopback(t *testing.T) {
	f := start(t, nil)
	l, err := api.ListenLoopback("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var seen api.Credentials
	serve(t, api.NewServer(api.Options{Commands: f.mux, Authorize: func(c api.Credentials) control.Caller {
		seen = c
		return control.Caller{Role: control.Admin, By: c.String()}
	}}), l)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(method, path string, header ...string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				r.Host = header[i+1]
			}
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := get("GET", "/v1/components"); got != 200 || seen.UID != uint32(os.Getuid()) {
		t.Errorf("status %d, caller %v", got, seen)
	}
	if got := get("GET", "/v1/components", "Host", "evil.example"); got != 403 {
		t.Errorf("for the host evil.example: %d", got)
	}
	if got := get("POST", "/v1/components/ticker/stop", "Origin", "https://evil.example"); got != 403 {
		t.Errorf("from the origin evil.example: %d", got)
	}
	if got := get("POST", "/v1/components/ticker/stop", "Origin", "http://"+l.Addr().String()); got != 200 {
		t.Errorf("from its own origin: %d", got)
	}
}
