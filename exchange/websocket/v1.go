package websocket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed-04209a44/peerd/exchange"
)

// codec is one protocol: how a frame is a message.
type codec interface {
	// encode returns nil for a frame that the protocol has no message for.
	encode(exchange.Frame) ([]byte, error)
	// decode fails with a *violation.
	decode([]byte) (exchange.Frame, error)
}

// violation is a message that ends the channel, with the code to close it with.
type violation struct {
	code int
	text string
}

func (v *violation) Error() string { return v.text }

func violated(code int, format string, args ...any) error {
	return &violation{code: code, text: fmt.Sprintf(format, args...)}
}

const separator = ";;"

// v1 is the protocol of the header value "v1": t:COMMAND;;et:TYPE;;e:{json}.
type v1 struct{}

func (v1) encode(f exchange.Frame) ([]byte, error) {
	var kind, typ string
	var body any
	switch {
	case f.Command != nil:
		c := onWire(*f.Command)
		kind, typ, body = "COMMAND", c.Type, c
	case f.Reply != nil:
		r := *f.Reply
		r.Payload = orEmpty(r.Payload)
		kind, typ, body = "REPLY", r.Type, r
	default:
		return nil, nil
	}
	var b bytes.Buffer
	b.WriteString("t:")
	b.WriteString(kind)
	b.WriteString(separator + "et:")
	b.WriteString(strings.ReplaceAll(typ, separator, ";")) // the JSON has it whole
	b.WriteString(separator + "e:")
	return appendJSON(&b, body)
}

func (v1) decode(data []byte) (exchange.Frame, error) {
	kind, rest, ok := bytes.Cut(data, []byte(separator))
	if !ok || !bytes.HasPrefix(kind, []byte("t:")) {
		return exchange.Frame{}, violated(exchange.CloseProtocol, "a message begins with t:COMMAND or t:REPLY")
	}
	typ, body, ok := bytes.Cut(rest, []byte(separator))
	if !ok || !bytes.HasPrefix(typ, []byte("et:")) || !bytes.HasPrefix(body, []byte("e:")) {
		return exchange.Frame{}, violated(exchange.CloseProtocol, "a message is t:KIND;;et:TYPE;;e:{json}")
	}
	typ, body = typ[len("et:"):], body[len("e:"):]
	switch string(kind) {
	case "t:COMMAND":
		return decodeCommand(body, string(typ))
	case "t:REPLY":
		return decodeReply(body, string(typ))
	}
	return exchange.Frame{}, violated(exchange.CloseProtocol, "a message is a COMMAND or a REPLY, not %.20q", kind[len("t:"):])
}

// decodeCommand reads a command; typ is its type where the JSON has none.
func decodeCommand(body []byte, typ string) (exchange.Frame, error) {
	var c *exchange.Command
	if err := json.Unmarshal(body, &c); err != nil {
		return exchange.Frame{}, violated(exchange.CloseInternal, "cannot read a command: %v", err)
	}
	if c == nil {
		return exchange.Frame{}, violated(exchange.CloseProtocol, "a command that is null")
	}
	if c.Type == "" {
		c.Type = typ
	}
	return exchange.Frame{Command: c}, nil
}

func decodeReply(body []byte, typ string) (exchange.Frame, error) {
	var r *exchange.Reply
	if err := json.Unmarshal(body, &r); err != nil {
		return exchange.Frame{}, violated(exchange.CloseInternal, "cannot read a reply: %v", err)
	}
	if r == nil {
		return exchange.Frame{}, violated(exchange.CloseProtocol, "a reply that is null")
	}
	if r.Type == "" {
		r.Type = typ
	}
	return exchange.Frame{Reply: r}, nil
}

// appendJSON writes v as other programs of this protocol do: without the
// escapes that are only needed inside HTML, and without a newline.
func appendJSON(b *bytes.Buffer, v any) ([]byte, error) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot encode a frame: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// onWire is a command as the wire has it: with a payload, and, if it is one of
// those that keep the channel, with nothing that the protocol did not have at first.
func onWire(c exchange.Command) exchange.Command {
	c.Payload = orEmpty(c.Payload)
	switch c.Type {
	case exchange.TypeHello, exchange.TypeGoodBye, exchange.TypeHealthCheck, exchange.TypePrimary:
		c.ExpiresAt = nil
	}
	return c
}

// orEmpty is the payload as the wire has it: always there.
func orEmpty(p json.RawMessage) json.RawMessage {
	if len(p) == 0 {
		return json.RawMessage(`{}`)
	}
	return p
}
