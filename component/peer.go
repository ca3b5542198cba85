package component

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seed-04209a44/peerd/ccp"
)

// PeerClient commands the peer from inside a component. Its methods block
// while no peer is attached, until ctx ends; where a peer is lost during a
// call, the call is made again on the next one. Pass a context that came from
// the SDK, or one derived of it. Safe for concurrent use.
type PeerClient struct{}

// Peer returns the way back to the peer: commands and data requests.
func Peer() *PeerClient { return &PeerClient{} }

// Call sends a command of any type and returns the payload of its reply. An
// ERROR reply comes back as *exchange.ReplyError. Through the peer a component
// reaches whatever the peer, or a controller behind it, answers.
func (*PeerClient) Call(ctx context.Context, typ string, payload any) (json.RawMessage, error) {
	var out json.RawMessage
	err := withPeer(ctx, func(_ *runtime, client *ccp.Client) error { return client.Do(ctx, typ, payload, &out) })
	return out, err
}

// DataRequest asks the peer for data and hands each answer to each.
func (*PeerClient) DataRequest(ctx context.Context, r ccp.DataRequest, each func(ccp.Data) error) error {
	return withPeer(ctx, func(_ *runtime, client *ccp.Client) error { return client.Data(ctx, r, each) })
}

// Report tells the peer something worth recording; the state stays as it is.
func (*PeerClient) Report(ctx context.Context, severity ccp.StatusType, message string) error {
	return withPeer(ctx, func(r *runtime, client *ccp.Client) error {
		return client.Status(ctx, r.status(severity, message))
	})
}

// Progress tells the peer which share (0 to 1) of the present state is done,
// and so asks for more time in it. Long starts need it.
func (*PeerClient) Progress(ctx context.Context, done float64, message string) error {
	return withPeer(ctx, func(r *runtime, client *ccp.Client) error {
		e := r.status(ccp.Information, message)
		e.Progress = &done
		return client.Status(ctx, e)
	})
}

func withPeer(ctx context.Context, f func(*runtime, *ccp.Client) error) error {
	r := runtimeOf(ctx)
	if r == nil {
		return errors.New("no component runs here: the peer is reached from inside component.Main or component.Run")
	}
	return r.link.do(ctx, func(client *ccp.Client) error { return f(r, client) })
}
