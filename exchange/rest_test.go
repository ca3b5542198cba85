package exchange

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestHandleRest(t *testing.T) {
	var m Mux
	m.Handle("OWN", func(context.Context, *Request) (any, error) { return nil, ErrUnknown })
	m.Know("KNOWN")
	m.HandleRest(func(_ context.Context, req *Request) (any, error) {
		if req.Type == "GREET" {
			return "hello", nil
		}
		return nil, fmt.Errorf("%q: %w", req.Type, ErrUnknown)
	})
	for typ, want := range map[string]struct {
		replyType string
		status    Status
	}{
		"GREET": {"GREET", Succeeded},
		"OTHER": {TypeUnknown, Failed},
		"KNOWN": {TypeNoReply, Failed},
		"OWN":   {"OWN", Failed}, // its own handler's error is its own affair
	} {
		got := m.Dispatch(context.Background(), Command{ID: "1", Type: typ}, nil)
		if got.Type != want.replyType || got.Status != want.status {
			t.Errorf("%s answered %s %s, want %s %s", typ, got.Type, got.Status, want.replyType, want.status)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a second handler for the rest was accepted")
		}
	}()
	m.HandleRest(func(context.Context, *Request) (any, error) { return nil, errors.New("no") })
}
