package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/component"
)

// config is what a profile may say under `config:`.
type config struct {
	Interval       component.Duration `json:"interval"`       // between ticks
	IgnoreShutdown bool               `json:"ignoreShutdown"` // for demonstrations: makes a stop need force
}

// ticker is the component: it logs a line at each interval and counts. Only
// Execute is required; every other method is there to show what it is for.
type ticker struct {
	config config
	clock  *time.Ticker

	ticks   atomic.Int64
	greeted atomic.Int64
	primary atomic.Bool
}

func newTicker() *ticker {
	return &ticker{config: config{Interval: component.Duration(time.Second)}}
}

// Configure takes over what the profile says: a runtime argument first, the
// `config` above it.
func (t *ticker) Configure(_ context.Context, cfg *component.Config) error {
	if text, ok := cfg.Arguments["interval"]; ok {
		if err := t.config.Interval.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("argument interval: %w", err)
		}
	}
	if err := cfg.Decode(&t.config); err != nil {
		return err
	}
	if t.config.Interval <= 0 {
		return fmt.Errorf("interval: %v; must be above 0", time.Duration(t.config.Interval))
	}
	component.Logger("").Info("configured", "address", cfg.Address, "interval", time.Duration(t.config.Interval))
	return nil
}

// Connect is where connections to databases, brokers and the like are opened.
func (t *ticker) Connect(context.Context) error {
	component.Logger("").Debug("nothing to connect to")
	return nil
}

// Start prepares the work.
func (t *ticker) Start(context.Context) error {
	t.clock = time.NewTicker(time.Duration(t.config.Interval))
	return nil
}

// Execute is the work. It returns when ctx ends: that is an orderly stop.
func (t *ticker) Execute(ctx context.Context) error {
	log := component.Logger("ticker")
	done := ctx.Done()
	if t.config.IgnoreShutdown {
		done = nil
	}
	for {
		select {
		case <-t.clock.C:
			n := t.ticks.Add(1)
			log.Debug("tick", "n", n)
			if n%10 == 0 {
				log.Info("ticking", "ticks", n)
			}
		case <-done:
			return nil
		}
	}
}

// Drain lets work in flight finish, while Execute still runs.
func (t *ticker) Drain(context.Context) error {
	component.Logger("").Info("draining", "ticks", t.ticks.Load())
	return nil
}

// Cleanup closes what was opened. It is called after a start that failed
// half-way, too, so the clock may not be there.
func (t *ticker) Cleanup(context.Context) error {
	if t.clock != nil {
		t.clock.Stop()
	}
	component.Logger("").Info("cleaned up")
	return nil
}
