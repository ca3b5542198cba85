package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
)

// dataKinds are what an instance can be asked for.
var dataKinds = []string{"memory", "loglevels", "pid", "stats", "cpu", "threads"}

func dataCommand(p *program) *cli.Command {
	return &cli.Command{
		Name: "data", Usage: "ask an instance for data, once or repeatedly", ArgsUsage: "NAME " + strings.Join(dataKinds, "|"), Action: p.data,
		Description: describe("With --count below 0 the answers go on until Ctrl-C, which cancels the request in the component. With -o json each of several answers is one line.",
			"ccpc data ticker memory", "ccpc data ticker stats --count 5 --interval 200ms -o json", "ccpc data ticker cpu --count -1"),
		Flags: []cli.Flag{
			appFlag(),
			&cli.Int64Flag{Name: "count", Usage: "`N` answers; below 0 endless", Value: 1},
			&cli.DurationFlag{Name: "interval", Usage: "`DURATION` between answers", Value: time.Second},
			&cli.StringSliceFlag{Name: "logger", Usage: "only the `LOGGER`s named (loglevels)"},
		},
	}
}

func (p *program) data(c *cli.Context) error {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	what := c.Args().Get(1)
	if !slices.Contains(dataKinds, what) {
		return usagef("unknown data %q: use %s", what, strings.Join(dataKinds, ", "))
	}
	count := c.Int64("count")
	if count == 0 || c.Duration("interval") < time.Millisecond {
		return usagef("--count must not be 0, and --interval must be at least 1ms")
	}
	req := control.DataRequest{NameRequest: control.NameRequest{Name: c.Args().First(), Application: c.String("app")}, What: what, Loggers: c.StringSlice("logger"), Count: count, IntervalMs: c.Duration("interval").Milliseconds()}
	ctx, cancel := limited(c, 0)
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer cl.Close()
	answers := 0
	each := func(item json.RawMessage) error {
		answers++
		return p.answer(item, count == 1)
	}
	last, err := cl.Stream(ctx, control.OpData, req, each)
	switch {
	case err == nil:
		return each(last)
	case errors.Is(err, context.Canceled) && answers > 0: // Ctrl-C
		return nil
	default:
		return err
	}
}

// answer prints one answer; alone it has the room to be read easily.
func (p *program) answer(item json.RawMessage, alone bool) error {
	var d control.Data
	if err := json.Unmarshal(item, &d); err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	values := flatten(d.Data)
	if len(values) == 1 && values[0][0] == "" {
		values[0][0] = d.What // a single value has no name of its own
	}
	if alone {
		return p.out.value(d, func() error { return p.out.rows(nil, values) })
	}
	return p.out.line(d, func() error {
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = strings.Join(v, "=")
		}
		return p.out.printf("%s  %s\n", d.At.Local().Format("15:04:05.000"), strings.Join(words, " "))
	})
}

// flatten lists the leaves of a JSON value with their dotted names.
func flatten(raw json.RawMessage) [][]string {
	var v any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return [][]string{{"data", escape(string(raw), false)}}
	}
	var leaves [][]string
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(strings.TrimPrefix(name+"."+key, "."), v[key])
			}
		case []any:
			for i, e := range v {
				walk(fmt.Sprintf("%s[%d]", name, i), e)
			}
		default:
			leaves = append(leaves, []string{escape(name, false), escape(fmt.Sprint(v), false)})
		}
	}
	walk("", v)
	return leaves
}
