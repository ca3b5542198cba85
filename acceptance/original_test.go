//go:build linux

package acceptance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// large is a payload of 12 MB that has the separator of v1 in it.
func large() string { return `{"text":"` + strings.Repeat("abc;;éfg<&>", 1_000_000) + `"}` }

// originalConnector joins a controller as the original's connectors do, and
// returns the target that it was given.
func originalConnector(t *testing.T, address, target string, legacy bool) *original {
	t.Helper()
	version := "v1"
	if legacy {
		version = "legacy"
	}
	// Behind a proxy the origin is not the controller's host: nothing may depend on it.
	s, status, err := rawDial(address, "/exchange/controller", "X-Gravitee-Exchange-Protocol: "+version)
	if err != nil || s == nil {
		t.Fatalf("upgrade: status %d, %v", status, err)
	}
	o := newOriginal(t, s)
	o.legacy = legacy
	go o.run()
	if legacy {
		r := o.call("HELLO_COMMAND", `{"node":{"installationId":"`+target+`"}}`)
		if r.Type != "HELLO_REPLY" || string(r.Payload) != `{"installationId":"`+target+`"}` {
			t.Fatalf("HELLO_COMMAND: %+v", r)
		}
		return o
	}
	r := o.call("HELLO", `{"targetId":"`+target+`"}`)
	if r.Type != "HELLO" || r.CommandStatus != "SUCCEEDED" || string(r.Payload) != `{"targetId":"`+target+`"}` {
		t.Fatalf("HELLO: %+v", r)
	}
	return o
}

// ask sends a request to a controller's management and returns the answer.
func ask(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

// Issue 5: a connector written against the original joins our controller.
func TestOriginalConnector(t *testing.T) {
	t.Parallel()
	for _, legacy := range []bool{false, true} {
		name := map[bool]string{false: "v1", true: "legacy"}[legacy]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, address := startController(t)
			o := originalConnector(t, address, "t", legacy)
			base := "http://" + address + "/exchange"
			c.waitFor("it is told that it is primary", func() bool { primary, _ := o.told(); return primary })
			originalCommands(t, o, base)
			second := originalConnector(t, address, "t", legacy)
			c.waitFor("the second is told that it is not", func() bool { _, times := second.told(); return times == 1 })
			if primary, _ := second.told(); primary {
				t.Error("two primaries")
			}
			c.waitFor("its health is asked for", func() bool {
				return slices.ContainsFunc(o.received(), func(f string) bool { return strings.Contains(f, `"type":"HEALTH_CHECK"`) })
			})
			originalFrames(t, o.received())
			originalGoodBye(t, c, base, o, legacy)
			c.waitFor("the second is primary now", func() bool { primary, _ := second.told(); return primary })
			c.signal(syscall.SIGTERM) // a controller that stops says so
			second.endsWith(1013)
			c.over()
			c.run()
			c.ready()
			c.waitFor("the controller is back", func() bool { return c.status().Controller.Listen != "" })
			back := originalConnector(t, address, "t", legacy)
			c.waitFor("it is primary again", func() bool { primary, _ := back.told(); return primary })
		})
	}
}

// originalCommands go both ways, and to nobody.
func originalCommands(t *testing.T, o *original, base string) {
	t.Helper()
	for payload, want := range map[string]string{
		`{"text":"a;;b;;e:c;;t:REPLY"}`: `SUCCEEDED`,
		`{"text":"fail"}`:               `it fails`,
		large():                         `SUCCEEDED`,
	} {
		status, text := ask(t, "POST", base+"/targets/t/commands", `{"type":"ECHO","payload":`+payload+`}`)
		var r envelope
		if err := json.Unmarshal([]byte(text), &r); err != nil || status != http.StatusOK || !strings.Contains(r.CommandStatus+r.ErrorDetails, want) {
			t.Errorf("ECHO of %d bytes: %d %.200s, %v", len(payload), status, text, err)
		}
		var compact bytes.Buffer
		if r.CommandStatus == "SUCCEEDED" && (json.Compact(&compact, r.Payload) != nil || compact.String() != payload) {
			t.Errorf("ECHO of %d bytes came back as %d other ones", len(payload), compact.Len())
		}
	}
	for _, typ := range []string{"NOBODY", "NEVER-HEARD-OF"} {
		if status, text := ask(t, "POST", base+"/targets/t/commands", `{"type":"`+typ+`"}`); status != http.StatusBadGateway {
			t.Errorf("%s: %d %s", typ, status, text)
		}
	}
	// This controller has no commands of its own for connectors.
	for _, payload := range []string{`{}`, large()} {
		if r := o.call("ECHO", payload); r.Type != "UNKNOWN" || r.CommandStatus != "ERROR" || r.ErrorDetails != "Command unknown" {
			t.Errorf("a command to the controller: %+v", r)
		}
	}
}

