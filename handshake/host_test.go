package handshake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/internal/testhost"
)

const bad = "github.com/seed-04209a44/peerd/internal/testcomponents/badcomponent"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		testhost.Clean()
		os.Exit(code)
	}))
}

// Each way of being wrong before the channel is open has an error of its own,
// and hurts neither the process nor the host.
func TestConnectRefuses(t *testing.T) {
	bin := testhost.Build(t, bad)
	for _, c := range []struct {
		mode    string
		want    string // part of the error
		survive bool   // the component still runs afterwards
	}{
		{"rubbish", `got "Welcome to \x1b[31mrubbish\x1b[0m 1.0!", want "1|VERSION|unix|SOCKET|grpc"`, true},
		{"silent", "no handshake line within 300ms", true},
		{"long-line", "no handshake: got \"xxxx", true},
		{"early-exit", "the component ended before it printed a handshake line", false},
		{"transport", "this peer speaks transport version 1, the component transport version 99", true},
		{"tcp", `"tcp" address: only "unix" is accepted`, true},
		{"outside", "not in its own folder", true},
		{"symlink", "which is a symbolic link", true},
		{"unserved", "not taken the connection within 300ms", true},
		{"stranger", "is not part of the component", true},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			host := &handshake.Host{Dir: testhost.Dir(t), Timeout: 10 * time.Second}
			if c.mode == "silent" || c.mode == "unserved" {
				host.Timeout = 300 * time.Millisecond
			}
			child := testhost.Start(t, host.Env(), bin, c.mode)
			conn, err := host.Connect(t.Context(), child)
			if err == nil {
				_ = conn.Close()
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want one with %q", err, c.want)
			}
			if ended := exited(child); ended == c.survive {
				t.Errorf("the component has ended: %v", ended)
			}
		})
	}
}

func exited(c *testhost.Child) bool {
	select {
	case <-c.Exited():
		return true
	default:
		return false
	}
}

func TestConnectHeedsItsContext(t *testing.T) {
	host := &handshake.Host{Dir: testhost.Dir(t), Timeout: time.Hour}
	child := testhost.Start(t, host.Env(), testhost.Build(t, bad), "silent")
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
	if _, err := host.Connect(ctx, child); !errors.Is(err, enough) {
		t.Errorf("error %v, want %v", err, enough)
	}
}

func TestConnectEndsWithTheProcess(t *testing.T) {
	host := &handshake.Host{Dir: testhost.Dir(t), Timeout: time.Hour}
	child := testhost.Start(t, host.Env(), testhost.Build(t, bad), "silent")
	time.AfterFunc(50*time.Millisecond, child.Kill)
	if _, err := host.Connect(t.Context(), child); !errors.Is(err, handshake.ErrEnded) {
		t.Errorf("error %v, want %v", err, handshake.ErrEnded)
	}
}

// A connection to a component that never answers opens, as go-plugin's does:
// only the HANDSHAKE command shows it.
func TestDeafComponent(t *testing.T) {
	_, client := connect(t, "deaf")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Handshake(ctx, ccp.Handshake{MinVersionSupported: "1.0", MaxVersionSupported: "1.0"}); err == nil {
		t.Error("a deaf component answered")
	}
}

func TestNoCommonProtocolVersion(t *testing.T) {
	_, client := connect(t, "versions")
	ack, err := client.Handshake(t.Context(), ccp.Handshake{MinVersionSupported: "1.0", MaxVersionSupported: "1.0"})
	if err != nil || ack.CCPSupported {
		t.Fatalf("%+v, %v", ack, err)
	}
	theirs, err := handshake.Parse(ack.MinVersionSupported, ack.MaxVersionSupported)
	if err != nil {
		t.Fatal(err)
	}
	_, err = handshake.Agree(handshake.GateProtocol, handshake.Supported(), theirs)
	var mismatch *handshake.MismatchError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "7.0..7.3") || !strings.Contains(err.Error(), "1.0..1.0") {
		t.Errorf("error %v", err)
	}
}

// A component that dies while it handles a command fails that command at once.
func TestDeathInCommand(t *testing.T) {
	child, client := connect(t, "dies-in-command")
	if _, err := client.Handshake(t.Context(), ccp.Handshake{MinVersionSupported: "1.0", MaxVersionSupported: "1.0"}); err != nil {
		t.Fatal(err)
	}
	if err := client.Do(t.Context(), "DIE", nil, nil); !errors.Is(err, exchange.ErrClosed) {
		t.Errorf("error %v, want %v", err, exchange.ErrClosed)
	}
	if code := child.ExitCode(t); code != -1 {
		t.Errorf("exit code %d", code)
	}
}

// connect opens a channel to a bad component and speaks on it.
func connect(t *testing.T, mode string) (*testhost.Child, *ccp.Client) {
	t.Helper()
	host := &handshake.Host{Dir: testhost.Dir(t)}
	child := testhost.Start(t, host.Env(), testhost.Build(t, bad), mode)
	conn, err := host.Connect(t.Context(), child)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := exchange.NewEndpoint(conn, exchange.Options{})
	go func() { _ = endpoint.Run(context.Background()) }()
	t.Cleanup(func() {
		_ = endpoint.Close()
		<-endpoint.Done()
		if err := conn.Wait(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(host.Dir); len(left) > 1 {
			t.Errorf("more than the component's socket is left: %v", left)
		}
	})
	return child, ccp.NewClient(endpoint)
}

// Of all that go-plugin's client would call, nothing reaches the component, not
// even when the connection is closed: Shutdown would end it.
func TestOnlyTheChannelIsCalled(t *testing.T) {
	host := &handshake.Host{Dir: testhost.Dir(t)}
	child := testhost.Start(t, host.Env(), testhost.Build(t, bad), "versions")
	conn, err := host.Connect(t.Context(), child)
	if err != nil {
		t.Fatal(err)
	}
	hello := ccp.Handshake{MinVersionSupported: "1.0", MaxVersionSupported: "1.0"}
	for range 2 { // the second shows that the first one's end did no harm
		endpoint := exchange.NewEndpoint(conn, exchange.Options{})
		go func() { _ = endpoint.Run(context.Background()) }()
		if _, err := ccp.NewClient(endpoint).Handshake(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		_ = endpoint.Close()
		<-endpoint.Done()
		if err := conn.Wait(); err != nil {
			t.Error(err)
		}
		if conn, err = host.Attach(t.Context(), child, conn.Address(), conn.Version()); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close()
	if err := conn.Wait(); err != nil {
		t.Error(err)
	}
	if text := child.Stderr().String(); strings.Contains(text, "unexpected call") {
		t.Error(text)
	}
}

// A component that is stopped like a debugger stops it delays nobody but
// those who wait for it, and a connection to it can be closed.
func TestFrozenComponent(t *testing.T) {
	child, client := connect(t, "versions")
	hello := ccp.Handshake{MinVersionSupported: "1.0", MaxVersionSupported: "1.0"}
	if _, err := client.Handshake(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	child.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Handshake(ctx, hello); err == nil {
		t.Error("a frozen component answered")
	}
	// connect's cleanup closes the connection while the component is frozen.
}

func TestHostRefusesAnUnsafeFolder(t *testing.T) {
	open := testhost.Dir(t)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(testhost.Dir(t), "link")
	if err := os.Symlink(testhost.Dir(t), link); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"relative":                        "absolute",
		"/" + strings.Repeat("long/", 20): "shorter",
		open:                              "0700",
		link:                              "no folder",
		filepath.Join(open, "none"):       "no such file",
	} {
		if err := (&handshake.Host{Dir: dir}).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", dir, err, want)
		}
	}
}
