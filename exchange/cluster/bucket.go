package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// codeInFlight is JetStream's refusal of a write while another one of the same
// key is under way. It does not tell who was first.
const codeInFlight = jetstream.ErrorCode(10164)

// tries bounds how often such a write is tried again, pause apart.
const (
	tries = 50
	pause = 2 * time.Millisecond
)

type natsBucket struct {
	kv      jetstream.KeyValue
	js      jetstream.JetStream
	subject string // what the keys come after
	ttl     time.Duration
}

func (b *natsBucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.kv.Get(ctx, encodeKey(key))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return Entry{}, ErrNotFound
	case err != nil:
		return Entry{}, fmt.Errorf("cannot read %s: %w", key, err)
	}
	return Entry{Key: key, Value: e.Value(), Revision: e.Revision()}, nil
}

func (b *natsBucket) Put(ctx context.Context, key string, value []byte, after uint64) (uint64, error) {
	var revision uint64
	err := retry(ctx, func() (err error) {
		revision, err = b.put(ctx, key, value, after)
		return err
	})
	if err != nil {
		return 0, named(key, err)
	}
	return revision, nil
}

func (b *natsBucket) put(ctx context.Context, key string, value []byte, after uint64) (uint64, error) {
	if after == 0 {
		var o []jetstream.KVCreateOpt
		if b.ttl > 0 {
			o = append(o, jetstream.KeyTTL(b.ttl))
		}
		return b.kv.Create(ctx, encodeKey(key), value, o...)
	}
	var o []jetstream.PublishOpt
	if after != Any {
		o = append(o, jetstream.WithExpectLastSequencePerSubject(after))
	}
	if b.ttl > 0 { // kv.Update would take the TTL away
		o = append(o, jetstream.WithMsgTTL(b.ttl))
	}
	ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject + encodeKey(key), Data: value, Header: nats.Header{}}, o...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (b *natsBucket) Delete(ctx context.Context, key string, after uint64) error {
	o := []jetstream.KVDeleteOpt{jetstream.PurgeTTL(markerTTL)}
	switch {
	case after == Any:
		if _, err := b.Get(ctx, key); errors.Is(err, ErrNotFound) {
			return nil
		}
	case after == 0:
		if _, err := b.Get(ctx, key); !errors.Is(err, ErrNotFound) {
			return errors.Join(err, ErrConflict)
		}
		return nil
	default:
		o = append(o, jetstream.LastRevision(after))
	}
	return named(key, retry(ctx, func() error { return b.kv.Purge(ctx, encodeKey(key), o...) }))
}

// Watch implements Bucket. A connection in this process is not lost; the
// watcher of a longer one goes on where it was.
func (b *natsBucket) Watch(ctx context.Context, prefix string, f func(Entry)) error {
	pattern := ">"
	if prefix != "" {
		pattern = encodeKey(prefix) + ".>"
	}
	w, err := b.kv.Watch(ctx, pattern)
	if err != nil {
		return fmt.Errorf("cannot watch %q: %w", prefix, err)
	}
	defer func() { _ = w.Stop() }()
	ready := false
	for {
		var e jetstream.KeyValueEntry
		var open bool
		select {
		case e, open = <-w.Updates():
		case <-ctx.Done():
			return nil
		}
		switch {
		case !open && ctx.Err() != nil:
			return nil
		case !open:
			return fmt.Errorf("the watch of %q broke", prefix)
		case e == nil:
			ready = true
			f(Entry{Ready: true})
		case e.Operation() == jetstream.KeyValuePut:
			f(Entry{Key: decodeKey(e.Key()), Value: e.Value(), Revision: e.Revision()})
		case ready:
			f(Entry{Key: decodeKey(e.Key()), Revision: e.Revision(), Deleted: true})
		}
	}
}

// retry does a write again that was refused for a reason that passes.
func retry(ctx context.Context, write func() error) error {
	for n := 0; ; n++ {
		err := write()
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != codeInFlight || n == tries {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// named names the key in an error, and a lost race as such.
func named(key string, err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists),
		errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return fmt.Errorf("cannot write %s: %w", key, err)
}
