package openapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/seed-04209a44/peerd/control"
)

// object is a JSON object; its keys are written in alphabetical order.
type object = map[string]any

// Media types of a response.
const (
	typeJSON   = "application/json"
	typeSSE    = "text/event-stream"
	typeNDJSON = "application/x-ndjson"
)

// Document returns the whole document, indented.
func Document() ([]byte, error) {
	s := newSchemas()
	paths := object{}
	for _, op := range control.Operations() {
		addPath(paths, op.Path, op, s)
		if op.Many != "" {
			addPath(paths, op.Many, op, s)
		}
	}
	for path, summary := range map[string]string{"/healthz": "The process is alive.", "/readyz": "The first plan is applied."} {
		paths[path] = object{"get": object{"operationId": strings.Trim(path, "/"), "summary": summary, "responses": object{
			"200":     response("It is.", object{"type": "object", "required": []string{"status"}, "properties": object{"status": object{"type": "string"}}}),
			"default": s.failure(),
		}}}
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "peerd",
			"version": "1",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "The control API of a peer, on its unix socket. Who the caller is, the kernel says; " +
				"what the caller may do, the profile's peer.access. Every error is {\"error\":{code,message,details}}.",
		},
		"servers":    []any{object{"url": "/", "description": "the peer's control socket"}},
		"security":   []any{object{}}, // by credentials of the socket
		"paths":      paths,
		"components": object{"schemas": s.components},
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the document: %w", err)
	}
	return append(b, '\n'), s.err
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// addPath adds one operation at one of its paths.
func addPath(paths object, path string, op control.Operation, s *schemas) {
	id := strings.ReplaceAll(strings.ToLower(op.Type), "_", "-")
	if path != op.Path {
		id += "-many"
	}
	fields := s.fields(op.Request)
	var parameters []any
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, object{
			"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"},
			"description": "An instance, as ticker, ticker#2 or orders/ticker (escaped: ticker%232, orders%2Fticker).",
		})
		fields.drop(m[1], m[1]+"s")
	}
	o := object{
		"operationId": id,
		"summary":     op.Summary,
		"description": fmt.Sprintf("Command type %s. Needs the role %s.", op.Type, op.Role),
		"responses":   object{"200": success(op, s), "default": s.failure()},
	}
	switch {
	case op.Method == "GET":
		parameters = append(parameters, fields.parameters()...)
	case len(fields.names) > 0:
		o["requestBody"] = object{"required": len(fields.required) > 0, "content": object{typeJSON: object{"schema": fields.schema()}}}
	}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if paths[path] == nil {
		paths[path] = object{}
	}
	paths[path].(object)[strings.ToLower(op.Method)] = o
}

// success is the response of an operation that succeeds.
func success(op control.Operation, s *schemas) object {
	content := object{}
	if !op.Stream {
		content[typeJSON] = object{"schema": s.ref(op.Response)}
	}
	if op.Progress != nil {
		frames := object{"schema": object{"type": "string"}, "x-item-schema": s.ref(op.Progress)}
		content[typeSSE], content[typeNDJSON] = frames, frames
	}
	text := "The answer."
	if op.Progress != nil {
		text = "The answer; as a stream, the items (events without a name or named progress, NDJSON lines {\"progress\":…}), then one result, error or cutoff."
	}
	return object{"description": text, "content": content}
}

func response(description string, schema any) object {
	return object{"description": description, "content": object{typeJSON: object{"schema": schema}}}
}

// typeOf is the type that a schema is made of; nil for an absent one.
func typeOf(v any) reflect.Type {
	if v == nil {
		return reflect.TypeFor[struct{}]()
	}
	return reflect.TypeOf(v)
}
