package cluster

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Files of a folder whose engine has something to restore, or has restored it.
const (
	pendingFile  = "pending.snapshot"
	restoredFile = "restored.snapshot"
)

// chunkAgain is after how long a chunk is sent again that nobody has seen; who
// restores a stream waits 5 s for each.
const chunkAgain = 20 * time.Millisecond

// restoredKey is which snapshot a stream was restored from.
const restoredKey = "peerd-restored"

// ReadManifest tells what a snapshot is of. It fails for one that is not whole.
func ReadManifest(path string) (Manifest, error) {
	var m Manifest
	err := eachFile(path, func(name string, body io.Reader) error {
		if name == manifestName {
			return json.NewDecoder(body).Decode(&m)
		}
		return nil
	})
	if err == nil && m.ID == "" {
		err = errors.New("it is not whole")
	}
	if err != nil {
		return m, fmt.Errorf("cannot read snapshot %s: %w", path, err)
	}
	return m, nil
}

// eachFile calls f for each file of an archive.
func eachFile(path string, f func(name string, body io.Reader) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	archive := tar.NewReader(file)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(h.Name, archive)
		}
		if err != nil {
			return err
		}
	}
}

// restorePending restores what a migration or a restore has left in the folder.
// It can be interrupted at any time, and goes on at the next start.
func (e *NATS) restorePending(ctx context.Context) error {
	path := filepath.Join(e.dir, pendingFile)
	m, err := ReadManifest(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var d described
	err = eachFile(path, func(name string, body io.Reader) error {
		switch {
		case strings.HasSuffix(name, ".data"):
			return e.unpack(ctx, m.ID, d, body)
		case name != manifestName:
			d = described{}
			return json.NewDecoder(body).Decode(&d)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot restore %s: %w", path, explain(err))
	}
	e.pending.Store(false)
	return errors.Join(os.Rename(path, filepath.Join(e.dir, restoredFile)), syncFolder(e.dir))
}

// unpack restores one stream, unless it has been restored from this snapshot.
func (e *NATS) unpack(ctx context.Context, id string, d described, body io.Reader) error {
	name := d.Config.Name
	var state jetstream.StreamState
	if err := json.Unmarshal(d.State, &state); err != nil {
		return err
	}
	// While a stream is being restored, or its restoring given up, nobody may answer.
	asked, cancel := context.WithTimeout(ctx, askTimeout)
	stream, err := e.js.Stream(asked, name)
	cancel()
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
	case err != nil:
		return err
	case stream.CachedInfo().Config.Metadata[restoredKey] != id:
		return fmt.Errorf("bucket %s is there already: only a new engine takes a snapshot; stop all controllers, move their folders away, and restore again", name)
	case stream.CachedInfo().State.LastSeq >= state.LastSeq:
		return nil
	default: // it was interrupted
		if err := e.js.DeleteStream(ctx, name); err != nil {
			return err
		}
	}
	d.Config.Replicas, d.Config.Storage, d.Config.Placement = e.replicas, jetstream.FileStorage, nil
	d.Config.Metadata = map[string]string{durableKey: "1", restoredKey: id}
	return e.send(ctx, d, body)
}

// send sends a stream to be restored, chunk by chunk.
func (e *NATS) send(ctx context.Context, d described, body io.Reader) error {
	request, err := json.Marshal(d)
	if err != nil {
		return err
	}
	var to struct {
		DeliverSubject string `json:"deliver_subject"`
	}
	if err := e.api(ctx, "STREAM.RESTORE."+d.Config.Name, request, &to); err != nil {
		return err
	}
	chunk := make([]byte, snapshotChunk)
	for {
		n, err := io.ReadFull(body, chunk)
		last := n == 0
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return err
		}
		if err := e.sendChunk(ctx, to.DeliverSubject, chunk[:n]); err != nil || last {
			return err
		}
	}
}

// sendChunk sends a chunk until somebody takes it: where to may be known before it
// is known who is there.
func (e *NATS) sendChunk(ctx context.Context, to string, chunk []byte) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotStall)
	defer cancel()
	for {
		answer, err := e.conn.RequestWithContext(ctx, to, chunk)
		switch {
		case unanswered(err):
			if err := pauseFor(ctx, chunkAgain); err != nil {
				return err
			}
		case err != nil:
			return err
		case len(answer.Data) > 0:
			return apiAnswer(answer.Data, &struct{}{})
		default:
			return nil
		}
	}
}

// pendingSubject is where a node of a cluster says whether it has something to
// restore.
func (e *NATS) pendingSubject(node string) string {
	return encodeKey("engine/"+e.mark.Cluster+"/"+node) + ".=pending"
}

// answerPending has the other nodes wait with new buckets until this one has
// restored what it has.
func (e *NATS) answerPending() error {
	_, err := e.conn.Subscribe(e.pendingSubject(e.node), func(m *nats.Msg) {
		_ = m.Respond(fmt.Append(nil, e.pending.Load()))
	})
	return err
}

// rollCall fails unless all nodes of the cluster are there and none of them has
// something to restore: only then a bucket that is not there is a new one.
func (e *NATS) rollCall(ctx context.Context) error {
	if e.mark.Mode != modeClustered {
		return nil
	}
	there := e.Members()
	if len(there) < e.size {
		return fmt.Errorf("%w: the first start needs all %d controllers", ErrUnavailable, e.size)
	}
	for _, name := range there {
		m, err := e.conn.RequestWithContext(ctx, e.pendingSubject(name), nil)
		if err != nil {
			return fmt.Errorf("%w: controller %s does not answer (%w)", ErrUnavailable, name, err)
		}
		if string(m.Data) == "true" {
			return fmt.Errorf("%w: controller %s restores a snapshot", ErrUnavailable, name)
		}
	}
	return nil
}
