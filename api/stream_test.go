package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/journal"
)

func TestEventStream(t *testing.T) {
	f := start(t, nil)
	resp, body := f.do(t, "GET", "/v1/events", "")
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("Content-Type %q", ct)
	}
	want := "id: 17\ndata: {\"seq\":17,"
	if !strings.HasPrefix(body, want) || !strings.HasSuffix(body, "\n\nevent: result\ndata: {}\n\n") {
		t.Errorf("got %q", body)
	}
	_, body = f.do(t, "GET", "/v1/events", "", "Last-Event-ID", "17")
	if !strings.HasPrefix(body, "id: 18\n") {
		t.Errorf("resumed behind 17, got %q", body)
	}
	resp, body = f.do(t, "GET", "/v1/events", "", "Last-Event-ID", `1,"all":true`)
	if resp.StatusCode != 400 || errorOf(t, body).Code != control.CodeUsage {
		t.Errorf("a bad Last-Event-ID: %d %s", resp.StatusCode, body)
	}
}

func TestProgressInBothFormats(t *testing.T) {
	f := start(t, nil)
	_, body := f.do(t, "POST", "/v1/components/ticker/start", "", "Accept", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"progress":{"name":"ticker"`) || !strings.HasPrefix(lines[2], `{"result":[{"name":"ticker"`) {
		t.Errorf("ndjson: %q", lines)
	}
	_, body = f.do(t, "POST", "/v1/components/ticker/start", "", "Accept", "text/event-stream")
	if strings.Count(body, "event: progress\ndata: {") != 2 || strings.Count(body, "event: result\ndata: [{") != 1 {
		t.Errorf("sse: %q", body)
	}
	_, body = f.do(t, "POST", "/v1/components/ticker/start", "")
	if !strings.HasPrefix(body, `[{"name":"ticker"`) {
		t.Errorf("plain: %q", body)
	}
}

func TestStreamThatFailsAtOnceHasAStatus(t *testing.T) {
	resp, body := start(t, nil).do(t, "GET", "/v1/logs/nobody", "")
	if resp.StatusCode != 404 || errorOf(t, body).Code != control.CodeNotFound {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestClientGoingCancelsTheHandler(t *testing.T) {
	f := start(t, nil)
	resp := f.open(t, "GET", "/v1/logs/ticker?follow", "")
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	eventually(t, "the handler was cancelled", func() bool { return f.peer.Cancelled.Load() == 1 })
}

func TestStreamFromClient(t *testing.T) {
	f := start(t, nil)
	var seqs []uint64
	_, err := f.client.Stream(t.Context(), control.OpEvents, control.EventsRequest{}, func(item json.RawMessage) error {
		var r journal.Record
		err := json.Unmarshal(item, &r)
		seqs = append(seqs, r.Seq)
		return err
	})
	if err != nil || len(seqs) != 2 || seqs[0] != 17 || seqs[1] != 18 {
		t.Errorf("%v %v", seqs, err)
	}
	enough := errors.New("enough")
	_, err = f.client.Stream(t.Context(), control.OpEvents, control.EventsRequest{Follow: true}, func(json.RawMessage) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("stopped by each: %v", err)
	}
	eventually(t, "the handler was cancelled", func() bool { return f.peer.Cancelled.Load() == 1 })
}

func TestHeartbeat(t *testing.T) {
	f := start(t, func(o *api.Options) { o.Heartbeat = time.Millisecond })
	resp := f.open(t, "GET", "/v1/events?follow&since=18", "") // nothing to tell
	defer resp.Body.Close()
	b := make([]byte, len(": \n\n: \n\n"))
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != ": \n\n: \n\n" {
		t.Errorf("%q %v", b, err)
	}
}

// TestSlowSubscriber floods a subscriber that does not read: the flood's
// handler is let go, and the subscriber finds the marker once it reads.
func TestSlowSubscriber(t *testing.T) {
	var ended atomic.Bool
	mux := &exchange.Mux{}
	control.Handle(mux, control.OpEvents, func(ctx context.Context, _ control.EventsRequest, send control.Send) (struct{}, error) {
		defer ended.Store(true)
		for seq := uint64(1); ; seq++ {
			if err := send(journal.Record{Seq: seq, Detail: strings.Repeat("x", 4096)}); err != nil {
				return struct{}{}, err
			}
		}
	})
	f := start(t, func(o *api.Options) { o.Commands, o.Stall = mux, 20*time.Millisecond })
	resp := f.open(t, "GET", "/v1/events?follow", "")
	defer resp.Body.Close()
	eventually(t, "the handler was let go", ended.Load)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if tail := string(b[max(0, len(b)-300):]); !strings.Contains(tail, "event: cutoff\ndata: {\"error\":{\"code\":\"failed\",\"message\":\"cut off") {
		t.Errorf("ends with %q", tail)
	}
	_, metrics := f.do(t, "GET", "/metrics", "")
	if !strings.Contains(metrics, "peerd_api_streams_cut_off_total 1") {
		t.Error("the cut is not counted")
	}
}

func TestServeEndsStreams(t *testing.T) {
	f := start(t, nil) // its clean-up fails the test when Serve does not return
	resp := f.open(t, "GET", "/v1/logs/ticker?follow", "")
	t.Cleanup(func() { resp.Body.Close() })
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}
