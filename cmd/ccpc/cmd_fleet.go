package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"
)

func (p *program) fleetCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "targets", Usage: "list the targets of a controller", ArgsUsage: " ", Action: p.targets,
			Description: describe("A target is the address of one peer, or of several that stand in for each other; it is there as long as one of them is connected.",
				"ccpc targets --controller https://controller-1:8062"),
		},
		{
			Name: "channels", Usage: "list the channels of a controller", ArgsUsage: " ", Action: p.channels,
			Description: describe("A channel is one connected peer. With --target only those of that target.",
				"ccpc channels --controller https://controller-1:8062 --target billing"),
		},
		{
			Name: "batches", Usage: "list the batches of a controller", ArgsUsage: " ", Action: p.batches,
			Description: describe("With --target only those of that target.", "ccpc batches --controller https://controller-1:8062 --status error"),
			Flags:       []cli.Flag{&cli.StringFlag{Name: "status", Usage: "only those in this `STATUS`: created, pending, in_progress, succeeded or error"}},
		},
		p.batchCommand(),
		p.clusterCommand(),
	}
}

// fleetBatch is a batch as the controller lists it.
type fleetBatch struct {
	ID           string  `json:"id"`
	Key          *string `json:"key"`
	Target       string  `json:"targetId"`
	Status       string  `json:"status"`
	ErrorDetails *string `json:"errorDetails"`
	MaxRetry     int     `json:"maxRetry"`
	Retry        *int    `json:"retry"`
	LastRetryAt  *string `json:"lastRetryAt"`
}

func (b fleetBatch) over() bool { return b.Status == "SUCCEEDED" || b.Status == "ERROR" }

// fleetTarget is a target as the controller lists it.
type fleetTarget struct {
	ID       string         `json:"id"`
	Channels []fleetChannel `json:"channels"`
	Batches  []fleetBatch   `json:"batchs"`
}

// manage asks the controller itself.
func manage(c *cli.Context, method, path string, body, resp any) error {
	timeout := c.Duration("timeout")
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(c.Context, timeout)
	defer cancel()
	f, err := fleetOf(c)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Do(ctx, method, path, body, resp)
}

func (p *program) targets(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	all := []fleetTarget{}
	if err := manage(c, http.MethodGet, "/targets", nil, &all); err != nil {
		return err
	}
	return p.out.value(all, func() error {
		rows := make([][]string, len(all))
		for i, t := range all {
			primary := ""
			for _, ch := range t.Channels {
				if ch.Primary {
					primary = ch.ID
				}
			}
			rows[i] = []string{escape(t.ID, false), strconv.Itoa(len(t.Channels)), dash(primary), strconv.Itoa(len(t.Batches))}
		}
		return p.out.rows([]string{"TARGET", "CHANNELS", "PRIMARY", "BATCHES"}, rows)
	})
}

func (p *program) channels(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	all := []fleetChannel{}
	if err := manage(c, http.MethodGet, "/channels"+ofTarget(c, url.Values{"wide": {"true"}}), nil, &all); err != nil {
		return err
	}
	return p.out.value(all, func() error {
		rows := make([][]string, len(all))
		for i, ch := range all {
			rows[i] = []string{ch.ID, escape(ch.Target, false), dash(escape(ch.Connector, false)), dash(escape(ch.Node, false)), yesNo(ch.Active), yesNo(ch.Primary)}
		}
		return p.out.rows([]string{"CHANNEL", "TARGET", "PEER", "CONTROLLER", "ACTIVE", "PRIMARY"}, rows)
	})
}

func (p *program) batches(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	query := url.Values{}
	if s := c.String("status"); s != "" {
		query.Set("status", s)
	}
	all := []fleetBatch{}
	if err := manage(c, http.MethodGet, "/batchs"+ofTarget(c, query), nil, &all); err != nil {
		return err
	}
	return p.out.value(all, func() error { return p.batchTable(all) })
}

func (p *program) batchTable(all []fleetBatch) error {
	rows := make([][]string, len(all))
	for i, b := range all {
		retries := strconv.Itoa(orZero(b.Retry)) + "/" + strconv.Itoa(b.MaxRetry)
		rows[i] = []string{b.ID, dash(escape(orZero(b.Key), false)), escape(b.Target, false), p.out.status(b.Status), retries, escape(orZero(b.ErrorDetails), false)}
	}
	return p.out.rows([]string{"BATCH", "KEY", "TARGET", "STATUS", "RETRIES", "DETAIL"}, rows)
}

// ofTarget is a query that --target narrows.
func ofTarget(c *cli.Context, q url.Values) string {
	if t := c.String("target"); t != "" {
		q.Set("targetId", t)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// orZero is what v points to, or the zero value.
func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}
