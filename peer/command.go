package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// commandTimeout bounds a single command to a component when the caller sets
// no shorter time.
const commandTimeout = 10 * time.Second

// tell sends one command to the component behind v and returns its terminal
// reply; an ERROR reply is a value.
func (p *Peer) tell(ctx context.Context, v *supervisor.View, typ string, payload any, each func(exchange.Reply) error) (exchange.Reply, error) {
	return p.tellOnce(ctx, v, typ, payload, "", each)
}

// tellOnce is tell with the key by which the component knows a command that
// comes again; "" is none.
func (p *Peer) tellOnce(ctx context.Context, v *supervisor.View, typ string, payload any, key string, each func(exchange.Reply) error) (exchange.Reply, error) {
	c, err := commander(v)
	if err != nil {
		return exchange.Reply{}, err
	}
	cmd, err := exchange.NewCommand(typ, payload)
	if err != nil {
		return exchange.Reply{}, control.Errorf(control.CodeUsage, "cannot build %s: %v", typ, err)
	}
	cmd.IdempotencyKey = key
	if each == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commandTimeout)
		defer cancel()
	}
	reply, err := c.Call(ctx, cmd, each)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, exchange.ErrTimeout):
		return reply, control.Errorf(control.CodeTimeout, "%s did not answer %s in time", v.Name, typ)
	case err != nil:
		return reply, control.Errorf(control.CodeFailed, "%s to %s failed: %v", typ, v.Name, err)
	}
	return reply, nil
}

// commander returns the way to the component or says why there is none.
func commander(v *supervisor.View) (supervisor.Commander, error) {
	if !v.Spec.CCP {
		return nil, control.Errorf(control.CodeFailed, "component has no CCP channel: %s is a plain process", v.Name)
	}
	c := v.Commander()
	if c == nil {
		return nil, control.Errorf(control.CodeFailed, "%s is %s, not running%s", v.Name, v.Machine.Status, reason(v))
	}
	return c, nil
}

