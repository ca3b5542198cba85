package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/control"
)

// newRequest places the payload of an operation into path, query and body: the
// inverse of decodeRequest.
func newRequest(ctx context.Context, base, typ string, payload any) (*http.Request, error) {
	op, ok := control.Lookup(typ)
	if !ok {
		return nil, control.Errorf(control.CodeUsage, "there is no operation %s", typ)
	}
	fields, err := fieldsOf(payload)
	if err != nil {
		return nil, control.Errorf(control.CodeUsage, "cannot encode the request of %s: %v", typ, err)
	}
	path, err := pathFor(op, fields)
	if err != nil {
		return nil, err
	}
	var r *http.Request
	if op.Method == http.MethodGet {
		if q := queryOf(fields).Encode(); q != "" {
			path += "?" + q
		}
		r, err = http.NewRequestWithContext(ctx, op.Method, base+path, nil)
	} else {
		body, _ := json.Marshal(fields) // raw JSON does not fail
		r, err = http.NewRequestWithContext(ctx, op.Method, base+path, bytes.NewReader(body))
		if r != nil {
			r.Header.Set("Content-Type", typeJSON)
		}
	}
	if err != nil {
		return nil, control.Errorf(control.CodeUsage, "cannot call %s: %v", base, err)
	}
	return r, nil
}

func fieldsOf(payload any) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if payload == nil {
		return fields, nil
	}
	b, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	return fields, json.Unmarshal(b, &fields)
}

// pathFor fills {name} and removes it from fields, or is the path for many.
func pathFor(op control.Operation, fields map[string]json.RawMessage) (string, error) {
	if !strings.Contains(op.Path, "{name}") {
		return op.Path, nil
	}
	var name string
	var names []string
	_ = json.Unmarshal(fields["name"], &name)
	_ = json.Unmarshal(fields["names"], &names)
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	switch {
	case name != "":
		delete(fields, "name")
		delete(fields, "names")
		return strings.Replace(op.Path, "{name}", url.PathEscape(name), 1), nil
	case op.Many != "":
		return op.Many, nil
	default:
		return "", control.Errorf(control.CodeUsage, "%s needs a name", op.Type)
	}
}

// queryOf writes the fields as parameters, a list as one for each element.
func queryOf(fields map[string]json.RawMessage) url.Values {
	q := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		var list []string
		var text string
		switch raw := fields[key]; {
		case json.Unmarshal(raw, &text) == nil:
			q.Set(key, text)
		case json.Unmarshal(raw, &list) == nil:
			q[key] = list
		default:
			q.Set(key, string(raw))
		}
	}
	return q
}
