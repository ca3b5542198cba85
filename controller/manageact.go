package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// commandJSON is a command as callers send it.
type commandJSON struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Payload        json.RawMessage `json:"payload"`
	IdempotencyKey string          `json:"idempotencyKey"`
	TraceParent    string          `json:"traceparent"`
}

func (c commandJSON) command(who Identity) exchange.Command {
	return exchange.Command{
		ID: c.ID, Type: c.Type, Payload: c.Payload, IdempotencyKey: c.IdempotencyKey, TraceParent: c.TraceParent,
		Caller: who.Name,
	}
}

// sendJSON is the body of POST /targets/{id}/commands.
type sendJSON struct {
	commandJSON
	TimeoutMS int    `json:"timeoutMs"` // 0: the controller's default
	Key       string `json:"key"`       // see Choice
	Primary   bool   `json:"primary"`
	Channel   string `json:"channelId"`
	All       bool   `json:"all"` // one answer for each channel
}

// answerJSON is one channel's answer to a command for all.
type answerJSON struct {
	Channel string          `json:"channelId"`
	Reply   *exchange.Reply `json:"reply"`
	Error   *errorJSON      `json:"error"`
}

type errorJSON struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// send sends a command and answers with its reply, be that an ERROR.
func (m *management) send(q request) (any, error) {
	var body sendJSON
	if err := decode(q, &body); err != nil {
		return nil, err
	}
	if body.Type == "" || body.TimeoutMS < 0 {
		return nil, badRequest("a command needs a type, and a timeoutMs that is not negative")
	}
	target := q.PathValue("id")
	if err := m.allow(q, target, body.Type); err != nil {
		return nil, err
	}
	ctx := q.Context()
	if body.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(body.TimeoutMS)*time.Millisecond)
		defer cancel()
	}
	cmd, how := body.command(q.who), Choice{Key: body.Key, Primary: body.Primary, Channel: body.Channel}
	switch {
	case body.All:
		return m.broadcast(ctx, target, cmd)
	case wantsStream(q.Request):
		return m.stream(ctx, q, target, cmd, how)
	}
	reply, err := m.c.Send(ctx, target, cmd, how)
	if err != nil {
		return nil, err
	}
	return reply, nil
}

func (m *management) broadcast(ctx context.Context, target string, cmd exchange.Command) (any, error) {
	answers, err := m.c.Broadcast(ctx, target, cmd)
	if err != nil {
		return nil, err
	}
	list := make([]answerJSON, len(answers))
	for i, a := range answers {
		list[i].Channel = a.Channel.ID
		if a.Err != nil {
			list[i].Error = &errorJSON{statusOf(a.Err), a.Err.Error()}
			continue
		}
		list[i].Reply = &a.Reply
	}
	return list, nil
}

// kick ends a channel; with reconnect=false its connector does not come back.
func (m *management) kick(q request) (any, error) {
	ch, _, found := m.c.registry.find(q.PathValue("id"))
	if !found {
		return nil, notFound("there is no channel %q", q.PathValue("id"))
	}
	if err := m.allow(q, ch.Target, ActionKick); err != nil {
		return nil, err
	}
	if err := m.c.Kick(ch.ID, q.URL.Query().Get("reconnect") != "false"); err != nil {
		return nil, err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return sent{}, nil
}

// batchRequestJSON is the body of POST /targets/{id}/batchs.
type batchRequestJSON struct {
	ID       string        `json:"id"`
	Key      string        `json:"key"`
	MaxRetry *int          `json:"maxRetry"` // null: the default; 0: none
	Commands []commandJSON `json:"commands"`
}

// execute takes a batch and answers before it is carried out.
func (m *management) execute(q request) (any, error) {
	var body batchRequestJSON
	if err := decode(q, &body); err != nil {
		return nil, err
	}
	b := Batch{ID: body.ID, Key: body.Key, Target: q.PathValue("id")}
	switch {
	case body.MaxRetry != nil && *body.MaxRetry < 0:
		return nil, badRequest("maxRetry is %d, but must not be negative", *body.MaxRetry)
	case body.MaxRetry != nil && *body.MaxRetry == 0:
		b.MaxRetry = NoRetry
	case body.MaxRetry != nil:
		b.MaxRetry = *body.MaxRetry
	}
	for _, cmd := range body.Commands {
		if err := m.allow(q, b.Target, cmd.Type); err != nil {
			return nil, err
		}
		b.Commands = append(b.Commands, BatchCommand{Command: cmd.command(q.who)})
	}
	taken, err := m.c.batches.Execute(q.Context(), b)
	if err != nil {
		return nil, err
	}
	q.w.Header().Set("Location", m.base+"/batchs/"+taken.ID)
	return accepted{toBatchJSON(taken)}, nil
}

func (m *management) cancel(q request) (any, error) { return m.change(q, m.c.batches.Cancel) }

func (m *management) retry(q request) (any, error) { return m.change(q, m.c.batches.Retry) }

func (m *management) change(q request, do func(context.Context, string) (Batch, error)) (any, error) {
	b, err := m.c.batches.Get(q.PathValue("id"))
	if err != nil {
		return nil, notFound("there is no batch %q", q.PathValue("id"))
	}
	if err := m.allow(q, b.Target, ActionBatch); err != nil {
		return nil, err
	}
	if b, err = do(q.Context(), b.ID); err != nil {
		return nil, err
	}
	return toBatchJSON(b), nil
}

// follow sends events as they happen (text/event-stream), until the caller goes
// falls too far behind, or the controller ends; then the last event is "end".
func (m *management) follow(q request) (any, error) {
	events, leave := m.c.hub.follow()
	defer leave()
	out := http.NewResponseController(q.w)
	q.w.Header().Set("Content-Type", "text/event-stream")
	q.w.Header().Set("Cache-Control", "no-store")
	q.w.WriteHeader(http.StatusOK)
	for {
		if err := out.Flush(); err != nil {
			return sent{}, nil
		}
		select {
		case <-q.Context().Done():
			return sent{}, nil
		case ev, open := <-events:
			if !open {
				_, _ = fmt.Fprint(q.w, "event: end\ndata: {}\n\n")
				return sent{}, nil
			}
			data, err := json.Marshal(ev)
			if err != nil {
				continue
			}
			if _, err := fmt.Fprintf(q.w, "event: %s\ndata: %s\n\n", ev.Kind, data); err != nil {
				return sent{}, nil
			}
		}
	}
}
