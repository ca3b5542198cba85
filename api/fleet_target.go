package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// To says which of a target's peers is meant. The zero value is the one with the
// fewest commands in flight.
type To struct {
	Primary bool
	Channel string // an ID; "": not a certain one
}

// Target returns a client of the peers of one target.
func (f *FleetClient) Target(id string, to To) *TargetClient {
	return &TargetClient{fleet: f, target: id, to: to}
}

// TargetClient calls the operations of a peer by way of a controller. It is used
// as Client is.
type TargetClient struct {
	fleet  *FleetClient
	target string
	to     To
}

// Close closes idle connections.
func (t *TargetClient) Close() { t.fleet.Close() }

func (t *TargetClient) path() string {
	return fmt.Sprintf("/targets/%s/commands", url.PathEscape(t.target))
}

// fleetCommand is the body of a command to a target.
type fleetCommand struct {
	Type      string `json:"type"`
	Payload   any    `json:"payload,omitempty"`
	TimeoutMs int64  `json:"timeoutMs,omitempty"`
	Primary   bool   `json:"primary,omitempty"`
	Channel   string `json:"channelId,omitempty"`
}

func (t *TargetClient) command(ctx context.Context, typ string, req any) (fleetCommand, error) {
	op, ok := control.Lookup(typ)
	if !ok {
		return fleetCommand{}, control.Errorf(control.CodeUsage, "there is no operation %s", typ)
	}
	c := fleetCommand{Type: op.Type, Payload: req, Primary: t.to.Primary, Channel: t.to.Channel, TimeoutMs: longest.Milliseconds()}
	if deadline, ok := ctx.Deadline(); ok {
		c.TimeoutMs = max(1, time.Until(deadline).Milliseconds())
	}
	return c, nil
}

// longest is how long a command may take whose caller has set no limit: the
// controller would end it after its own, shorter one.
const longest = 24 * time.Hour

// Call runs the operation on the peer that is meant and decodes its answer into
// resp (nil: dropped). It blocks until the answer or ctx's end.
func (t *TargetClient) Call(ctx context.Context, typ string, req, resp any) error {
	return t.persist(ctx, req, func(req any) error { return t.call(ctx, typ, req, resp) })
}

// A peer that becomes another program is away from its controller for a moment.
const (
	awayPause = 200 * time.Millisecond
	awayLimit = 20 * time.Second
)

// persist is the Client's, with patience for a peer that is not back yet.
func (t *TargetClient) persist(ctx context.Context, req any, ask func(req any) error) error {
	var back time.Time // when it must be there again; zero: it was not away
	return persist(ctx, req, func(req any) error {
		for {
			err := ask(req)
			if _, away := control.ToAskAgain(err); away {
				back = time.Now().Add(awayLimit)
				return err
			}
			code := control.CodeFailed
			if err != nil {
				code = control.AsError(err).Code
			}
			if time.Now().After(back) || code != control.CodeNotFound && code != control.CodeUnreachable {
				return err
			}
			select {
			case <-time.After(awayPause):
			case <-ctx.Done():
				return err
			}
		}
	})
}

func (t *TargetClient) call(ctx context.Context, typ string, req, resp any) error {
	c, err := t.command(ctx, typ, req)
	if err != nil {
		return err
	}
	var reply exchange.Reply
	if err := t.fleet.Do(ctx, http.MethodPost, t.path(), c, &reply); err != nil {
		return err
	}
	if err := control.ReplyError(reply); err != nil || resp == nil {
		return err
	}
	if err := json.Unmarshal(reply.Payload, resp); err != nil {
		return control.Errorf(control.CodeFailed, "cannot read the answer to %s: %v", typ, err)
	}
	return nil
}

// Stream runs the operation and hands each intermediate reply to each, in order;
// an error from each ends the stream and is returned. The result is the terminal
// reply's payload. A controller that passes no intermediate replies on gives the
// result alone.
func (t *TargetClient) Stream(ctx context.Context, typ string, req any, each func(item json.RawMessage) error) (result json.RawMessage, err error) {
	err = t.persist(ctx, req, func(req any) (err error) {
		result, err = t.stream(ctx, typ, req, each)
		return err
	})
	return result, err
}

func (t *TargetClient) stream(ctx context.Context, typ string, req any, each func(item json.RawMessage) error) (json.RawMessage, error) {
	c, err := t.command(ctx, typ, req)
	if err != nil {
		return nil, err
	}
	body, err := t.fleet.send(ctx, http.MethodPost, t.path(), c, typeNDJSON)
	if err != nil {
		return nil, err
	}
	defer body.Close() // before the stream's end it tells the controller to stop
	replies := json.NewDecoder(body)
	for {
		reply, err := t.next(ctx, typ, replies)
		switch {
		case err != nil:
			return nil, err
		case reply.Status.Terminal():
			return reply.Payload, control.ReplyError(reply)
		}
		if err := each(reply.Payload); err != nil {
			return nil, err
		}
	}
}

// next reads one reply, or why there is none.
func (t *TargetClient) next(ctx context.Context, typ string, replies *json.Decoder) (exchange.Reply, error) {
	var raw json.RawMessage
	switch err := replies.Decode(&raw); {
	case errors.Is(err, io.EOF):
		return exchange.Reply{}, control.Errorf(control.CodeUnreachable, "the controller at %s ended the stream of %s without a result: it may have stopped", t.fleet.address, typ)
	case err != nil:
		return exchange.Reply{}, t.fleet.broken(ctx, err)
	}
	var failed struct {
		Error *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(raw, &failed) == nil && failed.Error != nil {
		return exchange.Reply{}, control.Errorf(fleetCode(failed.Error.Code), "the controller at %s: %s", t.fleet.address, failed.Error.Message)
	}
	var reply exchange.Reply
	if err := json.Unmarshal(raw, &reply); err != nil {
		return reply, control.Errorf(control.CodeFailed, "cannot read the answer to %s: %v", typ, err)
	}
	return reply, nil
}