// reachable waits, for as long as a command may take, for the channel to a
// component that lives: a peer that has just come back opens it anew.
func (p *Peer) reachable(ctx context.Context, v *supervisor.View) *supervisor.View {
	if !v.Spec.CCP || v.AtRest() {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	now, err := p.sup.Wait(ctx, v.Key, func(v *supervisor.View) bool { return v.Version != "" || v.AtRest() })
	if err != nil {
		return v
	}
	return now
}

// ask is tell that decodes the payload of a success into out.
func (p *Peer) ask(ctx context.Context, v *supervisor.View, typ string, payload, out any) error {
	reply, err := p.tell(ctx, v, typ, payload, nil)
	if err != nil {
		return err
	}
	if err := reply.Err(); err != nil {
		return control.Errorf(control.CodeFailed, "%s refused %s: %v", v.Name, typ, err)
	}
	if err := json.Unmarshal(reply.Payload, out); err != nil {
		return control.Errorf(control.CodeFailed, "%s answered %s with an unreadable payload: %v", v.Name, typ, err)
	}
	return nil
}

func (p *Peer) reportState(ctx context.Context, r control.NameRequest, _ progress) (control.StateReport, error) {
	v, err := p.one(r)
	if err != nil {
		return control.StateReport{}, err
	}
	var rep ccp.StateReport
	if err := p.ask(ctx, v, ccp.TypeReportState, struct{}{}, &rep); err != nil {
		return control.StateReport{}, err
	}
	return control.StateReport{
		Name: v.Name, State: rep.State, Since: rep.Since,
		OperationScope: rep.OperationScope, ErrorMessage: rep.ErrorMessage,
	}, nil
}

// setLogLevel changes a level in the component; with Persist the peer gives it
// to later generations too.
func (p *Peer) setLogLevel(ctx context.Context, r control.LogLevelRequest, _ progress) (control.LogLevels, error) {
	v, err := p.one(r.NameRequest)
	if err != nil {
		return control.LogLevels{}, err
	}
	logger := r.Logger
	if logger == "" {
		logger = "root"
	}
	var now ccp.LogLevelMap
	req := ccp.LogLevelMap{Levels: map[string]string{logger: r.Level}}
	if err := p.ask(ctx, v, ccp.TypeSetLogLevel, req, &now); err != nil {
		return control.LogLevels{}, err
	}
	if r.Persist {
		if err := p.levels.put(v.Key, logger, r.Level); err != nil {
			return control.LogLevels{}, control.Errorf(control.CodeFailed, "the level is in force, but cannot be kept: %v", err)
		}
	}
	return control.LogLevels{Levels: now.Levels}, nil
}

func (p *Peer) send(ctx context.Context, r control.SendRequest, tell progress) (control.SendReply, error) {
	v, err := p.one(r.NameRequest)
	if err != nil {
		return control.SendReply{}, err
	}
	var payload any = struct{}{}
	if len(r.Payload) > 0 {
		payload = r.Payload
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return p.sendAny(ctx, v, r.Type, payload, func(rep exchange.Reply) error { return tell(rep.Payload) })
}

// sendTimeout bounds `send` when the caller gives up no earlier.
const sendTimeout = 10 * time.Minute

func (p *Peer) sendAny(ctx context.Context, v *supervisor.View, typ string, payload any, each func(exchange.Reply) error) (control.SendReply, error) {
	a := attemptFrom(ctx)
	if a != nil {
		v = p.reachable(ctx, v)
	}
	key, err := a.ask(v, runsOnce(v))
	if err != nil {
		return control.SendReply{}, err
	}
	reply, err := p.tellOnce(ctx, v, typ, payload, key, each)
	if err != nil {
		return control.SendReply{}, err
	}
	return control.SendReply{
		Type: reply.Type, Status: string(reply.Status),
		ErrorDetails: reply.ErrorDetails, Payload: reply.Payload,
	}, nil
}

func (p *Peer) flush(ctx context.Context, r control.NameRequest, _ progress) (control.SendReply, error) {
	return p.simple(ctx, r, ccp.TypeFlushMessages)
}

func (p *Peer) dumpStack(ctx context.Context, r control.NameRequest, _ progress) (control.SendReply, error) {
	return p.simple(ctx, r, ccp.TypeDumpStack)
}

// simple sends a command without payload; a refusal is a failure.
func (p *Peer) simple(ctx context.Context, r control.NameRequest, typ string) (control.SendReply, error) {
	v, err := p.one(r)
	if err != nil {
		return control.SendReply{}, err
	}
	rep, err := p.sendAny(ctx, v, typ, struct{}{}, nil)
	if err == nil && rep.Status == string(exchange.Failed) {
		err = control.Errorf(control.CodeFailed, "%s refused %s: %s", v.Name, typ, rep.ErrorDetails)
	}
	return rep, err
}

// clearLogs empties the captured files, and tells a component that keeps logs
// of its own.
func (p *Peer) clearLogs(ctx context.Context, r control.NameRequest, _ progress) (control.SendReply, error) {
	v, err := p.one(r)
	if err != nil {
		return control.SendReply{}, err
	}
	if _, err := attemptFrom(ctx).ask(v, false); err != nil {
		return control.SendReply{}, err
	}
	if err := onDisk(p.logFolder(v.Key), func() error { return p.clearCaptured(ctx, v) }); err != nil {
		return control.SendReply{}, control.Errorf(control.CodeFailed, "cannot clear the logs of %s: %v", v.Name, err)
	}
	if v.Spec.CCP && v.Machine.Status == lifecycle.Running {
		for _, typ := range []string{ccp.TypeClearOutLogs, ccp.TypeClearErrLogs} {
			if _, err := p.tell(ctx, v, typ, struct{}{}, nil); err != nil {
				return control.SendReply{}, err
			}
		}
	}
	return control.SendReply{Type: control.OpClearLogs, Status: string(exchange.Succeeded)}, nil
}

// exitText is an exit in words.
func exitText(e lifecycle.Exit) string {
	switch {
	case e.Signal != "":
		return "signal " + e.Signal
	case e.Code >= 0:
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return "an unknown exit: " + e.Reason
}
