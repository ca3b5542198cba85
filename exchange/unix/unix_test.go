package unix_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect gives both ends of a channel over a socket of the file system.
func connect(t testing.TB) (a, b *unix.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "xu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := unix.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	a, err = unix.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// run makes endpoints of both ends.
func run(t testing.TB, a, b exchange.Channel, m *exchange.Mux) *exchange.Endpoint {
	t.Helper()
	caller, answerer := exchange.NewEndpoint(a, exchange.Options{}), exchange.NewEndpoint(b, exchange.Options{Handlers: m})
	for _, e := range []*exchange.Endpoint{caller, answerer} {
		go func() { _ = e.Run(context.Background()) }()
	}
	t.Cleanup(func() {
		_ = caller.Close()
		<-caller.Done()
		<-answerer.Done()
	})
	return caller
}

func echo() *exchange.Mux {
	m := &exchange.Mux{}
	m.Handle("ECHO", func(_ context.Context, r *exchange.Request) (any, error) { return r.Payload, nil })
	return m
}

func TestACommandIsAnswered(t *testing.T) {
	a, b := connect(t)
	caller := run(t, a, b, echo())
	for _, text := range []string{"", "x", strings.Repeat("y", 1<<20)} {
		cmd, err := exchange.NewCommand("ECHO", map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := caller.Call(t.Context(), cmd)
		if err != nil || reply.Status != exchange.Succeeded || string(reply.Payload) != string(cmd.Payload) {
			t.Errorf("%d bytes: got %d bytes, %v", len(text), len(reply.Payload), err)
		}
	}
}

// What is too large is refused to its sender; the channel lives on.
func TestAFrameOverTheBoundIsRefused(t *testing.T) {
	a, b := connect(t)
	caller := run(t, a, b, echo())
	cmd, err := exchange.NewCommand("ECHO", strings.Repeat("z", unix.MaxFrame))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := caller.Call(t.Context(), cmd); !errors.Is(err, exchange.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	cmd, _ = exchange.NewCommand("ECHO", "small")
	if _, err := caller.Call(t.Context(), cmd); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A length over the bound ends the channel before anything is allocated.
func TestAnAnnouncementOverTheBoundEndsTheChannel(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	c := unix.New(there)
	defer c.Close()
	go func() { _, _ = here.Write(binary.BigEndian.AppendUint32(nil, unix.MaxFrame+1)) }()
	if _, err := c.Recv(); !errors.Is(err, exchange.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// A channel goes over with what it has received and nobody has looked at.
func TestAChannelIsHandedOver(t *testing.T) {
	a, b := connect(t)
	for _, id := range []string{"1", "2", "3"} {
		if err := a.Send(exchange.Frame{Command: &exchange.Command{ID: id, Type: "ECHO"}}); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := b.Recv(); err != nil || f.Command.ID != "1" {
		t.Fatalf("%+v, %v", f, err)
	}
	file, unread, err := b.File()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := unix.FileConn(file, unread)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := a.Send(exchange.Frame{Command: &exchange.Command{ID: "4", Type: "ECHO"}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"2", "3", "4"} {
		if f, err := next.Recv(); err != nil || f.Command.ID != id {
			t.Errorf("%+v, %v; want %s", f, err, id)
		}
	}
	if err := next.Send(exchange.Frame{Reply: &exchange.Reply{CommandID: "4", Status: exchange.Succeeded}}); err != nil {
		t.Fatal(err)
	}
	if f, err := a.Recv(); err != nil || f.Reply == nil || f.Reply.CommandID != "4" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestCloseEndsBothSides(t *testing.T) {
	a, b := connect(t)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := a.Recv(); !errors.Is(err, exchange.ErrClosed) {
		t.Errorf("this side: %v, want ErrClosed", err)
	}
	if _, err := b.Recv(); err == nil {
		t.Error("the other side still receives")
	}
}

func FuzzRecv(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x25{\"command\":{\"id\":\"1\",\"type\":\"ECHO\"}}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		here, there := net.Pipe()
		c := unix.New(there)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = here.Write(b)
			_ = here.Close()
		}()
		for {
			if _, err := c.Recv(); err != nil {
				break
			}
		}
		_ = c.Close()
		<-done
	})
}

func BenchmarkCall(b *testing.B) {
	x, y := connect(b)
	caller := run(b, x, y, echo())
	for b.Loop() {
		cmd, _ := exchange.NewCommand("ECHO", nil)
		if _, err := caller.Call(b.Context(), cmd); err != nil {
			b.Fatal(err)
		}
	}
}
