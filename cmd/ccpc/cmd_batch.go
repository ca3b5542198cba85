package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v4"

	"github.com/seed-04209a44/peerd/control"
)

// maxBatchFile bounds a file of commands, in bytes.
const maxBatchFile = 8 << 20

// batchLook is how often a batch is looked at while it is waited for.
const batchLook = 250 * time.Millisecond

// batchFile is what `batch run` reads.
type batchFile struct {
	ID       string `json:"id,omitempty"`
	Key      string `json:"key,omitempty"`
	MaxRetry *int   `json:"maxRetry,omitempty"`
	Commands []struct {
		Type           string          `json:"type"`
		Payload        json.RawMessage `json:"payload,omitempty"`
		IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	} `json:"commands"`
}

func (p *program) batchCommand() *cli.Command {
	return &cli.Command{
		Name: "batch", Usage: "run, cancel or retry a batch", ArgsUsage: "run FILE | cancel ID | retry ID", Action: p.batch,
		Description: describe("A batch is a list of commands for one target that the controller carries out one after the other, and keeps on disk until it has: it goes on when a peer comes back, and stops at the first command that fails for good. "+
			"FILE is YAML or JSON (- is standard input): {key: nightly, maxRetry: 3, commands: [{type: RESTART, payload: {names: [ticker]}}]}; the types are those of the API. run waits for the end, and exits 1 when it is an error.",
			"ccpc batch run nightly.yaml --controller https://controller-1:8062 --target billing", "ccpc batch cancel ID --controller https://controller-1:8062"),
		Flags: []cli.Flag{&cli.BoolFlag{Name: "no-wait", Usage: "return as soon as the controller has taken it"}},
	}
}

func (p *program) batch(c *cli.Context) error {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	what, arg := c.Args().Get(0), c.Args().Get(1)
	var b fleetBatch
	switch what {
	case "run":
		return p.runBatch(c, arg)
	case "cancel":
		if err := manage(c, http.MethodDelete, "/batchs/"+url.PathEscape(arg), nil, &b); err != nil {
			return err
		}
	case "retry":
		if err := manage(c, http.MethodPost, "/batchs/"+url.PathEscape(arg)+"/retry", nil, &b); err != nil {
			return err
		}
	default:
		return usagef("unknown action %q: use run FILE, cancel ID or retry ID", what)
	}
	return p.out.value(b, func() error { return p.batchTable([]fleetBatch{b}) })
}

func (p *program) runBatch(c *cli.Context, name string) error {
	if c.String("target") == "" {
		return usagef("batch run needs --target ID: `ccpc targets` lists them")
	}
	file, err := p.readBatch(name)
	if err != nil {
		return err
	}
	var b fleetBatch
	if err := manage(c, http.MethodPost, "/targets/"+url.PathEscape(c.String("target"))+"/batchs", file, &b); err != nil {
		return err
	}
	if !c.Bool("no-wait") {
		if b, err = p.awaitBatch(c, b); err != nil {
			return err
		}
	}
	if err := p.out.value(b, func() error { return p.batchTable([]fleetBatch{b}) }); err != nil {
		return err
	}
	if b.Status == "ERROR" {
		return control.Errorf(control.CodeFailed, "batch %s has failed: %s: `ccpc batch retry %s` goes on where it stopped", b.ID, orZero(b.ErrorDetails), b.ID)
	}
	return nil
}

// readBatch reads a file of commands, YAML or JSON.
func (p *program) readBatch(name string) (batchFile, error) {
	var file batchFile
	data, err := p.readFile(name, maxBatchFile)
	if err != nil {
		return file, err
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		return file, control.Errorf(control.CodeInvalid, "cannot read %s: %v", name, err)
	}
	b, err := json.Marshal(v)
	if err == nil {
		err = decodeStrictly(b, &file)
	}
	switch {
	case err != nil:
		return file, control.Errorf(control.CodeInvalid, "cannot read %s: %v: allowed are id, key, maxRetry and commands with type, payload and idempotencyKey", name, err)
	case len(file.Commands) == 0:
		return file, control.Errorf(control.CodeInvalid, "%s has no commands", name)
	}
	for i, cmd := range file.Commands {
		if cmd.Type == "" {
			return file, control.Errorf(control.CodeInvalid, "%s: commands[%d] has no type", name, i)
		}
	}
	return file, nil
}

// awaitBatch looks at a batch until it is over.
func (p *program) awaitBatch(c *cli.Context, b fleetBatch) (fleetBatch, error) {
	ctx, cancel := limited(c, 0)
	defer cancel()
	f, err := fleetOf(c)
	if err != nil {
		return b, err
	}
	defer f.Close()
	shown := ""
	tick := time.NewTicker(batchLook)
	defer tick.Stop()
	for !b.over() {
		if now := b.Status + ", retries " + strconv.Itoa(orZero(b.Retry)); now != shown {
			shown = now
			p.out.progress("batch %s: %s", b.ID, now)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return b, ctx.Err()
			}
			return b, control.Errorf(control.CodeTimeout, "batch %s is not over in time: it goes on; `ccpc batches` shows it", b.ID)
		case <-tick.C:
		}
		if err := f.Do(ctx, http.MethodGet, "/batchs/"+url.PathEscape(b.ID), nil, &b); err != nil {
			return b, err
		}
	}
	return b, nil
}

// decodeStrictly refuses fields that v does not have.
func decodeStrictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
