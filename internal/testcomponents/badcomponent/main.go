// Command badcomponent is every component that a peer must survive. Its one
// argument (or BAD_MODE) chooses how it misbehaves; modes has them all. It is
// for tests only.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream"
)

// modes by name. Those that speak CCP properly up to a point do so through
// good or answer.
var modes = map[string]func(){
	"rubbish":         rubbish,        // prints something else than a handshake
	"silent":          silent,         // prints nothing at all
	"long-line":       longLine,       // a first line of 200 KiB
	"no-newline":      noNewline,      // 200 KiB without a newline, then nothing
	"early-exit":      earlyExit,      // ends with 3 before its handshake
	"transport":       transport,      // a transport version nobody speaks
	"tcp":             tcp,            // a TCP address
	"outside":         outside,        // a socket outside its folder
	"symlink":         symlink,        // a symbolic link in its folder to a socket elsewhere
	"stranger":        stranger,       // a socket in its folder that another process listens on
	"versions":        versions,       // protocol versions that do not overlap
	"unserved":        unserved,       // a socket that nobody serves
	"deaf":            deaf,           // opens its stream, answers nothing
	"flood":           flood,          // 200 KiB without newline on its real stdout, after the handshake
	"json-log":        jsonLog,        // log lines that make a careless parser panic
	"dies-in-command": diesInCommand,  // SIGKILLs itself while it handles DIE
	"grandchild":      grandchild,     // leaves a child that holds stdout and stderr, and ends with 37
	"illegal-state":   illegalState,   // reports COMPONENT_STOP_CLEANUP first
	"panics":          panics,         // panics in Execute
	"fails":           fails,          // an error in Execute
	"fails-configure": failsConfigure, // an error in Configure
	"no-execution":    noExecution,    // stays in COMPONENT_START
	"ignores-stop":    ignoresStop,    // acknowledges INITIATE_SHUTDOWN and goes on, SIGTERM too
	"completes":       completes,      // its work is done at once
	"serves-late":     servesLate,     // no CCP: listens when the file `go` is there
	"notifies-late":   notifiesLate,   // no CCP: says READY=1 when the file `go` is there
	"asked":           askedFor,       // harmless: its stats count how often they were asked for
	"env":             env,            // prints the names of its environment variables
	"bare":            bare,           // no CCP at all: a bare gRPC stream that echoes, for benchmarks
	"severed":         severed,        // shuts its sockets down in COMPONENT_EXECUTION and lives on
	"stuck-configure": stuckConfigure, // stays in COMPONENT_CONFIGURATION
	"slow-configure":  slowConfigure,  // reports progress for as long as BAD_FOR says, then goes on
	"exit":            exits,          // ends with 37 in COMPONENT_EXECUTION
}

func main() {
	mode := os.Getenv("BAD_MODE")
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	do, ok := modes[mode]
	if !ok {
		fmt.Fprintf(os.Stderr, "unknown mode %q; modes: %s\n", mode, strings.Join(slices.Sorted(maps.Keys(modes)), ", "))
		os.Exit(2)
	}
	do()
}

// Before or instead of a handshake.

func rubbish() {
	fmt.Println("Welcome to \x1b[31mrubbish\x1b[0m 1.0!")
	wait()
}

func silent() { wait() }

func longLine() {
	_, _ = os.Stdout.Write(append(bytes.Repeat([]byte("x"), 200<<10), '\n'))
	wait()
}

func noNewline() {
	_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), 200<<10))
	wait()
}

func earlyExit() {
	fmt.Fprintln(os.Stderr, "cannot open the database")
	os.Exit(3)
}

func transport() { greet(99, "unix", filepath.Join(socketDir(), "s")) }

func tcp() { greet(1, "tcp", "127.0.0.1:1") }

func outside() {
	dir, err := os.MkdirTemp("", "bad")
	must(err)
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "s")
	listen(path)
	greet(1, "unix", path)
}

