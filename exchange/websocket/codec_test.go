package websocket

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// TestV1Frames reads each frame of the files and writes it again byte for byte.
func TestV1Frames(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		sameFrames(t, file)
	}
}

// TestV1FramesOfTheOriginal does the same with frames that another program wrote.
func TestV1FramesOfTheOriginal(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "fixtures", "exchange", "v1-frames.txt")
	if _, err := os.Stat(file); err != nil {
		t.Skip("the recorded frames are not here")
	}
	sameFrames(t, file)
}

func sameFrames(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		f, err := v1{}.decode([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got, err := v1{}.encode(f)
		if err != nil || string(got) != line {
			t.Errorf("got  %s, %v\nwant %s", got, err, line)
		}
	}
}

func TestV1Violations(t *testing.T) {
	tests := map[string]int{
		`hello`:                             exchange.CloseProtocol,
		`t:COMMAND`:                         exchange.CloseProtocol,
		`t:COMMAND;;et:X`:                   exchange.CloseProtocol,
		`t:COMMAND;;e:{};;et:X`:             exchange.CloseProtocol,
		`t:QUESTION;;et:X;;e:{"id":"1"}`:    exchange.CloseProtocol,
		`t:COMMAND;;et:X;;e:null`:           exchange.CloseProtocol,
		`t:REPLY;;et:X;;e:null`:             exchange.CloseProtocol,
		`t:COMMAND;;et:X;;e:{"id":`:         exchange.CloseInternal,
		`t:COMMAND;;et:X;;e:{"id":"1"} {}`:  exchange.CloseInternal,
		`t:REPLY;;et:X;;e:[]`:               exchange.CloseInternal,
		`t:REPLY;;et:X;;e:{"commandId":17}`: exchange.CloseInternal,
	}
	for message, code := range tests {
		_, err := v1{}.decode([]byte(message))
		var v *violation
		if !errors.As(err, &v) || v.code != code {
			t.Errorf("%s: %v, want code %d", message, err, code)
		}
	}
}

func TestV1TypeWithSeparator(t *testing.T) {
	data, err := v1{}.encode(exchange.Frame{Command: &exchange.Command{ID: "1", Type: "a;;e:b"}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := v1{}.decode(data)
	if err != nil || f.Command.Type != "a;;e:b" {
		t.Errorf("%s came back as %+v, %v", data, f.Command, err)
	}
}

func TestLegacyFrames(t *testing.T) {
	payload := func(s string) json.RawMessage { return json.RawMessage(s) }
	tests := []struct {
		name  string
		frame exchange.Frame
		wire  string
		lossy bool // the wire says less than the frame
	}{
		{
			"command",
			exchange.Frame{Command: &exchange.Command{ID: "1", Type: "ECHO", Payload: payload(`{"text":"command: a;;reply: b"}`)}},
			`command: {"id":"1","type":"ECHO","payload":{"text":"command: a;;reply: b"}}`, false,
		},
		{
			"reply",
			exchange.Frame{Reply: &exchange.Reply{CommandID: "1", Type: "ECHO", Status: exchange.Succeeded, Payload: payload(`{}`)}},
			`reply: {"commandId":"1","type":"ECHO","commandStatus":"SUCCEEDED","payload":{}}`, false,
		},
		{
			"hello",
			exchange.Frame{Command: &exchange.Command{ID: "1", Type: exchange.TypeHello, Payload: payload(`{"targetId":"t"}`)}},
			`command: {"id":"1","type":"HELLO_COMMAND","payload":{"node":{"installationId":"t"}}}`, true,
		},
		{
			"hello reply",
			exchange.Frame{Reply: &exchange.Reply{CommandID: "1", Type: exchange.TypeHello, Status: exchange.Succeeded, Payload: payload(`{"targetId":"t"}`)}},
			`reply: {"commandId":"1","type":"HELLO_REPLY","commandStatus":"SUCCEEDED","payload":{"installationId":"t"}}`, true,
		},
		{
			"goodbye",
			exchange.Frame{Command: &exchange.Command{ID: "1", Type: exchange.TypeGoodBye, Payload: payload(`{"reconnect":false}`)}},
			`command: {"id":"1","type":"GOODBYE_COMMAND","payload":{"reconnect":false}}`, false,
		},
		{
			"goodbye reply",
			exchange.Frame{Reply: &exchange.Reply{CommandID: "1", Type: exchange.TypeGoodBye, Status: exchange.Succeeded, Payload: payload(`{}`)}},
			`reply: {"commandId":"1","type":"GOODBYE_REPLY","commandStatus":"SUCCEEDED","payload":{}}`, false,
		},
		{
			"no handler",
			exchange.Frame{Reply: &exchange.Reply{CommandID: "1", Type: exchange.TypeNoReply, Status: exchange.Failed, ErrorDetails: "none", Payload: payload(`{}`)}},
			`reply: {"commandId":"1","type":"IGNORED_REPLY","commandStatus":"ERROR","errorDetails":"none","payload":{}}`, false,
		},
		{
			"primary",
			exchange.Frame{Command: &exchange.Command{ID: "1", Type: exchange.TypePrimary, Payload: payload(`{"primary":true,"term":3}`)}},
			`primary: true`, true,
		},
		{
			"replica",
			exchange.Frame{Command: &exchange.Command{ID: "1", Type: exchange.TypePrimary, Payload: payload(`{"primary":false}`)}},
			`replica: true`, true,
		},
		{
			"reply to primary",
			exchange.Frame{Reply: &exchange.Reply{CommandID: unanswered + "1", Type: exchange.TypePrimary, Status: exchange.Succeeded}},
			``, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := legacy{}.encode(tt.frame)
			if err != nil || string(got) != tt.wire {
				t.Fatalf("encode = %s, %v; want %s", got, err, tt.wire)
			}
			if tt.lossy {
				return
			}
			back, err := legacy{}.decode(got)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := json.Marshal(tt.frame)
			have, _ := json.Marshal(back)
			if !bytes.Equal(want, have) {
				t.Errorf("decode = %s, want %s", have, want)
			}
		})
	}
}

func TestLegacyPrimaryArrives(t *testing.T) {
	for wire, want := range map[string]string{primaryMessage: `{"primary":true}`, replicaMessage: `{"primary":false}`} {
		f, err := legacy{}.decode([]byte(wire))
		if err != nil || f.Command.Type != exchange.TypePrimary || string(f.Command.Payload) != want {
			t.Errorf("%s: %+v, %v", wire, f.Command, err)
		}
	}
	if _, err := (legacy{}).decode([]byte("ping: true")); err == nil {
		t.Error("an unknown message was taken")
	}
}

// TestLegacyHelloArrives: the target is found where the protocol has it, and what
// else a product says stays.
func TestLegacyHelloArrives(t *testing.T) {
	f, err := legacy{}.decode([]byte(`command: {"id":"1","type":"HELLO_COMMAND","payload":{"node":{"installationId":"t","hostname":"h"}}}`))
	if err != nil || f.Command.Type != exchange.TypeHello || string(f.Command.Payload) != `{"node":{"installationId":"t","hostname":"h"},"targetId":"t"}` {
		t.Errorf("%+v, %v", f.Command, err)
	}
	f, err = legacy{}.decode([]byte(`reply: {"commandId":"1","type":"HELLO_REPLY","commandStatus":"SUCCEEDED","payload":{"installationId":"t"}}`))
	if err != nil || f.Reply.Type != exchange.TypeHello || string(f.Reply.Payload) != `{"installationId":"t","targetId":"t"}` {
		t.Errorf("%+v, %v", f.Reply, err)
	}
}

// TestCommandsThatKeepTheChannelAreBare: byte for byte what other programs send.
func TestCommandsThatKeepTheChannelAreBare(t *testing.T) {
	at := time.Now()
	for typ, payload := range map[string]string{
		exchange.TypeHello: `{"targetId":"t"}`, exchange.TypeGoodBye: `{"targetId":"t","reconnect":true}`,
		exchange.TypeHealthCheck: `{}`, exchange.TypePrimary: `{"primary":true}`,
	} {
		got, err := v1{}.encode(exchange.Frame{Command: &exchange.Command{ID: "1", Type: typ, Payload: json.RawMessage(payload), ExpiresAt: &at}})
		want := "t:COMMAND;;et:" + typ + `;;e:{"id":"1","type":"` + typ + `","payload":` + payload + "}"
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`t:COMMAND;;et:ECHO;;e:{"id":"1","type":"ECHO","payload":{"a":";;"}}`))
	f.Add([]byte(`t:REPLY;;et:X;;e:{"commandId":"1","commandStatus":"?"}`))
	f.Add([]byte(`command: {"id":"1","type":"HELLO_COMMAND","payload":{"node":{"installationId":"x"}}}`))
	f.Add([]byte(`reply: {"commandId":"1","type":"HELLO_REPLY","payload":[]}`))
	f.Add([]byte(`primary: true`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range []codec{v1{}, legacy{}} {
			frame, err := c.decode(data)
			var v *violation
			if err != nil && !errors.As(err, &v) {
				t.Fatalf("%T: %v is no violation", c, err)
			}
			if err != nil {
				continue
			}
			if _, err := c.encode(frame); err != nil {
				t.Errorf("%T: cannot write what was read: %v", c, err)
			}
		}
	})
}
