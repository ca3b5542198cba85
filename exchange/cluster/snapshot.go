package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A snapshot is a tar archive: the manifest, and for each durable bucket what
// JetStream says of its stream, and the stream as JetStream packs it. Keys,
// values and revisions are the same after it is restored, whatever the mode.
const (
	manifestName  = "manifest.json"
	snapshotStall = 30 * time.Second // without a chunk
	snapshotChunk = 128 << 10
)

// durableKey marks the streams of durable buckets; the others are leases and
// views, which are made anew.
const durableKey = "peerd-durable"

// Manifest says what a snapshot is of.
type Manifest struct {
	ID      string    `json:"id"`
	Taken   time.Time `json:"taken"`
	Mode    string    `json:"mode"` // of the engine: standalone, clustered or external
	Cluster string    `json:"cluster,omitempty"`
	Node    string    `json:"node"`
	Buckets []string  `json:"buckets"`
}

// described is a stream as JetStream says it is.
type described struct {
	Config jetstream.StreamConfig `json:"config"`
	State  json.RawMessage        `json:"state"`
}

// Snapshot writes all durable buckets to a file, which must not exist. Each
// bucket is as it was at one moment, but not all at the same. It may take a while,
// and disturbs nobody.
func (e *NATS) Snapshot(ctx context.Context, path string) (Manifest, error) {
	m, err := e.snapshot(ctx, path)
	if err != nil {
		return m, fmt.Errorf("cannot take a snapshot: %w", explain(err))
	}
	return m, nil
}

func (e *NATS) snapshot(ctx context.Context, path string) (Manifest, error) {
	m := Manifest{ID: uuid.NewString(), Taken: time.Now().UTC(), Mode: string(e.mark.Mode), Cluster: e.mark.Cluster, Node: e.node}
	if _, err := os.Stat(path); err == nil {
		return m, fmt.Errorf("%s is there already", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return m, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	archive := tar.NewWriter(f)
	streams := e.js.ListStreams(ctx)
	for info := range streams.Info() {
		if !isDurable(info.Config, e.mark.Mode) {
			continue
		}
		if err := e.pack(ctx, archive, info.Config.Name); err != nil {
			return m, fmt.Errorf("bucket %s: %w", info.Config.Name, err)
		}
		m.Buckets = append(m.Buckets, info.Config.Name)
	}
	if err := streams.Err(); err != nil {
		return m, err
	}
	if err := addJSON(archive, manifestName, m); err != nil { // last: without it a snapshot is not complete
		return m, err
	}
	return m, errors.Join(archive.Close(), f.Sync(), f.Close(), os.Rename(f.Name(), path), syncFolder(filepath.Dir(path)))
}

// isDurable tells whether a stream is of a durable bucket. A store from before
// they were marked has nothing else on disk.
func isDurable(c jetstream.StreamConfig, m mode) bool {
	if !strings.HasPrefix(c.Name, bucketPrefix) {
		return false
	}
	return c.Metadata[durableKey] != "" || m == modeStandalone && c.Storage == jetstream.FileStorage
}

// pack adds one stream to an archive.
func (e *NATS) pack(ctx context.Context, archive *tar.Writer, stream string) error {
	inbox := nats.NewInbox()
	sub, err := e.conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	request := fmt.Appendf(nil, `{"deliver_subject":%q,"no_consumers":true,"chunk_size":%d}`, inbox, snapshotChunk)
	var d described
	if err := e.api(ctx, "STREAM.SNAPSHOT."+stream, request, &d); err != nil {
		return err
	}
	// An archive needs the size of what is in it beforehand.
	body, err := os.CreateTemp("", "peerd-snapshot-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(body.Name()) }()
	defer body.Close()
	size, err := receive(ctx, sub, body)
	if err != nil {
		return err
	}
	if err := addJSON(archive, stream+".json", d); err != nil {
		return err
	}
	return addFile(archive, stream+".data", body, size)
}

// receive writes the chunks of a stream, each of which is acknowledged.
func receive(ctx context.Context, sub *nats.Subscription, to io.Writer) (size int64, err error) {
	for {
		waiting, cancel := context.WithTimeout(ctx, snapshotStall)
		m, err := sub.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			return size, err
		}
		if len(m.Data) == 0 { // the end, good or bad
			if status := m.Header.Get("Status"); status != "" && status != "204" {
				return size, fmt.Errorf("%s %s", status, m.Header.Get("Description"))
			}
			return size, nil
		}
		n, err := to.Write(m.Data)
		size += int64(n)
		if err != nil {
			return size, err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return size, err
			}
		}
	}
}

// api asks JetStream for what its client has no method for.
func (e *NATS) api(ctx context.Context, what string, request []byte, answer any) error {
	timed, cancel := context.WithTimeout(ctx, snapshotStall)
	defer cancel()
	m, err := e.conn.RequestWithContext(timed, "$JS.API."+what, request)
	if err != nil {
		return err
	}
	return apiAnswer(m.Data, answer)
}

func apiAnswer(data []byte, answer any) error {
	var failed struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &failed); err != nil {
		return err
	}
	if failed.Error != nil {
		return failed.Error
	}
	return json.Unmarshal(data, answer)
}

func addJSON(archive *tar.Writer, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return addFile(archive, name, bytes.NewReader(data), int64(len(data)))
}

// addFile adds what is in a file, from its beginning.
func addFile(archive *tar.Writer, name string, body io.ReadSeeker, size int64) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size}); err != nil {
		return err
	}
	_, err := io.Copy(archive, body)
	return err
}

// syncFolder makes sure that what was renamed in a folder stays so.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
