package ccp

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
)

// examples maps each example of spec.md to the type that must carry it whole.
var examples = map[string]any{
	"frame command": exchange.Command{},
	"frame reply":   exchange.Reply{},
	"frame error":   exchange.Reply{},

	"HANDSHAKE command":         Handshake{},
	"HANDSHAKE reply":           HandshakeAck{},
	"INITIATE_SHUTDOWN command": Shutdown{},
	"INITIATE_SHUTDOWN reply":   Empty{},
	"REPORT_STATE command":      Empty{},
	"REPORT_STATE reply":        StateReport{},
	"SET_LOGLEVEL command":      LogLevelMap{},
	"SET_LOGLEVEL reply":        LogLevelMap{},
	"FLUSH_MESSAGES command":    Empty{},
	"FLUSH_MESSAGES reply":      Empty{},
	"HEALTH_CHECK command":      Empty{},
	"HEALTH_CHECK reply":        Health{},
	"PRIMARY command":           PrimaryNotice{},
	"PRIMARY reply":             Empty{},
	"DATA_REQUEST command":      DataRequest{},
	"DATA_REQUEST reply":        Data{},
	"STATUS command":            StatusEvent{},
	"STATUS reply":              Empty{},

	"MEMORY_USAGE value":            Memory{},
	"CPU_USAGE value":               CPU{},
	"COMPONENT_CONFIGURATION value": Configuration{},
	"PORT_CONFIGURATION value":      Ports{},
	"MANAGEABLE_PROPERTIES value":   []Property{},
}

var block = regexp.MustCompile("(?s)```([a-z]+) ?([^\n]*)\n(.*?)\n```")

func readSpec(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("spec.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSpecExamples(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range block.FindAllStringSubmatch(readSpec(t), -1) {
		if m[1] != "json" {
			continue
		}
		name, text := m[2], m[3]
		seen[name] = true
		example, ok := examples[name]
		if !ok {
			t.Errorf("example %q is not known to this test", name)
			continue
		}
		v := reflect.New(reflect.TypeOf(example))
		dec := json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(v.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := validate(v.Elem().Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if again, err := json.Marshal(v.Interface()); err != nil || !sameJSON(t, again, []byte(text), name == "frame command") {
			t.Errorf("%s: came back as %s, %v", name, again, err)
		}
	}
	for name := range examples {
		if !seen[name] {
			t.Errorf("%s has no example", name)
		}
	}
}

// sameJSON compares values; where zero fields are left out in writing, so may
// they be in the example.
func sameJSON(t *testing.T, a, b []byte, zeros bool) bool {
	t.Helper()
	var va, vb any
	if err := json.Unmarshal(a, &va); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &vb); err != nil {
		t.Fatal(err)
	}
	if m, ok := vb.(map[string]any); ok && zeros {
		for k, v := range m {
			if v == 0.0 {
				delete(m, k)
			}
		}
	}
	return reflect.DeepEqual(va, vb)
}

func TestSpecHasTheProto(t *testing.T) {
	proto, err := os.ReadFile("../exchange/stream/exchange.proto")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range block.FindAllStringSubmatch(readSpec(t), -1) {
		if m[1] == "proto" {
			if m[3] != string(bytes.TrimSpace(proto)) {
				t.Error("the .proto in spec.md is not that of exchange/stream")
			}
			return
		}
	}
	t.Error("spec.md has no .proto")
}

func TestSpecNamesEverything(t *testing.T) {
	spec := readSpec(t)
	names := PeerCommands()
	for _, id := range append(ComponentData(), PeerData()...) {
		names = append(names, string(id))
	}
	for s := lifecycle.Launch; s <= lifecycle.StopCleanup; s++ {
		names = append(names, "| `"+s.String()+"` | `"+Scope(s)+"` |")
	}
	for _, name := range append(names, TypeStatus, TypeData, exchange.TypeUnknown, exchange.TypeNoReply, exchange.TypeCancel) {
		if !strings.Contains(spec, name) {
			t.Errorf("spec.md does not name %s", name)
		}
	}
}
