package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrUnavailable is why an engine takes nothing: too few of its nodes are there
// to decide. What was taken before is not lost, and it comes back by itself.
var ErrUnavailable = errors.New("the engine has no majority of its nodes")

// Times of waiting for a majority.
const (
	askAgain   = 250 * time.Millisecond
	askTimeout = 2 * time.Second
)

// Codes of JetStream for what passes when more nodes are there, or when those that
// are there have heard of the last change.
var awaited = []jetstream.ErrorCode{
	10005, // fewer nodes than replicas
	10009, // not the leader
	10118, // offline
	10130, // a stream to be restored was deleted, or its restoring given up, a moment ago
	10194, // offline, with a reason
}

// Wait returns when the engine can decide, and has restored what a migration left
// to it, or ctx ends. Meanwhile it tells what is missing, each time that changes.
func (e *NATS) Wait(ctx context.Context, tell func(missing string)) error {
	told := ""
	for {
		asked, cancel := context.WithTimeout(ctx, askTimeout)
		_, err := e.js.AccountInfo(asked)
		cancel()
		if err == nil {
			err = e.restorePending(ctx)
		}
		if err == nil {
			e.trouble.over()
			return nil
		}
		if !errors.Is(explain(err), ErrUnavailable) {
			return fmt.Errorf("cannot open the engine: %w", err)
		}
		if missing := e.missing(err); missing != told {
			told = missing
			tell(missing)
		}
		if err := pauseFor(ctx, askAgain); err != nil {
			return fmt.Errorf("%w: %s", err, told)
		}
	}
}

// missing says what the engine waits for.
func (e *NATS) missing(err error) string {
	if e.server == nil {
		return fmt.Sprintf("waits for the NATS servers at %s: %v", strings.Join(e.conn.Servers(), ", "), e.trouble.why(e.conn, err))
	}
	if e.size == 0 {
		return "starts"
	}
	return fmt.Sprintf("waits for a majority of the %d controllers of cluster %s: there are %s", e.size, e.mark.Cluster, strings.Join(e.Members(), ", "))
}

// Members are the names of the nodes of the cluster that this one has a route
// to, its own among them; only its own where it is alone or the servers are
// elsewhere.
func (e *NATS) Members() []string {
	there := []string{e.node}
	if e.server == nil {
		return there
	}
	routes, err := e.server.Routez(&server.RoutezOptions{})
	if err != nil {
		return there
	}
	for _, r := range routes.Routes {
		there = append(there, r.RemoteName)
	}
	slices.Sort(there)
	return slices.Compact(there)
}

// patiently does what may have to wait for other nodes until it is done, fails
// for good, or ctx ends.
func (e *NATS) patiently(ctx context.Context, do func(context.Context) error) error {
	for {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		err := explain(do(once))
		cancel()
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		if pauseFor(ctx, askAgain) != nil {
			return fmt.Errorf("%w; it %s", err, e.missing(err))
		}
	}
}

// explain marks an error that means that there is no majority.
func explain(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
		return err
	case errors.As(err, &api):
		if api.Code == http.StatusServiceUnavailable || slices.Contains(awaited, api.ErrorCode) {
			break
		}
		return err
	case unanswered(err), errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting):
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", ErrUnavailable, err)
}

// unanswered tells of a request that certainly nobody has seen.
func unanswered(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)
}

// pauseFor waits, and returns ctx's error if that ends first.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
