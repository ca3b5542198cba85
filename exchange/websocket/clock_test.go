package websocket

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestClocksThatDiffer: a deadline counts by the sender's clock.
func TestClocksThatDiffer(t *testing.T) {
	url, _ := serve(t, ServerOptions{Accept: answer(testMux())})
	for _, off := range []time.Duration{0, -3 * time.Hour, 3 * time.Hour} {
		now := time.Now().UTC().Add(off)
		ws, resp, err := websocket.Dial(ctx(t), url+path, &websocket.DialOptions{HTTPHeader: http.Header{
			ProtocolHeader: {"v1"}, clockHeader: {now.Format(time.RFC3339Nano)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339Nano, resp.Header.Get(clockHeader)); err != nil {
			t.Errorf("the controller's clock: %v", err)
		}
		for deadline, want := range map[time.Duration]string{time.Minute: "SUCCEEDED", -time.Minute: "expired"} {
			message := fmt.Sprintf(`t:COMMAND;;et:ECHO;;e:{"id":"1","type":"ECHO","payload":{},"expiresAt":%q}`, now.Add(deadline).Format(time.RFC3339Nano))
			if err := ws.Write(ctx(t), websocket.MessageBinary, []byte(message)); err != nil {
				t.Fatal(err)
			}
			if _, reply, err := ws.Read(ctx(t)); err != nil || !strings.Contains(string(reply), want) {
				t.Errorf("clock off by %v, deadline in %v: %s, %v", off, deadline, reply, err)
			}
		}
		ws.CloseNow()
	}
}
