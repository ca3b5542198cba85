package exchange

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

var emptyObject = json.RawMessage(`{}`)

// NewCommand builds a command with a fresh ID and v as JSON payload (nil: {}).
func NewCommand(typ string, v any) (Command, error) {
	p, err := marshal(v)
	if err != nil {
		return Command{}, fmt.Errorf("cannot encode payload of %s: %w", typ, err)
	}
	return Command{ID: NewID(), Type: typ, Payload: p}, nil
}

// NewID returns a random command ID of at least 128 bits.
func NewID() string { return rand.Text() }

// marshal encodes a payload; nil is the empty object, as a payload is always one.
func marshal(v any) (json.RawMessage, error) {
	switch p := v.(type) {
	case nil:
		return emptyObject, nil
	case json.RawMessage:
		if len(p) == 0 {
			return emptyObject, nil
		}
		if !json.Valid(p) {
			return nil, fmt.Errorf("%d bytes that are not JSON", len(p))
		}
		return p, nil
	}
	return Encode(v)
}

// Encode is json.Marshal without the escapes that are only needed inside HTML:
// they would make six bytes of each <, > and &.
func Encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// cancelPayload is the payload of CANCEL.
type cancelPayload struct {
	CommandID string `json:"commandId"`
}

func cancelFrame(commandID string) Frame {
	p, err := json.Marshal(cancelPayload{CommandID: commandID})
	if err != nil {
		p = emptyObject // a string always encodes
	}
	return Frame{Command: &Command{ID: NewID(), Type: TypeCancel, Payload: p}}
}