// originalFrames are what the original would have sent, byte for byte but for the
// IDs and the term.
func originalFrames(t *testing.T, frames []string) {
	t.Helper()
	id := `"id":"[^"]+"`
	v1 := map[string]string{
		"PRIMARY":      `^t:COMMAND;;et:PRIMARY;;e:\{` + id + `,"type":"PRIMARY","payload":\{"primary":true,"term":\d+\}\}$`,
		"HEALTH_CHECK": `^(t:COMMAND;;et:HEALTH_CHECK;;e|command): ?\{` + id + `,"type":"HEALTH_CHECK","payload":\{\}\}$`,
		"HELLO":        `^(t:REPLY;;et:HELLO;;e|reply): ?\{"commandId":"[^"]+","type":"HELLO(_REPLY)?","commandStatus":"SUCCEEDED","payload":\{"(targetId|installationId)":"t"\}\}$`,
	}
	for _, f := range frames {
		for typ, pattern := range v1 {
			if strings.Contains(f, `"type":"`+typ) && !regexp.MustCompile(pattern).MatchString(f) {
				t.Errorf("%s is sent as %s", typ, f)
			}
		}
	}
}

// originalGoodBye: a channel that is ended from outside, for now and for good.
func originalGoodBye(t *testing.T, c *peerd, base string, o *original, legacy bool) {
	t.Helper()
	channel := func(primary bool) string {
		_, text := ask(t, "GET", base+"/targets/t/channels", "")
		var all []struct {
			ID      string
			Primary bool
		}
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		for _, ch := range all {
			if ch.Primary == primary {
				return ch.ID
			}
		}
		t.Fatalf("no such channel: %s", text)
		return ""
	}
	kicked := make(chan int, 1)
	url := base + "/channels/" + channel(true) + "?reconnect=true"
	go func() { status, _ := ask(t, "DELETE", url, ""); kicked <- status }()
	o.endsWith(1013)
	if status := <-kicked; status != http.StatusNoContent {
		t.Errorf("kick: %d", status)
	}
	said := slices.ContainsFunc(o.received(), func(f string) bool {
		return strings.Contains(f, `"type":"GOOD_BYE","payload":{"targetId":"t","reconnect":true}}`)
	})
	if said == legacy { // there the socket is closed without a word
		t.Errorf("GOOD_BYE was sent: %v", said)
	}
	third := originalConnector(t, strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/exchange"), "other", legacy)
	var id string
	c.waitFor("the third is known", func() bool {
		_, text := ask(t, "GET", base+"/targets/other/channels", "")
		m := regexp.MustCompile(`"id": "([^"]+)"`).FindStringSubmatch(text)
		if m != nil {
			id = m[1]
		}
		return m != nil
	})
	go func() { status, _ := ask(t, "DELETE", base+"/channels/"+id+"?reconnect=false", ""); kicked <- status }()
	third.endsWith(1000)
	<-kicked
}

// Issue 5: what the original's server answers to what is no connector.
func TestOriginalUpgrades(t *testing.T) {
	t.Parallel()
	_, address := startController(t)
	version := "X-Gravitee-Exchange-Protocol: v1"
	for path, want := range map[string]int{
		"/exchange/controller": 101, "/exchange/controller/": 101, "/ws/controller": 101, "/ws/controller/any": 101,
		"/exchange/controller/x": 404, "/EXCHANGE/controller": 404, "/ws/controllers": 404, "/prefix/exchange/controller": 404,
	} {
		s, status, err := rawDial(address, path, version)
		if s != nil {
			s.conn.Close()
		}
		if err != nil || status != want {
			t.Errorf("%s: %d, %v; want %d", path, status, err, want)
		}
	}
	for message, want := range map[string]int{
		`t:COMMAND;;et:ECHO;;e:{"id":"1","type":"ECHO","payload":{}}`: 1002,
		`t:QUESTION;;et:HELLO;;e:{}`:                                  1002,
		`t:COMMAND;;et:HELLO;;e:null`:                                 1002,
		`t:COMMAND;;et:HELLO;;e:{"id":`:                               1011,
	} {
		s, _, err := rawDial(address, "/exchange/controller", version)
		if err != nil {
			t.Fatal(err)
		}
		o := newOriginal(t, s)
		go o.run()
		if err := s.write(opBinary, []byte(message)); err != nil {
			t.Fatal(err)
		}
		o.endsWith(want)
	}
	s, _, err := rawDial(address, "/exchange/controller", version)
	if err != nil {
		t.Fatal(err)
	}
	o := newOriginal(t, s)
	go o.run()
	_ = s.write(opBinary, nil) // ignored
	_ = s.write(opText, []byte("hello"))
	o.endsWith(1003)
}

// Issue 5: the management's JSON has the original's fields, in its order, with
// null for what is not there.
func TestOriginalManagement(t *testing.T) {
	t.Parallel()
	c, address := startController(t)
	o := originalConnector(t, address, "t", false)
	base := "http://" + address + "/exchange"
	c.waitFor("it is primary", func() bool { primary, _ := o.told(); return primary })
	for _, body := range []string{
		`{"id":"good","commands":[{"type":"ECHO","payload":{"text":"x"}}]}`,
		`{"id":"bad","key":"k","maxRetry":0,"commands":[{"type":"ECHO","payload":{"text":"fail"}}]}`,
	} {
		if status, text := ask(t, "POST", base+"/targets/t/batchs", body); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, text)
		}
	}
	c.waitFor("both have ended", func() bool {
		_, text := ask(t, "GET", base+"/batchs", "")
		return strings.Contains(text, `"SUCCEEDED"`) && strings.Contains(text, `"ERROR"`)
	})
	c.metered("nodes 1", "targets 1", "channels 1", "local_channels 1", "commands_in_flight 0",
		`batches status="SUCCEEDED" 1`, `batches status="ERROR" 1`, `commands_total outcome="succeeded" 1`,
		`commands_total outcome="error" 1`, `commands_total outcome="timeout" 0`, `events_total kind="primary.elected" 1`)
	channel := `\{"id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}","targetId":"t","active":true,"primary":true\}`
	good := `\{"id":"good","key":null,"targetId":"t","status":"SUCCEEDED","errorDetails":null,"maxRetry":5,"retry":null,"lastRetryAt":null\}`
	bad := `\{"id":"bad","key":"k","targetId":"t","status":"ERROR","errorDetails":"[^"]+","maxRetry":0,"retry":0,"lastRetryAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"\}`
	batches := bad + "," + good
	none := `\{"code":404,"message":".+"\}`
	for _, tt := range []struct {
		path, want string
		status     int
	}{
		{"/targets", `\[\{"id":"t","channels":\[` + channel + `\],"batchs":\[` + batches + `\]\}\]`, 200},
		{"/targets/t", `\{"channels":\[` + channel + `\],"batchs":\[` + batches + `\]\}`, 200},
		{"/targets/x", none, 404},
		{"/targets/t/channels", `\[` + channel + `\]`, 200},
		{"/targets/x/channels", `\[\]`, 200},
		{"/targets/t/batchs", `\[` + batches + `\]`, 200},
		{"/channels", `\[` + channel + `\]`, 200},
		{"/channels?active=true&targetId=t", `\[` + channel + `\]`, 200},
		{"/channels?active=nonsense", `\[\]`, 200},
		{"/channels/x", none, 404},
		{"/batchs", `\[` + batches + `\]`, 200},
		{"/batchs?status=error", `\[` + bad + `\]`, 200},
		{"/batchs?targetId=x", `\[\]`, 200},
		{"/batchs/good", good, 200},
		{"/batchs/x", none, 404},
	} {
		status, text := ask(t, "GET", base+tt.path, "")
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(text)); err != nil {
			t.Errorf("%s: %v in %s", tt.path, err, text)
			continue
		}
		if status != tt.status || !regexp.MustCompile("^"+tt.want+"$").MatchString(strings.TrimSpace(compact.String())) {
			t.Errorf("%s: %d %s\nwant %d %s", tt.path, status, compact.String(), tt.status, tt.want)
		}
	}
}

// metered: what the controller has done is in the peer's metrics.
func (p *peerd) metered(want ...string) {
	p.t.Helper()
	_, text := p.fetch("/metrics")
	for _, line := range want {
		name, rest, _ := strings.Cut(line, " ")
		labels := `{identifier="exchange"}`
		if label, value, ok := strings.Cut(rest, " "); ok {
			labels, rest = `{identifier="exchange",`+label+`}`, value
		}
		if series := "peerd_controller_" + name + labels + " " + rest + "\n"; !strings.Contains(text, series) {
			p.t.Errorf("/metrics has no %s", series)
		}
	}
}
