package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/component/componenttest"
)

var info = component.Info{Name: "ccpcomponent", Version: "1.0", Loggers: []string{"ticker"}}

// In a synctest bubble time is virtual: ten ticks take no time.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTicker()
		peer := componenttest.Start(t, info, c, componenttest.Options{Values: map[string]any{"interval": "1m"}})
		peer.WaitState("COMPONENT_EXECUTION")
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if got := c.Stats()["ticks"]; got != 10 {
			t.Errorf("%v ticks in ten minutes", got)
		}
		if code := peer.Stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestConfigurationIsChecked(t *testing.T) {
	for value, want := range map[any]string{"0s": "above 0", "soon": "invalid duration"} {
		peer := componenttest.Start(t, info, newTicker(), componenttest.Options{Values: map[string]any{"interval": value}})
		if code := peer.Wait(); code != 1 {
			t.Errorf("%v: exit code %d", value, code)
		}
		var all strings.Builder
		for _, r := range peer.Reports() {
			all.WriteString(r.ErrorMessage)
		}
		if !strings.Contains(all.String(), want) {
			t.Errorf("%v: reported %q, want %q", value, all.String(), want)
		}
	}
}

func TestTheArgumentIsTheDefault(t *testing.T) {
	c := newTicker()
	peer := componenttest.Start(t, info, c, componenttest.Options{Arguments: map[string]string{"interval": "3s"}})
	peer.WaitState("COMPONENT_EXECUTION")
	if got := time.Duration(c.config.Interval); got != 3*time.Second {
		t.Errorf("interval %v", got)
	}
}

func TestCommands(t *testing.T) {
	peer := componenttest.Start(t, info, newTicker(), componenttest.Options{})
	ctx := t.Context()
	var greeting struct{ Greeting string }
	if err := peer.Do(ctx, "GREET", map[string]string{"name": "Ada"}, &greeting); err != nil || greeting.Greeting != "Hello, Ada!" {
		t.Errorf("%+v, %v", greeting, err)
	}
	if err := peer.Do(ctx, "GREET", nil, nil); err == nil || !strings.Contains(err.Error(), "name") {
		t.Errorf("GREET without a name: %v", err)
	}
	var end struct{ Liftoff bool }
	if err := peer.Do(ctx, "COUNTDOWN", map[string]any{"from": 3}, &end); err != nil || !end.Liftoff {
		t.Errorf("%+v, %v", end, err)
	}
}
