package websocket

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
)

// TestPlainProgramsGetNoAdditions: a program that knows the protocol as it was at
// first takes any reply for the last one, and CANCEL for a command to answer. One
// that says that it knows more gets all of it.
func TestPlainProgramsGetNoAdditions(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		want   []string // what it is sent, up to END
	}{
		"plain":   {http.Header{ProtocolHeader: {"v1"}}, []string{"COMMAND SLOW", "REPLY SUCCEEDED"}},
		"knowing": {http.Header{ProtocolHeader: {"v1"}, clockHeader: {clockNow()}}, []string{"COMMAND SLOW", "COMMAND CANCEL", "REPLY IN_PROGRESS", "REPLY SUCCEEDED"}},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, ServerOptions{Accept: cancelThenSteps(t)})
			ws, _, err := websocket.Dial(ctx(t), url+path, &websocket.DialOptions{HTTPHeader: tt.header})
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			var got []string
			for {
				_, data, err := ws.Read(ctx(t))
				if err != nil {
					t.Fatalf("after %v: %v", got, err)
				}
				f, err := v1{}.decode(data)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case f.Command != nil && f.Command.Type == "END":
					slices.Sort(got)
					slices.Sort(tt.want)
					if !slices.Equal(got, tt.want) {
						t.Errorf("sent %v, want %v", got, tt.want)
					}
					return
				case f.Command != nil:
					got = append(got, "COMMAND "+f.Command.Type)
				default:
					got = append(got, "REPLY "+string(f.Reply.Status))
				}
				if len(got) == 1 { // SLOW: it is not answered, but asked something
					err = ws.Write(ctx(t), websocket.MessageBinary, []byte(`t:COMMAND;;et:STEPS;;e:{"id":"s","type":"STEPS","payload":{}}`))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// cancelThenSteps is a controller that sends SLOW, cancels it when STEPS comes,
// answers that in two steps, and then sends END.
func cancelThenSteps(t *testing.T) func(context.Context, *Conn) {
	return func(ctx context.Context, ch *Conn) {
		slow, cancel := context.WithCancel(ctx)
		cancelled, over := make(chan struct{}), make(chan struct{})
		m := &exchange.Mux{}
		m.Handle("STEPS", func(_ context.Context, req *exchange.Request) (any, error) {
			cancel()
			<-cancelled
			defer close(over)
			return nil, req.Progress("half")
		})
		e := exchange.NewEndpoint(ch, exchange.Options{Handlers: m})
		go func() {
			if _, err := e.Call(slow, exchange.Command{Type: "SLOW"}); err == nil {
				t.Error("SLOW was answered")
			}
			close(cancelled)
			<-over
			for e.Stats().Handling > 0 { // until the answer to STEPS has left
				runtime.Gosched()
			}
			_, _ = e.Call(ctx, exchange.Command{Type: "END"}) // ends with the channel
		}()
		_ = e.Run(ctx)
	}
}

// TestOrigin: a program may name any origin, as those of the protocol do, also
// behind a proxy of another name. What a web page makes a browser send names the
// page's, and cannot have the protocol's header.
func TestOrigin(t *testing.T) {
	url, _ := serve(t, ServerOptions{Accept: func(context.Context, *Conn) {}})
	host := strings.TrimPrefix(url, "http://")
	for _, tt := range []struct {
		origin, protocol string
		want             int
	}{
		{"http://somewhere.example", "v1", http.StatusSwitchingProtocols},
		{"http://somewhere.example", "legacy", http.StatusSwitchingProtocols},
		{"http://" + host, "", http.StatusSwitchingProtocols},
		{"", "", http.StatusSwitchingProtocols},
		{"http://somewhere.example", "", http.StatusForbidden},
	} {
		header := http.Header{}
		for name, value := range map[string]string{"Origin": tt.origin, ProtocolHeader: tt.protocol} {
			if value != "" {
				header.Set(name, value)
			}
		}
		ws, resp, err := websocket.Dial(ctx(t), url+path, &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			ws.CloseNow()
		}
		if resp == nil || resp.StatusCode != tt.want {
			t.Errorf("origin %q, protocol %q: %+v, %v; want %d", tt.origin, tt.protocol, resp, err, tt.want)
		}
	}
}

// TestLegacyAnswersThatWereAssumed: some legacy connectors answer what others do
// not, PRIMARY under an ID of their own; that is no trouble.
func TestLegacyAnswersThatWereAssumed(t *testing.T) {
	late := make(chan uint64, 1)
	url, _ := serve(t, ServerOptions{Accept: func(ctx context.Context, ch *Conn) {
		e := exchange.NewEndpoint(ch, exchange.Options{})
		go func() {
			for _, typ := range []string{exchange.TypePrimary, exchange.TypeHealthCheck} {
				if r, err := e.Call(ctx, exchange.Command{Type: typ}); err != nil || r.Status != exchange.Succeeded {
					t.Errorf("%s: %+v, %v", typ, r, err)
				}
			}
			if _, err := e.Call(ctx, exchange.Command{Type: "ECHO"}); err != nil {
				t.Error(err)
			}
			late <- e.Stats().Late
		}()
		_ = e.Run(ctx)
	}})
	ws, _, err := websocket.Dial(ctx(t), url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	for _, typ := range []string{exchange.TypePrimary, exchange.TypeHealthCheck, "ECHO"} {
		_, data, err := ws.Read(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		f, err := legacy{}.decode(data)
		if err != nil || f.Command == nil || f.Command.Type != typ {
			t.Fatalf("%s, %v; want %s", data, err, typ)
		}
		id := f.Command.ID
		if typ == exchange.TypePrimary {
			id = "its-own"
		}
		reply := `reply: {"commandId":"` + id + `","type":"` + typ + `","commandStatus":"SUCCEEDED","payload":{"healthy":true}}`
		if err := ws.Write(ctx(t), websocket.MessageBinary, []byte(reply)); err != nil {
			t.Fatal(err)
		}
	}
	if n := <-late; n != 0 {
		t.Errorf("%d late replies", n)
	}
}
