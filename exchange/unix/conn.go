package unix

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"

	"github.com/seed-04209a44/peerd/exchange"
)

// MaxFrame is the most bytes that one frame's JSON may have.
const MaxFrame = 4 << 20

// headerSize is the length before each frame.
const headerSize = 4

// keepBuffer is up to which size a buffer is kept for the next frame.
const keepBuffer = 64 << 10

// envelope is a frame's JSON.
type envelope struct {
	Command *exchange.Command `json:"command,omitempty"`
	Reply   *exchange.Reply   `json:"reply,omitempty"`
}

// Conn is an exchange.Channel over one socket.
type Conn struct {
	socket net.Conn
	in     *bufio.Reader
	frame  []byte // of Recv

	send sync.Mutex // one frame at a time
}

// New makes a channel of a connected stream socket, which belongs to it from
// now on.
func New(socket net.Conn) *Conn {
	return &Conn{socket: socket, in: bufio.NewReader(socket)}
}

// File returns a duplicate of the socket, to be handed to the next program that
// this one becomes, and what was received but not yet returned by Recv. Nobody
// may be in Recv or Send; afterwards only Close may be called.
func (c *Conn) File() (f *os.File, unread []byte, err error) {
	socket, ok := c.socket.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, nil, errors.New("cannot hand over a channel that is no socket of the kernel's")
	}
	if f, err = socket.File(); err != nil {
		return nil, nil, fmt.Errorf("cannot hand over the channel: %w", err)
	}
	unread, err = c.in.Peek(c.in.Buffered())
	return f, bytes.Clone(unread), err
}

// FileConn is the channel that File has handed over. It closes f.
func FileConn(f *os.File, unread []byte) (*Conn, error) {
	defer f.Close()
	socket, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use the inherited file as a channel: %w", err)
	}
	c := New(socket)
	if len(unread) > 0 {
		c.in = bufio.NewReader(io.MultiReader(bytes.NewReader(unread), socket))
	}
	return c, nil
}

// Send implements exchange.Channel.
func (c *Conn) Send(f exchange.Frame) error {
	text, err := json.Marshal(envelope(f))
	if err != nil {
		return fmt.Errorf("cannot encode a frame: %w", err)
	}
	if len(text) > MaxFrame {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", exchange.ErrTooLarge, len(text), MaxFrame)
	}
	c.send.Lock()
	defer c.send.Unlock()
	if _, err := c.socket.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)); err != nil {
		return closedOr(err)
	}
	return nil
}

// Recv implements exchange.Channel.
func (c *Conn) Recv() (exchange.Frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return exchange.Frame{}, closedOr(err)
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > MaxFrame {
		return exchange.Frame{}, fmt.Errorf("%w: the other side announces %d bytes, at most %d are allowed", exchange.ErrTooLarge, size, MaxFrame)
	}
	if cap(c.frame) > keepBuffer {
		c.frame = nil
	}
	c.frame = slices.Grow(c.frame[:0], int(size))[:size]
	if _, err := io.ReadFull(c.in, c.frame); err != nil {
		return exchange.Frame{}, closedOr(err)
	}
	var e envelope
	if err := json.Unmarshal(c.frame, &e); err != nil {
		return exchange.Frame{}, fmt.Errorf("cannot read a frame: %w", err)
	}
	return exchange.Frame(e), nil
}

// Close implements exchange.Channel.
func (c *Conn) Close() error {
	err := c.socket.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// closedOr names the error of a socket that this side has closed as the
// exchange does.
func closedOr(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return exchange.ErrClosed
	}
	return err
}
