package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// around is the engine of a controller that finds a way round: its servers pass a
// request on over one route only, and two nodes that are cut from each other may
// both reach a third. A request that certainly nobody has seen is sent once more,
// by way of a third; one that may have been seen is not. So it is never answered
// twice, and cluster.ErrNobody stays true.
type around struct {
	cluster.Engine
	c *Controller
}

// relay is what a node serves for the others to reach each other by.
func (c *Controller) relay(node string) string { return c.o.Identifier + "/relay/" + node }

// Request implements cluster.Engine. Only commands go round: whether a node is
// there for this one is another question.
func (a *around) Request(ctx context.Context, subject string, data []byte, each func([]byte) error) ([]byte, error) {
	answer, err := a.Engine.Request(ctx, subject, data, each)
	node, isNode := strings.CutPrefix(subject, a.c.subject(""))
	if !isNode || !errors.Is(err, cluster.ErrNobody) {
		return answer, err
	}
	for _, third := range a.c.registry.nodeNames() {
		if third == a.c.node || third == node || !a.c.registry.reached(third) {
			continue
		}
		if answer, err = a.by(ctx, third, node, data, each); !errors.Is(err, cluster.ErrNobody) {
			return answer, err
		}
	}
	return nil, err
}

// What the answer of a third begins with.
const (
	passedOn  = 'a' // the node's answer follows
	notSeen   = 'n' // by the node
	lostThere = 'l' // the node may have seen it, and has gone
)

// by asks a node by way of a third.
func (a *around) by(ctx context.Context, third, node string, data []byte, each func([]byte) error) ([]byte, error) {
	answer, err := a.Engine.Request(ctx, a.c.relay(third), append([]byte(node+"\n"), data...), each)
	switch {
	case err != nil:
		return nil, err
	case len(answer) > 0 && answer[0] == passedOn:
		return answer[1:], nil
	case string(answer) == string(notSeen):
		return nil, cluster.ErrNobody
	case string(answer) == string(lostThere):
		return nil, cluster.ErrLost
	}
	return nil, fmt.Errorf("cannot read the answer of node %s, which was asked to pass something on to node %s", third, node)
}

// pass passes a request on, as the third. Its parts and its cancellation go the
// same way.
func (a *around) pass(ctx context.Context, data []byte, part func([]byte) error) ([]byte, error) {
	node, request, _ := strings.Cut(string(data), "\n")
	if !a.c.registry.reached(node) {
		return []byte{notSeen}, nil
	}
	answer, err := a.Engine.Request(ctx, a.c.subject(node), []byte(request), part)
	switch {
	case errors.Is(err, cluster.ErrNobody):
		return []byte{notSeen}, nil
	case errors.Is(err, cluster.ErrLost), err != nil && ctx.Err() != nil: // or this node stops
		return []byte{lostThere}, nil
	case err != nil:
		return nil, err
	}
	return append([]byte{passedOn}, answer...), nil
}
