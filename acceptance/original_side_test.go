//go:build linux

package acceptance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// original is one side of a channel as the programs have it that ours work with:
// what it takes for granted, ours must keep. The type of a command of its own is
// ECHO, and it knows NOBODY, without a handler.
type original struct {
	t      *testing.T
	socket *rawSocket
	legacy bool
	ended  chan struct{} // closed with the end of the socket
	sent   int           // commands

	mu      sync.Mutex
	waiting map[string]chan envelope
	frames  []string // received, as they came, with the long ones cut
	why     error    // after ended
	sick    bool     // it says so when its health is asked for
	primary []bool   // as it was told
}

// envelope is a command or a reply as the originals read it: unknown properties
// do not matter, unknown types do.
type envelope struct {
	ID            string          `json:"id,omitempty"`
	CommandID     string          `json:"commandId,omitempty"`
	Type          string          `json:"type"`
	CommandStatus string          `json:"commandStatus,omitempty"`
	ErrorDetails  string          `json:"errorDetails,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"`
}

func newOriginal(t *testing.T, s *rawSocket) *original {
	o := &original{t: t, socket: s, ended: make(chan struct{}), waiting: map[string]chan envelope{}}
	t.Cleanup(func() { s.conn.Close() })
	return o
}

// run takes messages until the end.
func (o *original) run() {
	defer close(o.ended)
	for {
		message, err := o.socket.read()
		if err == nil && len(message) > 0 {
			err = o.take(string(message))
		}
		if err != nil {
			o.mu.Lock()
			o.why = err
			o.mu.Unlock()
			o.socket.conn.Close()
			return
		}
	}
}

// take handles one message. An error is one that the original chokes on.
func (o *original) take(message string) error {
	o.mu.Lock()
	o.frames = append(o.frames, message[:min(len(message), 300)])
	o.mu.Unlock()
	kind, body, err := o.split(message)
	if err != nil {
		o.t.Errorf("%v: %.200q", err, message)
		return err
	}
	var e envelope
	if kind == "" { // legacy PRIMARY
		return o.toldPrimary(body == "primary: true")
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		o.t.Errorf("%v: %.200q", err, message)
		return err
	}
	if kind == "REPLY" {
		return o.reply(e)
	}
	return o.command(e)
}

// split is how the originals take a message apart.
func (o *original) split(message string) (kind, body string, err error) {
	if o.legacy {
		if message == "primary: true" || message == "replica: true" {
			return "", message, nil
		}
		for prefix, kind := range map[string]string{"command: ": "COMMAND", "reply: ": "REPLY"} {
			if body, ok := strings.CutPrefix(message, prefix); ok {
				return kind, body, nil
			}
		}
		return "", "", fmt.Errorf("no legacy message")
	}
	parts := strings.SplitN(message, ";;", 3)
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "t:") || !strings.HasPrefix(parts[1], "et:") || !strings.HasPrefix(parts[2], "e:") {
		return "", "", fmt.Errorf("no v1 message")
	}
	kind, body = parts[0][2:], parts[2][2:]
	if kind != "COMMAND" && kind != "REPLY" {
		return "", "", fmt.Errorf("neither COMMAND nor REPLY")
	}
	first := map[string]string{"COMMAND": `{"id":"`, "REPLY": `{"commandId":"`}[kind]
	if !strings.HasPrefix(body, first) || strings.Contains(body[:min(len(body), 300)], ":null") {
		return "", "", fmt.Errorf("properties in another order, or null")
	}
	return kind, body, nil
}

// reply is the one that its command gets: whatever its status is, the original
// waits no longer.
func (o *original) reply(e envelope) error {
	o.mu.Lock()
	answer := o.waiting[e.CommandID]
	delete(o.waiting, e.CommandID)
	o.mu.Unlock()
	switch {
	case answer == nil:
		o.t.Errorf("a reply to nothing: %+v", e)
	case e.CommandStatus != "SUCCEEDED" && e.CommandStatus != "ERROR":
		o.t.Errorf("a reply that is not the last: %+v", e)
	default:
		answer <- e
	}
	return nil
}

