package ccp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange"
)

// Caller carries a command to the other side. *exchange.Endpoint is one.
type Caller interface {
	// Stream sends cmd, hands every intermediate reply to each in order, and
	// returns the terminal one. An error from each cancels the command.
	Stream(ctx context.Context, cmd exchange.Command, each func(exchange.Reply) error) (exchange.Reply, error)
}

// CallerFunc makes a function a Caller.
type CallerFunc func(ctx context.Context, cmd exchange.Command, each func(exchange.Reply) error) (exchange.Reply, error)

// Stream calls f.
func (f CallerFunc) Stream(ctx context.Context, cmd exchange.Command, each func(exchange.Reply) error) (exchange.Reply, error) {
	return f(ctx, cmd, each)
}

// Client speaks the protocol through a Caller. Its methods block until the
// reply is there or ctx ends, and are safe for concurrent use where the
// Caller's are. An ERROR reply comes back as *exchange.ReplyError.
type Client struct{ caller Caller }

// NewClient returns a client that speaks through c.
func NewClient(c Caller) *Client { return &Client{caller: c} }

// Do sends one command of any type and decodes its terminal reply into out
// (nil: dropped).
func (c *Client) Do(ctx context.Context, typ string, in, out any) error {
	reply, err := c.send(ctx, typ, in, func(exchange.Reply) error { return nil })
	if err != nil {
		return err
	}
	return decodeReply(reply, out)
}

// Handshake announces the peer's versions and returns the component's answer.
func (c *Client) Handshake(ctx context.Context, h Handshake) (HandshakeAck, error) {
	var ack HandshakeAck
	err := c.Do(ctx, TypeHandshake, h, &ack)
	return ack, err
}

// InitiateShutdown asks the component to stop. It returns as soon as that is
// acknowledged; the end is told by STATUS and, in the end, by the process.
func (c *Client) InitiateShutdown(ctx context.Context, s Shutdown) error {
	return c.Do(ctx, TypeInitiateShutdown, s, nil)
}

// ReportState asks the component for its state.
func (c *Client) ReportState(ctx context.Context) (StateReport, error) {
	var report StateReport
	err := c.Do(ctx, TypeReportState, nil, &report)
	return report, err
}

// SetLogLevel sets the level of each named logger and returns all levels in
// force. When one logger or level is unknown nothing changes.
func (c *Client) SetLogLevel(ctx context.Context, levels map[string]string) (map[string]string, error) {
	var now LogLevelMap
	err := c.Do(ctx, TypeSetLogLevel, LogLevelMap{Levels: levels}, &now)
	return now.Levels, err
}

// FlushMessages asks the component to hand on what it has buffered.
func (c *Client) FlushMessages(ctx context.Context) error {
	return c.Do(ctx, TypeFlushMessages, nil, nil)
}

// ClearOutLogs asks the component to empty the output log it keeps itself.
func (c *Client) ClearOutLogs(ctx context.Context) error {
	return c.Do(ctx, TypeClearOutLogs, nil, nil)
}

// ClearErrLogs asks the component to empty the error log it keeps itself.
func (c *Client) ClearErrLogs(ctx context.Context) error {
	return c.Do(ctx, TypeClearErrLogs, nil, nil)
}

// DumpStack asks the component to write its stacks to stderr.
func (c *Client) DumpStack(ctx context.Context) error { return c.Do(ctx, TypeDumpStack, nil, nil) }

// HealthCheck asks the component how it is.
func (c *Client) HealthCheck(ctx context.Context) (Health, error) {
	var health Health
	err := c.Do(ctx, TypeHealthCheck, nil, &health)
	return health, err
}

// Primary tells the component whether it is its target's primary in term.
func (c *Client) Primary(ctx context.Context, primary bool, term uint64) error {
	return c.Do(ctx, TypePrimary, PrimaryNotice{Primary: primary, Term: term}, nil)
}

// Data asks for data and hands each answer to each, the last one included. An
// endless request ends with ctx or with an error of each; both cancel it on
// the other side.
func (c *Client) Data(ctx context.Context, r DataRequest, each func(Data) error) error {
	reply, err := c.send(ctx, TypeDataRequest, r, func(reply exchange.Reply) error {
		var d Data
		if err := decodeReply(reply, &d); err != nil {
			return err
		}
		return each(d)
	})
	if err != nil {
		return err
	}
	var d Data
	if err := decodeReply(reply, &d); err != nil {
		return err
	}
	return each(d)
}

// DataOnce asks for data once.
func (c *Client) DataOnce(ctx context.Context, ids ...Identifier) (Data, error) {
	var got Data
	err := c.Data(ctx, DataRequest{Identifiers: ids, RepetitionCount: 1}, func(d Data) error {
		got = d
		return nil
	})
	return got, err
}

// Status reports e to the peer and waits for its acknowledgement.
func (c *Client) Status(ctx context.Context, e StatusEvent) error {
	return c.Do(ctx, TypeStatus, e, nil)
}

func (c *Client) send(ctx context.Context, typ string, in any, each func(exchange.Reply) error) (exchange.Reply, error) {
	if err := validate(in); err != nil {
		return exchange.Reply{}, fmt.Errorf("cannot send %s: %w", typ, err)
	}
	cmd, err := exchange.NewCommand(typ, in)
	if err != nil {
		return exchange.Reply{}, fmt.Errorf("cannot send %s: %w", typ, err)
	}
	reply, err := c.caller.Stream(ctx, cmd, each)
	if err != nil {
		return reply, fmt.Errorf("%s: %w", typ, err)
	}
	return reply, reply.Err()
}

// Value decodes the value of id; an entry in Errors is returned as the error,
// and so is its absence.
func (d Data) Value(id Identifier, out any) error {
	if why, failed := d.Errors[id]; failed {
		return fmt.Errorf("%s: %s", id, why)
	}
	raw, ok := d.Values[id]
	if !ok {
		return fmt.Errorf("%s: %w", id, errNotAnswered)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return nil
}

var errNotAnswered = errors.New("was not answered")

func decodeReply(r exchange.Reply, out any) error {
	if out == nil {
		return nil
	}
	if len(r.Payload) > 0 {
		if err := json.Unmarshal(r.Payload, out); err != nil {
			return fmt.Errorf("cannot read the reply to %s: %w", r.Type, err)
		}
	}
	if err := validate(out); err != nil {
		return fmt.Errorf("the reply to %s is not valid: %w", r.Type, err)
	}
	return nil
}

// validator is what a payload with rules of its own implements.
type validator interface{ Validate() error }

func validate(payload any) error {
	if v, ok := payload.(validator); ok {
		return v.Validate()
	}
	return nil
}
