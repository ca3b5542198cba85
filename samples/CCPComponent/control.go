package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/component"
)

// Healthy answers HEALTH_CHECK.
func (t *ticker) Healthy(context.Context) (ok bool, detail string) {
	return true, fmt.Sprintf("%d ticks so far", t.ticks.Load())
}

// Stats answers COMPONENT_STATS: numbers by name, whatever they mean here.
func (t *ticker) Stats() map[string]float64 {
	return map[string]float64{"ticks": float64(t.ticks.Load()), "greetings": float64(t.greeted.Load())}
}

// SetLogLevel is told of each logger whose level was changed from outside. The
// loggers themselves know already.
func (t *ticker) SetLogLevel(logger, level string) {
	component.Logger("").Info("log level changed", "logger", logger, "level", level)
}

// Primary is told whether this instance is the primary of its target.
func (t *ticker) Primary(primary bool, term uint64) {
	t.primary.Store(primary)
	component.Logger("").Info("primary", "primary", primary, "term", term)
}

// Flush answers FLUSH_MESSAGES.
func (t *ticker) Flush(context.Context) error {
	component.Logger("").Info("flushed")
	return nil
}

// HandleCommand answers the commands that are this component's own:
//
//	ccpc send ticker GREET '{"name":"Ada"}'    → {"greeting":"Hello, Ada!"}
//	ccpc send ticker COUNTDOWN '{"from":3}'    → 3, 2, 1 as they come, then {"liftoff":true}
func (t *ticker) HandleCommand(ctx context.Context, typ string, payload json.RawMessage, progress func(any) error) (any, error) {
	switch typ {
	case "GREET":
		return t.greet(payload)
	case "COUNTDOWN":
		return countdown(ctx, payload, progress)
	default:
		return nil, component.ErrUnknownCommand
	}
}

func (t *ticker) greet(payload json.RawMessage) (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("GREET: %w", err)
	}
	if in.Name == "" {
		return nil, fmt.Errorf(`GREET: name: is empty; send {"name":"Ada"}`)
	}
	t.greeted.Add(1)
	return map[string]string{"greeting": "Hello, " + in.Name + "!"}, nil
}

// countdown streams its progress; whoever asked may cancel it, which ends ctx.
func countdown(ctx context.Context, payload json.RawMessage, progress func(any) error) (any, error) {
	var in struct {
		From  int                `json:"from"`
		Every component.Duration `json:"every"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("COUNTDOWN: %w", err)
	}
	if in.From < 1 || in.From > 1000 {
		return nil, fmt.Errorf("COUNTDOWN: from: %d; allowed: 1 to 1000", in.From)
	}
	clock := time.NewTicker(max(time.Duration(in.Every), time.Millisecond))
	defer clock.Stop()
	for n := in.From; n > 0; n-- {
		if err := progress(map[string]int{"count": n}); err != nil {
			return nil, err
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return map[string]bool{"liftoff": true}, nil
}
