package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/control"
)

// wildcard is a {name} in an operation's path.
var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// decodeRequest builds the command's payload: the body of a POST, then the
// query, then the path's wildcards, checked strictly against op.Request.
func decodeRequest(op control.Operation, w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if r.Method == http.MethodPost {
		if err := readBody(w, r, &fields); err != nil {
			return nil, err
		}
	}
	known := requestFields(op)
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, control.Errorf(control.CodeUsage, "cannot read the query: %v", err)
	}
	for _, m := range wildcard.FindAllStringSubmatch(r.Pattern, -1) {
		key := m[1]
		if _, ok := known[key]; !ok {
			key += "s" // {name} of an operation that takes names
		}
		query[key] = []string{r.PathValue(m[1])}
	}
	for key, values := range query {
		t, ok := known[key]
		if !ok {
			return nil, control.Errorf(control.CodeUsage, "unknown parameter %q: allowed are %s", key, strings.Join(sortedKeys(known), ", "))
		}
		if fields[key], err = parameter(t, values); err != nil {
			return nil, control.Errorf(control.CodeUsage, "parameter %s: %v", key, err)
		}
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" && op.Type == control.OpEvents {
		if _, err := strconv.ParseUint(id, 10, 64); err != nil {
			return nil, control.Errorf(control.CodeUsage, "Last-Event-ID %q is no sequence number", id)
		}
		fields["since"] = json.RawMessage(id)
	}
	return checked(op, fields)
}

// readBody decodes a JSON object into fields; an empty body is no object.
func readBody(w http.ResponseWriter, r *http.Request, fields *map[string]json.RawMessage) error {
	rc := http.NewResponseController(w)
	// Without a deadline a client could hold the request for ever; one that
	// stayed would end the stream that follows.
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = rc.SetReadDeadline(time.Time{})
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return control.Errorf(control.CodeUsage, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return control.Errorf(control.CodeUsage, "cannot read the body: %v", err)
	case len(bytes.TrimSpace(b)) == 0:
		return nil
	}
	if err := json.Unmarshal(b, fields); err != nil {
		return control.Errorf(control.CodeUsage, "the body must be one JSON object: %v", err)
	}
	if *fields == nil { // the body was null
		*fields = map[string]json.RawMessage{}
	}
	return nil
}

// checked encodes the fields and decodes them as the operation's request, so
// that nothing wrong reaches a handler.
func checked(op control.Operation, fields map[string]json.RawMessage) (json.RawMessage, error) {
	payload, err := json.Marshal(fields)
	if err != nil {
		return nil, control.Errorf(control.CodeUsage, "cannot read the request: %v", err)
	}
	var into any = &struct{}{}
	if op.Request != nil {
		into = reflect.New(reflect.TypeOf(op.Request)).Interface()
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return nil, control.Errorf(control.CodeUsage, "%s: %s: allowed are %s", op.Type, strings.TrimPrefix(err.Error(), "json: "), strings.Join(sortedKeys(requestFields(op)), ", "))
	}
	return payload, nil
}

// requestFields are the JSON names of the request's fields with their types.
func requestFields(op control.Operation) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	if op.Request == nil {
		return fields
	}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(op.Request)) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && !f.Anonymous {
			fields[name] = f.Type
		}
	}
	return fields
}

// parameter is the JSON of a query parameter or path wildcard.
func parameter(t reflect.Type, values []string) (json.RawMessage, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String {
		return json.Marshal(values)
	}
	if len(values) != 1 {
		return nil, errors.New("given more than once")
	}
	v := values[0]
	switch t.Kind() {
	case reflect.Bool:
		if v == "" { // ?all
			return json.RawMessage("true"), nil
		}
		b, err := strconv.ParseBool(v)
		if err != nil {
			return nil, errors.New("must be true or false")
		}
		return json.Marshal(b)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			return nil, errors.New("must be a whole number")
		}
		return json.Marshal(json.Number(v))
	case reflect.String, reflect.Struct: // the only struct is time.Time
		return json.Marshal(v)
	default:
		return nil, errors.New("belongs into the body")
	}
}

func sortedKeys(m map[string]reflect.Type) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