func symlink() {
	dir, err := os.MkdirTemp("", "bad")
	must(err)
	listen(filepath.Join(dir, "s"))
	link := filepath.Join(socketDir(), "link")
	must(os.Symlink(filepath.Join(dir, "s"), link))
	greet(1, "unix", link)
}

func unserved() {
	path := filepath.Join(socketDir(), "s")
	listen(path)
	greet(1, "unix", path)
}

func stranger() {
	if path := os.Getenv("BAD_LISTEN"); path != "" {
		listen(path)
		fmt.Println("listening")
		wait()
	}
	path := filepath.Join(socketDir(), "s")
	child := exec.Command(os.Args[0], os.Args[1:]...)
	child.Env = append(os.Environ(), "BAD_LISTEN="+path)
	out, err := child.StdoutPipe()
	must(err)
	must(child.Start())
	_, err = out.Read(make([]byte, 16))
	must(err)
	greet(1, "unix", path)
}

func listen(path string) net.Listener {
	l, err := net.Listen("unix", path)
	must(err)
	return l
}

func socketDir() string { return os.Getenv("PLUGIN_UNIX_SOCKET_DIR") }

// greet prints a handshake line and waits for the end.
func greet(version int, network, address string) {
	fmt.Printf("1|%d|%s|%s|grpc\n", version, network, address)
	wait()
}

// wait blocks until a signal that ends the process.
func wait() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}

// A stream of its own making.

func versions() {
	serve(func(e exchange.Command) (any, bool) {
		return ccp.HandshakeAck{MinVersionSupported: "7.0", MaxVersionSupported: "7.3", Comment: "too new for you"}, true
	})
}

func deaf() { serve(func(exchange.Command) (any, bool) { return nil, false }) }

func illegalState() {
	serveThen(func(cmd exchange.Command) (any, bool) {
		if cmd.Type != ccp.TypeHandshake {
			return ccp.Empty{}, true
		}
		return ccp.HandshakeAck{MinVersionSupported: "1.0", MaxVersionSupported: "1.0", CCPSupported: true}, true
	}, func(send func(exchange.Command)) {
		payload, err := json.Marshal(ccp.StatusEvent{StatusType: ccp.Information, State: "COMPONENT_STOP_CLEANUP", OperationScope: ccp.ScopeStop})
		must(err)
		send(exchange.Command{ID: "1", Type: ccp.TypeStatus, Payload: payload})
	})
}

func serve(answer func(exchange.Command) (any, bool)) { serveThen(answer, nil) }

// serveThen speaks gRPC without the SDK: it answers each command as answer
// says, and after the first one calls then.
func serveThen(answer func(exchange.Command) (any, bool), then func(send func(exchange.Command))) {
	path := filepath.Join(socketDir(), "s")
	l := listen(path)
	options := append(stream.ServerOptions(stream.Options{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(s)
		fmt.Fprintf(os.Stderr, "unexpected call: %s\n", method)
		return nil
	}))
	server := grpc.NewServer(options...)
	stream.Register(server, stream.Options{}, func(_ context.Context, ch exchange.Channel) error {
		for {
			f, err := ch.Recv()
			if err != nil {
				return nil
			}
			if f.Command == nil {
				fmt.Fprintf(os.Stderr, "reply: %s %s\n", f.Reply.Status, f.Reply.ErrorDetails)
				continue
			}
			v, ok := answer(*f.Command)
			if !ok {
				continue
			}
			payload, err := json.Marshal(v)
			must(err)
			must(ch.Send(exchange.Frame{Reply: &exchange.Reply{
				CommandID: f.Command.ID, Type: f.Command.Type, Status: exchange.Succeeded, Payload: payload,
			}}))
			if then != nil {
				then(func(c exchange.Command) { must(ch.Send(exchange.Frame{Command: &c})) })
				then = nil
			}
		}
	})
	go func() { must(server.Serve(l)) }()
	greet(1, "unix", path)
}