func (o *original) command(e envelope) error {
	answer := envelope{CommandID: e.ID, Type: e.Type, CommandStatus: "SUCCEEDED", Payload: json.RawMessage(`{}`)}
	switch e.Type {
	case "HEALTH_CHECK":
		o.mu.Lock()
		answer.Payload = json.RawMessage(fmt.Sprintf(`{"healthy":%v}`, !o.sick))
		o.mu.Unlock()
	case "PRIMARY":
		var p struct{ Primary bool }
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			return err
		}
		_ = o.toldPrimary(p.Primary)
	case "GOOD_BYE", "GOODBYE_COMMAND": // not answered
		var p struct{ Reconnect bool }
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			return err
		}
		if p.Reconnect {
			o.socket.close(1013, "GoodBye Command with reconnection requested.")
		} else {
			o.socket.close(1000, "GoodBye Command without reconnection.")
		}
		return nil
	case "ECHO":
		if bytes.Contains(e.Payload[:min(len(e.Payload), 100)], []byte(`"fail"`)) {
			answer.CommandStatus, answer.ErrorDetails, answer.Payload = "ERROR", "it fails", nil // without a payload
			break
		}
		answer.Payload = e.Payload
	case "NOBODY":
		answer.Type, answer.CommandStatus, answer.ErrorDetails = "NO_REPLY", "ERROR", "no handler for NOBODY"
		if o.legacy {
			answer.Type = "IGNORED_REPLY"
		}
	case "CANCEL":
		o.t.Error("CANCEL, which the original answers with UNKNOWN")
		fallthrough
	default:
		answer.Type, answer.CommandStatus, answer.ErrorDetails = "UNKNOWN", "ERROR", "Command unknown"
	}
	return o.write("REPLY", answer)
}

func (o *original) toldPrimary(primary bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.primary = append(o.primary, primary)
	return nil
}

func (o *original) write(kind string, e envelope) error {
	var b bytes.Buffer
	if o.legacy {
		b.WriteString(strings.ToLower(kind) + ": ")
	} else {
		b.WriteString("t:" + kind + ";;et:" + e.Type + ";;e:")
	}
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return err
	}
	return o.socket.write(opBinary, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// call sends a command and waits for its reply.
func (o *original) call(typ, payload string) envelope {
	o.t.Helper()
	o.sent++
	id := fmt.Sprintf("7e0f8f9c-52a7-4c1e-9f0e-%012d", o.sent)
	answer := make(chan envelope, 1)
	o.mu.Lock()
	o.waiting[id] = answer
	o.mu.Unlock()
	if err := o.write("COMMAND", envelope{ID: id, Type: typ, Payload: json.RawMessage(payload)}); err != nil {
		o.t.Fatalf("cannot send %s: %v", typ, err)
	}
	select {
	case e := <-answer:
		return e
	case <-o.ended:
		o.t.Fatalf("%s: the channel ended: %v", typ, o.why)
	case <-time.After(patience):
		o.t.Fatalf("%s: no reply in time", typ)
	}
	return envelope{}
}

// endsWith waits for the end, and wants it to be a close with a code.
func (o *original) endsWith(code int) {
	o.t.Helper()
	select {
	case <-o.ended:
	case <-time.After(patience):
		o.t.Fatalf("it does not end; received %q", o.received())
	}
	if o.why != (rawClosed{code}) {
		o.t.Errorf("ended with %v, want code %d", o.why, code)
	}
}

func (o *original) received() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.frames...)
}

// told is whether it was told lately that it is primary, and how often.
func (o *original) told() (primary bool, times int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.primary) == 0 {
		return false, 0
	}
	return o.primary[len(o.primary)-1], len(o.primary)
}
