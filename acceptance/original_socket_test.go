//go:build linux

package acceptance_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 has it
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// rawSocket is a WebSocket by hand, as strict as the library of the programs that
// ours have to work with: it shares no code with what is tested.
type rawSocket struct {
	conn   net.Conn
	in     *bufio.Reader
	client bool       // it masks what it sends, and expects nothing masked
	mu     sync.Mutex // one frame at a time
}

// Opcodes of RFC 6455, and the largest frame that the other programs take.
const (
	opContinue, opText, opBinary, opClose, opPing, opPong = 0, 1, 2, 8, 9, 10
	rawMaxFrame                                           = 65536
)

// rawClosed is the end of a rawSocket by a close frame.
type rawClosed struct{ code int }

func (e rawClosed) Error() string { return fmt.Sprintf("closed with %d", e.code) }

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 has it
	return base64.StdEncoding.EncodeToString(sum[:])
}

// rawDial upgrades with the header lines given, and returns the status of a refusal.
func rawDial(address, path string, header ...string) (*rawSocket, int, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, 0, err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "upgrade: websocket", "connection: upgrade", "sec-websocket-key: " + key,
		"host: " + address, "origin: http://" + address, "sec-websocket-version: 13",
	}, header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		return nil, 0, err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		conn.Close()
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-Websocket-Accept") != acceptKey(key) {
		conn.Close()
		return nil, resp.StatusCode, nil
	}
	return &rawSocket{conn: conn, in: in, client: true}, resp.StatusCode, nil
}

// rawAccept answers an upgrade.
func rawAccept(conn net.Conn) (*rawSocket, *http.Request, error) {
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: %s\r\n\r\n",
		acceptKey(r.Header.Get("Sec-Websocket-Key")))
	return &rawSocket{conn: conn, in: in}, r, err
}

// frame sends one frame.
func (s *rawSocket) frame(op byte, last bool, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := []byte{op, 0}
	if last {
		head[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		head[1] = byte(n)
	case n < 1<<16:
		head[1] = 126
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head[1] = 127
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	if s.client {
		head[1] |= 0x80
		mask := []byte{1, 2, 3, 4}
		head = append(head, mask...)
		masked := make([]byte, len(payload))
		for i, b := range payload {
			masked[i] = b ^ mask[i%4]
		}
		payload = masked
	}
	_, err := s.conn.Write(append(head, payload...))
	return err
}

// write sends one message in frames as large as they may be.
func (s *rawSocket) write(op byte, message []byte) error {
	for len(message) > rawMaxFrame {
		if err := s.frame(op, false, message[:rawMaxFrame]); err != nil {
			return err
		}
		op, message = opContinue, message[rawMaxFrame:]
	}
	return s.frame(op, true, message)
}

// read returns the next binary message, answering pings.
func (s *rawSocket) read() ([]byte, error) {
	var message []byte
	for {
		op, last, payload, err := s.readFrame()
		switch {
		case err != nil:
			return nil, err
		case op == opPing:
			if err := s.frame(opPong, true, payload); err != nil {
				return nil, err
			}
			continue
		case op == opPong:
			continue
		case op == opClose:
			code := 1005
			if len(payload) >= 2 {
				code = int(binary.BigEndian.Uint16(payload))
			}
			_ = s.frame(opClose, true, payload)
			return nil, rawClosed{code}
		case op == opText:
			return nil, fmt.Errorf("a text message: %.100q", payload)
		}
		if message = append(message, payload...); last {
			return message, nil
		}
	}
}

func (s *rawSocket) readFrame() (op byte, last bool, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return 0, false, nil, err
	}
	if head[0]&0x70 != 0 {
		return 0, false, nil, fmt.Errorf("reserved bits in %x: compression was not agreed", head[0])
	}
	if masked := head[1]&0x80 != 0; masked == s.client {
		return 0, false, nil, fmt.Errorf("masked %v", masked)
	}
	size := uint64(head[1] & 0x7f)
	if more := map[uint64]int{126: 2, 127: 8}[size]; more > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(s.in, long[8-more:]); err != nil {
			return 0, false, nil, err
		}
		size = binary.BigEndian.Uint64(long)
	}
	if size > rawMaxFrame {
		return 0, false, nil, fmt.Errorf("a frame of %d bytes, at most %d are taken", size, rawMaxFrame)
	}
	mask := make([]byte, 4)
	if !s.client {
		if _, err := io.ReadFull(s.in, mask); err != nil {
			return 0, false, nil, err
		}
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.in, payload)
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0] & 0x0f, head[0]&0x80 != 0, payload, err
}

// close ends the connection with a code.
func (s *rawSocket) close(code int, reason string) {
	_ = s.frame(opClose, true, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}
