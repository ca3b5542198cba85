package standin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Session is a person's side of an attached component.
type Session struct {
	In     io.Reader // a terminal is switched to raw for the time
	Out    io.Writer
	Prefix []string // goes before the component's command line: a debugger
	Term   string   // the kind of terminal, as in $TERM
}

// Attach has the stand-in at socket become the component, on a terminal of its
// own that is connected to the session, and returns when nobody has that terminal
// open any more. When ctx ends, the terminal is hung up. In is read beyond the
// end: the program is expected to end soon after.
func Attach(ctx context.Context, socket string, s Session) error {
	master, slave, err := openTerminal()
	if err != nil {
		return fmt.Errorf("cannot make a terminal: %w", err)
	}
	defer master.Close()
	captured, err := s.occupy(ctx, socket, slave)
	if err := errors.Join(err, slave.Close()); err != nil {
		return err
	}
	defer captured.Close()
	defer context.AfterFunc(ctx, func() { _ = master.Close() })()
	restore := s.follow(master)
	defer restore()
	go func() { _, _ = io.Copy(master, s.In) }() // reading a terminal cannot be interrupted
	_, err = io.Copy(io.MultiWriter(s.Out, &capture{to: captured}), master)
	if errors.Is(err, unix.EIO) || ctx.Err() != nil {
		return context.Cause(ctx) // the last has closed the terminal, or it was hung up
	}
	return err
}

// occupy hands the terminal over, and gets the component's captured output.
func (s Session) occupy(ctx context.Context, socket string, terminal *os.File) (captured *os.File, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("cannot reach who waits there (only root and the component's user can): %w", err)
	}
	conn := c.(*net.UnixConn)
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := tell(conn, order{s.Prefix, s.Term}, int(terminal.Fd())); err != nil {
		return nil, err
	}
	var a answer
	captured, err = hear(conn, &a)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot understand the answer: %w", err)
	case a.Error != "":
		return nil, errors.New(a.Error)
	case captured == nil:
		return nil, errors.New("the captured output was not handed over")
	}
	return captured, nil
}

// follow makes the person's terminal raw and the component's one of its size.
func (s Session) follow(master *os.File) (restore func()) {
	in, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return func() {}
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return func() {}
	}
	resized, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(resized, unix.SIGWINCH)
	go func() {
		defer close(done)
		for ok := true; ok; _, ok = <-resized {
			if size, err := unix.IoctlGetWinsize(int(in.Fd()), unix.TIOCGWINSZ); err == nil {
				_ = setSize(master, size)
			}
		}
	}()
	return func() {
		signal.Stop(resized)
		close(resized)
		<-done
		_ = term.Restore(int(in.Fd()), old)
	}
}

func setSize(master *os.File, size *unix.Winsize) error {
	return control(master, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) })
}

// openTerminal makes a pair of pseudo-terminals. A read of the master ends when
// it is closed.
func openTerminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	var number int
	err = control(master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}

// control uses a file's descriptor and leaves the file as it is.
func control(f *os.File, use func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var used error
	return errors.Join(raw.Control(func(fd uintptr) { used = use(int(fd)) }), used)
}
