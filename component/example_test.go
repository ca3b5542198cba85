package component_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/component/componenttest"
)

// counter counts until it is told to stop.
type counter struct{ step int }

func (c *counter) Configure(_ context.Context, cfg *component.Config) error {
	return cfg.Decode(&struct {
		Step *int `json:"step"`
	}{&c.step})
}

func (c *counter) Execute(ctx context.Context) error {
	component.Logger("").Info("counting", "step", c.step)
	<-ctx.Done()
	return nil
}

func (c *counter) Stats() map[string]float64 { return map[string]float64{"step": float64(c.step)} }

// A component's main function is one line.
func ExampleMain() {
	main := func() {
		component.Main(component.Info{Name: "counter", Version: "1.0"}, &counter{})
	}
	_ = main
}

// A component is tested with a peer that the test controls.
func TestCounterExample(t *testing.T) {
	peer := componenttest.Start(t, component.Info{Name: "counter"}, &counter{}, componenttest.Options{Values: map[string]any{"step": 3}})
	peer.WaitState("COMPONENT_EXECUTION")
	if code := peer.Stop(); code != component.ExitOK {
		t.Errorf("exit code %d", code)
	}
}

func ExampleConfig_Decode() {
	cfg := &component.Config{Values: map[string]any{"interval": "1.5s", "sizes": []int{1, 2}}}
	var into struct {
		Interval component.Duration `json:"interval"`
	}
	fmt.Println(cfg.Decode(&into))
	// Output: cannot read the configuration: json: unknown field "sizes"
}
