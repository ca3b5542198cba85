package api

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// format is how frames look on the wire.
type format interface {
	contentType() string
	frame(frame) []byte
	heartbeat() []byte
}

// ndjson writes one JSON object a line: {"progress":…}, then one of
// {"result":…}, {"error":…} and {"cutoff":…}. A blank line is a heartbeat.
type ndjson struct{}

func (ndjson) contentType() string { return typeNDJSON }

func (ndjson) heartbeat() []byte { return []byte("\n") }

func (ndjson) frame(f frame) []byte {
	var b bytes.Buffer
	b.WriteString(`{"` + f.kind + `":`)
	b.Write(oneLine(f.data))
	b.WriteString("}\n")
	return b.Bytes()
}

// sse writes Server-Sent Events named after the frames' kinds. Items of an
// endless operation have no name, so that a browser's onmessage gets them, and
// an id where they are numbered, so that it resumes behind the last one seen.
type sse struct{ items, numbered bool }

func (sse) contentType() string { return typeSSE }

func (sse) heartbeat() []byte { return []byte(": \n\n") }

func (s sse) frame(f frame) []byte {
	var b bytes.Buffer
	if f.kind != frameProgress || !s.items {
		b.WriteString("event: " + f.kind + "\n")
	}
	if s.numbered && f.kind == frameProgress {
		var item struct{ Seq uint64 }
		if json.Unmarshal(f.data, &item) == nil {
			b.WriteString("id: " + strconv.FormatUint(item.Seq, 10) + "\n")
		}
	}
	b.WriteString("data: ")
	b.Write(oneLine(f.data))
	b.WriteString("\n\n")
	return b.Bytes()
}

// oneLine removes the line ends that JSON allows between its tokens.
func oneLine(data json.RawMessage) []byte {
	if !bytes.ContainsAny(data, "\r\n") {
		return data
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return []byte("null")
	}
	return b.Bytes()
}
