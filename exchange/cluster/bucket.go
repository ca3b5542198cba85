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

// codeNoReplicas is its refusal of replicas by a server that is alone.
const codeNoReplicas = jetstream.ErrorCode(10074)

// tries bounds how often such a write is tried again, pause apart. A write that
// nobody has seen, as a bucket has no leader for the moment, is tried again for
// as long as choosing one takes.
const (
	tries    = 50
	pause    = 2 * time.Millisecond
	patience = 12 * time.Second
)

type natsBucket struct {
	kv      jetstream.KeyValue
	js      jetstream.JetStream
	stream  jetstream.Stream
	subject string // what the keys come after
	ttl     time.Duration
}

func (b *natsBucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.kv.Get(ctx, encodeKey(key))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return Entry{}, ErrNotFound
	case err != nil:
		return Entry{}, fmt.Errorf("cannot read %s: %w", key, explain(err))
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

// retry does a write again that was refused for a reason that passes: nobody
// has seen it, or another one of the key is under way. One that may have been
// taken is not done again.
func retry(ctx context.Context, write func() error) error {
	unseen := time.Now().Add(patience)
	for n := 0; ; n++ {
		err := write()
		wait := pause
		switch {
		case hasCode(err, codeInFlight) && n < tries:
		case unanswered(err) && time.Now().Before(unseen):
			wait = askAgain
		default:
			return err
		}
		if pauseFor(ctx, wait) != nil {
			return err
		}
	}
}

// named names the key in an error, and a lost race as such.
func named(key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists), hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence):
		return fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return fmt.Errorf("cannot write %s: %w", key, explain(err))
}

// hasCode tells whether JetStream refused something with a code.
func hasCode(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}
