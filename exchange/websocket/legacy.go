package websocket

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/seed-04209a44/peerd/exchange"
)

// Names that only the legacy protocol has.
const (
	legacyHello        = "HELLO_COMMAND"
	legacyHelloReply   = "HELLO_REPLY"
	legacyGoodBye      = "GOODBYE_COMMAND"
	legacyGoodByeReply = "GOODBYE_REPLY"
	legacyIgnored      = "IGNORED_REPLY"
)

// The two messages that are no JSON: they say whether the channel is primary.
const (
	primaryMessage = "primary: true"
	replicaMessage = "replica: true"
)

const (
	commandPrefix = "command: "
	replyPrefix   = "reply: "
)

// unanswered marks the ID of a command made of a message that has no ID, so
// that its reply is not sent.
const unanswered = "legacy-"

// legacy is the protocol of connectors that name none: command: {json}.
type legacy struct{}

func (legacy) encode(f exchange.Frame) ([]byte, error) {
	switch {
	case f.Command != nil && f.Command.Type == exchange.TypePrimary:
		var p exchange.Primary
		if err := json.Unmarshal(orEmpty(f.Command.Payload), &p); err != nil || !p.Primary {
			return []byte(replicaMessage), nil
		}
		return []byte(primaryMessage), nil
	case f.Command != nil:
		return appendJSON(bytes.NewBufferString(commandPrefix), legacyCommand(*f.Command))
	case f.Reply != nil && strings.HasPrefix(f.Reply.CommandID, unanswered):
		return nil, nil
	case f.Reply != nil:
		return appendJSON(bytes.NewBufferString(replyPrefix), legacyReply(*f.Reply))
	}
	return nil, nil
}

func (legacy) decode(data []byte) (exchange.Frame, error) {
	text := string(data)
	if text == primaryMessage || text == replicaMessage {
		payload, err := json.Marshal(exchange.Primary{Primary: text == primaryMessage})
		return exchange.Frame{Command: &exchange.Command{
			ID: unanswered + exchange.NewID(), Type: exchange.TypePrimary, Payload: payload,
		}}, err
	}
	if body, ok := bytes.CutPrefix(data, []byte(strings.TrimSpace(commandPrefix))); ok {
		f, err := decodeCommand(body, "")
		if err == nil {
			fromLegacyCommand(f.Command)
		}
		return f, err
	}
	if body, ok := bytes.CutPrefix(data, []byte(strings.TrimSpace(replyPrefix))); ok {
		f, err := decodeReply(body, "")
		if err == nil {
			fromLegacyReply(f.Reply)
		}
		return f, err
	}
	return exchange.Frame{}, violated(exchange.CloseProtocol, "a message begins with command: or reply:")
}

func legacyCommand(c exchange.Command) exchange.Command {
	c = onWire(c)
	switch c.Type {
	case exchange.TypeHello:
		c.Type = legacyHello
		var hello exchange.Hello
		if json.Unmarshal(c.Payload, &hello) == nil {
			c.Payload = withField(c.Payload, "node", map[string]string{"installationId": hello.TargetID}, "targetId")
		}
	case exchange.TypeGoodBye:
		c.Type = legacyGoodBye
	}
	return c
}

func fromLegacyCommand(c *exchange.Command) {
	switch c.Type {
	case legacyHello:
		c.Type = exchange.TypeHello
		var p struct {
			Node struct{ InstallationID string }
		}
		if json.Unmarshal(orEmpty(c.Payload), &p) == nil && p.Node.InstallationID != "" {
			c.Payload = withField(c.Payload, "targetId", p.Node.InstallationID)
		}
	case legacyGoodBye:
		c.Type = exchange.TypeGoodBye
	}
}

func legacyReply(r exchange.Reply) exchange.Reply {
	r.Payload = orEmpty(r.Payload)
	switch r.Type {
	case exchange.TypeHello:
		r.Type = legacyHelloReply
		var hello exchange.Hello
		if json.Unmarshal(r.Payload, &hello) == nil && hello.TargetID != "" {
			r.Payload = withField(r.Payload, "installationId", hello.TargetID, "targetId")
		}
	case exchange.TypeGoodBye:
		r.Type = legacyGoodByeReply
	case exchange.TypeNoReply:
		r.Type = legacyIgnored
	}
	return r
}

