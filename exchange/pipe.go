package exchange

import (
	"io"
	"sync"
)

// Pipe returns two ends of an in-memory channel: unbuffered, order-preserving,
// without serialization; frames must not be changed once sent.
func Pipe() (a, b Channel) {
	ab, ba := make(chan Frame), make(chan Frame)
	aEnd := &pipeEnd{in: ba, out: ab, closed: make(chan struct{})}
	bEnd := &pipeEnd{in: ab, out: ba, closed: make(chan struct{})}
	aEnd.other, bEnd.other = bEnd.closed, aEnd.closed
	return aEnd, bEnd
}

type pipeEnd struct {
	in     <-chan Frame
	out    chan<- Frame
	once   sync.Once
	closed chan struct{}   // this end
	other  <-chan struct{} // the other end
}

func (p *pipeEnd) Send(f Frame) error {
	select {
	case <-p.closed:
		return ErrClosed
	case <-p.other:
		return ErrClosed
	default:
	}
	select {
	case p.out <- f:
		return nil
	case <-p.closed:
		return ErrClosed
	case <-p.other:
		return ErrClosed
	}
}

func (p *pipeEnd) Recv() (Frame, error) {
	select {
	case f := <-p.in:
		return f, nil
	case <-p.closed:
		return Frame{}, ErrClosed
	case <-p.other:
		return Frame{}, io.EOF
	}
}

func (p *pipeEnd) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
