package ccp

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// Handle makes an exchange handler of a typed function: the payload is decoded
// and validated first, and what is wrong with it becomes the ERROR reply.
func Handle[In, Out any](f func(ctx context.Context, in In) (Out, error)) exchange.Handler {
	return func(ctx context.Context, req *exchange.Request) (any, error) {
		in, err := decode[In](req)
		if err != nil {
			return nil, err
		}
		return f(ctx, in)
	}
}

// Empty is a payload without fields.
type Empty struct{}

// HandleData answers DATA_REQUEST with what collect returns: at once, then at
// each interval until the repetitions are done or the request is cancelled. A
// tick that is missed because the channel is slow is left out, not made up
// for. The last repetition is the terminal reply.
func HandleData(collect func(ctx context.Context, r DataRequest) (Data, error)) exchange.Handler {
	return func(ctx context.Context, req *exchange.Request) (any, error) {
		req.ReplyType = TypeData
		r, err := decode[DataRequest](req)
		if err != nil {
			return nil, err
		}
		if !r.Repeats() {
			return collect(ctx, r)
		}
		ticker := time.NewTicker(time.Duration(r.IntervalMs) * time.Millisecond)
		defer ticker.Stop()
		for n := int64(1); ; n++ {
			data, err := collect(ctx, r)
			if err != nil || n == r.RepetitionCount {
				return data, err
			}
			if err := req.Progress(data); err != nil {
				return nil, err
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
}

// Source answers one identifier of a DATA_REQUEST.
type Source func(ctx context.Context, r DataRequest) (any, error)

// Collect builds a Data from one source for each identifier asked for at the
// instant at. An identifier without a source, a failing source, or a value
// that JSON cannot carry is an entry in Errors and spoils nothing else.
func Collect(ctx context.Context, at time.Time, r DataRequest, sources map[Identifier]Source) Data {
	d := Data{At: at, Values: make(map[Identifier]json.RawMessage, len(r.Identifiers))}
	for _, id := range r.Identifiers {
		raw, err := answer(ctx, id, r, sources)
		if err == nil {
			d.Values[id] = raw
			continue
		}
		if d.Errors == nil {
			d.Errors = make(map[Identifier]string)
		}
		d.Errors[id] = err.Error()
	}
	return d
}

func answer(ctx context.Context, id Identifier, r DataRequest, sources map[Identifier]Source) (json.RawMessage, error) {
	source, ok := sources[id]
	if !ok {
		return nil, fmt.Errorf("not supported")
	}
	value, err := source(ctx, r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func decode[T any](req *exchange.Request) (T, error) {
	var v T
	if err := req.Decode(&v); err != nil {
		return v, fmt.Errorf("%s: cannot read the payload: %w", req.Type, err)
	}
	if err := validate(v); err != nil {
		return v, fmt.Errorf("%s: %w", req.Type, err)
	}
	return v, nil
}