// bare is what a command round trip is measured against.
func bare() {
	path := filepath.Join(socketDir(), "s")
	l := listen(path)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		for {
			var m wrapperspb.BytesValue
			if err := s.RecvMsg(&m); err != nil {
				return nil
			}
			if err := s.SendMsg(&m); err != nil {
				return err
			}
		}
	}))
	go func() { must(server.Serve(l)) }()
	greet(1, "unix", path)
}

// With the SDK, wrong only in one point.

// work is a component made of functions.
type work struct {
	execute   func(ctx context.Context) error
	configure func() error
	start     func(ctx context.Context) error
	command   func(typ string) error
}

func (w work) Execute(ctx context.Context) error {
	if w.execute == nil {
		<-ctx.Done()
		return nil
	}
	return w.execute(ctx)
}

func (w work) Configure(context.Context, *component.Config) error {
	if w.configure == nil {
		return nil
	}
	return w.configure()
}

func (w work) Start(ctx context.Context) error {
	if w.start == nil {
		return nil
	}
	return w.start(ctx)
}

func (w work) HandleCommand(_ context.Context, typ string, _ json.RawMessage, _ func(any) error) (any, error) {
	if w.command == nil {
		return nil, component.ErrUnknownCommand
	}
	return nil, w.command(typ)
}

func good(w work) { component.Main(component.Info{Name: "bad", Version: "1.0"}, w) }

func flood() {
	good(work{execute: func(ctx context.Context) error {
		_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), 200<<10))
		<-ctx.Done()
		return nil
	}})
}

func env() {
	good(work{execute: func(ctx context.Context) error {
		for _, entry := range os.Environ() {
			name, _, _ := strings.Cut(entry, "=")
			fmt.Println(name)
		}
		fmt.Println("that is all")
		<-ctx.Done()
		return nil
	}})
}

func jsonLog() {
	good(work{execute: func(ctx context.Context) error {
		fmt.Fprintln(os.Stderr, `{"@message":42,"@level":[],"@timestamp":7}`)
		<-ctx.Done()
		return nil
	}})
}

func diesInCommand() {
	good(work{command: func(typ string) error {
		if typ != "DIE" {
			return component.ErrUnknownCommand
		}
		must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {}
	}})
}

func grandchild() {
	good(work{execute: func(context.Context) error {
		child := exec.Command("/bin/sleep", "600")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		must(child.Start())
		os.Exit(37)
		return nil
	}})
}

func panics() { good(work{execute: func(context.Context) error { panic("on purpose") }}) }

func fails() {
	good(work{execute: func(context.Context) error { return fmt.Errorf("the disk is gone") }})
}

func failsConfigure() {
	good(work{configure: func() error { return fmt.Errorf("url: is empty") }})
}

func noExecution() {
	good(work{start: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}})
}

func ignoresStop() { good(work{execute: func(context.Context) error { select {} }}) }

func completes() { good(work{execute: func(context.Context) error { return nil }}) }

// asked counts the questions for its stats.
type asked struct {
	work
	times atomic.Int64
}

func (a *asked) Stats() map[string]float64 {
	return map[string]float64{"asked": float64(a.times.Add(1))}
}

func askedFor() { component.Main(component.Info{Name: "bad", Version: "1.0"}, &asked{}) }

func exits() {
	good(work{execute: func(context.Context) error {
		os.Exit(37)
		return nil
	}})
}

func severed() {
	good(work{execute: func(context.Context) error {
		files, err := os.ReadDir("/proc/self/fd")
		must(err)
		for _, f := range files {
			if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
				_ = syscall.Shutdown(fd, syscall.SHUT_RDWR) // fails for what is no socket
			}
		}
		select {}
	}})
}

func stuckConfigure() { good(work{configure: func() error { select {} }}) }

func slowConfigure() {
	d, err := time.ParseDuration(os.Getenv("BAD_FOR"))
	must(err)
	end := time.Now().Add(d)
	good(work{configure: func() error {
		for time.Now().Before(end) {
			must(component.Peer().Progress(context.Background(), 0.5, "patience"))
			<-time.After(100 * time.Millisecond)
		}
		return nil
	}})
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "badcomponent:", err)
		os.Exit(4)
	}
}