func fromLegacyReply(r *exchange.Reply) {
	switch r.Type {
	case legacyHelloReply:
		r.Type = exchange.TypeHello
		var p struct{ InstallationID string }
		if json.Unmarshal(orEmpty(r.Payload), &p) == nil && p.InstallationID != "" {
			r.Payload = withField(r.Payload, "targetId", p.InstallationID)
		}
	case legacyGoodByeReply:
		r.Type = exchange.TypeGoodBye
	case legacyIgnored:
		r.Type = exchange.TypeNoReply
	}
}

// withField returns the JSON object with one field set, and without another if it
// is named; what is no object stays.
func withField(object json.RawMessage, name string, value any, without ...string) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(orEmpty(object), &fields) != nil {
		return object
	}
	v, err := exchange.Encode(value)
	if err != nil {
		return object
	}
	for _, other := range without {
		delete(fields, other)
	}
	fields[name] = v
	changed, err := exchange.Encode(fields)
	if err != nil {
		return object
	}
	return changed
}

// assumed returns the reply to a command that the legacy protocol leaves
// unanswered: PRIMARY, and HEALTH_CHECK, where being connected is being healthy.
func assumed(c *exchange.Command) *exchange.Reply {
	r := &exchange.Reply{CommandID: c.ID, Type: c.Type, Status: exchange.Succeeded, Payload: orEmpty(nil), TraceParent: c.TraceParent}
	switch c.Type {
	case exchange.TypePrimary:
		return r
	case exchange.TypeHealthCheck:
		r.Payload = json.RawMessage(`{"healthy":true}`)
		return r
	}
	return nil
}

// legacyLink gives a Conn what the legacy protocol's omissions need: replies of
// its own making among those that arrive.
type legacyLink struct {
	arrived chan received
	assumed chan exchange.Frame

	mu     sync.Mutex
	latest [assumedReplies]string // IDs of commands whose reply was assumed
	next   int                    // the oldest of them
}

// assumedReplies is for how many commands an answer that comes all the same is
// recognised: more than can be under way at one time.
const assumedReplies = 16

type received struct {
	frame exchange.Frame
	err   error
}

func newLegacyLink() *legacyLink {
	return &legacyLink{arrived: make(chan received), assumed: make(chan exchange.Frame, 1)}
}

// pump moves what arrives to Recv. An answer that has been assumed already is left
// out; some connectors send it all the same, with an ID of their own.
func (l *legacyLink) pump(c *Conn) {
	for {
		f, err := c.recv()
		if f.Reply != nil && l.wasAssumed(f.Reply) {
			continue
		}
		select {
		case l.arrived <- received{f, err}:
		case <-c.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *legacyLink) wasAssumed(r *exchange.Reply) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.Type == exchange.TypePrimary || slices.Contains(l.latest[:], r.CommandID)
}

// note has an answer left out that comes beside an assumed one.
func (l *legacyLink) note(r *exchange.Reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest[l.next] = r.CommandID
	l.next = (l.next + 1) % assumedReplies
}

func (l *legacyLink) recv(c *Conn) (exchange.Frame, error) {
	select {
	case f := <-l.assumed:
		return f, nil
	case r := <-l.arrived:
		return r.frame, r.err
	case <-c.closed:
		return exchange.Frame{}, exchange.ErrClosed
	}
}

// send is Conn.Send with the legacy protocol's ways of ending a channel.
func (l *legacyLink) send(c *Conn, f exchange.Frame) error {
	if cmd := f.Command; cmd != nil && cmd.Type == exchange.TypeGoodBye {
		var p exchange.GoodBye
		if json.Unmarshal(orEmpty(cmd.Payload), &p) == nil && p.Reconnect {
			c.shut(exchange.CloseTryAgain, "reconnect")
			return nil
		}
	}
	var r *exchange.Reply
	if f.Command != nil {
		r = assumed(f.Command)
	}
	if r != nil {
		l.note(r)
	}
	if err := c.send(f); err != nil {
		return err
	}
	if r != nil {
		select {
		case l.assumed <- exchange.Frame{Reply: r}:
		case <-c.closed:
		}
	}
	if r = f.Reply; r != nil && r.Err() != nil && (r.Type == exchange.TypeHello || r.Type == exchange.TypeGoodBye) {
		c.shut(exchange.CloseNormal, "refused")
	}
	return nil
}
