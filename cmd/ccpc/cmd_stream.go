package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/logs"
)

func (p *program) streamCommands() []*cli.Command {
	follow := &cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with what comes, until Ctrl-C"}
	return []*cli.Command{
		dataCommand(p),
		{
			Name: "logs", Usage: "show captured output", ArgsUsage: "NAME…", Action: p.logs,
			Description: describe("Several instances are merged by time. Control bytes are escaped unless --raw.", "ccpc logs ticker --tail 20", "ccpc logs -f ticker db", "ccpc logs --all --since 10m --stream err"),
			Flags: append(selectionFlags(), follow,
				&cli.IntFlag{Name: "tail", Aliases: []string{"n"}, Usage: "only the last `N` lines"},
				&cli.StringFlag{Name: "since", Usage: "only what is newer: `SINCE` is a duration (10m) or a time (2026-01-02T15:04:05Z); for events a sequence number"},
				&cli.StringFlag{Name: "stream", Usage: "only `out|err`"},
				&cli.BoolFlag{Name: "raw", Usage: "the bytes as they were written, control bytes included"}),
		},
		{
			Name: "events", Usage: "show the journal of all instances", ArgsUsage: " ", Action: p.events,
			Description: describe("One transition a line, numbered; --since goes on behind a number.", "ccpc events -f", "ccpc events --since 1200 -o json"),
			Flags:       []cli.Flag{follow, appFlag(), &cli.StringFlag{Name: "since", Usage: "only what follows the sequence number `SEQ`"}},
		},
	}
}

func (p *program) logs(c *cli.Context) error {
	sel, err := selection(c, true)
	if err != nil {
		return err
	}
	req := control.LogsRequest{Selection: sel, Follow: c.Bool("follow"), Stream: c.String("stream")}
	if req.Stream != "" && req.Stream != string(logs.Out) && req.Stream != string(logs.Err) {
		return usagef("unknown stream %q: use out or err", req.Stream)
	}
	if c.IsSet("tail") {
		n := c.Int("tail")
		if n < 0 {
			return usagef("--tail must be 0 or more")
		}
		req.Tail = &n
	}
	if s := c.String("since"); s != "" {
		t, err := sinceTime(s, time.Now())
		if err != nil {
			return err
		}
		req.Since = &t
	}
	lw := &lineWriter{p: p.out, raw: c.Bool("raw"), prefix: len(sel.Names) != 1}
	return p.follow(c, control.OpLogs, req, func(item json.RawMessage) error {
		var l logs.Line
		if err := json.Unmarshal(item, &l); err != nil {
			return err
		}
		return p.out.line(l, func() error { return lw.write(l) })
	})
}

// sinceTime reads a duration before now or a time.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, usagef("--since %q is neither a duration as 10m nor a time as 2026-01-02T15:04:05Z", s)
	}
	return t, nil
}

// lineWriter prints captured lines, with their source where there are several.
type lineWriter struct {
	p      *printer
	raw    bool
	prefix bool
	open   string // source whose partial line is not ended yet
}

func (w *lineWriter) write(l logs.Line) error {
	source := l.Name + "/" + string(l.Stream)
	text := l.Text
	if !w.raw {
		text = escape(text, false)
	}
	if w.prefix && w.open != source {
		text = w.p.paint("36", l.Name) + " | " + text
	}
	if w.open != "" && w.open != source {
		text = "\n" + text
	}
	w.open = source
	if !l.Partial {
		w.open = ""
		text += "\n"
	}
	return w.p.printf("%s", text)
}

func (p *program) events(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	req := control.EventsRequest{Follow: c.Bool("follow"), Application: c.String("app")}
	if s := c.String("since"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return usagef("--since %q is no sequence number", s)
		}
		req.Since = n
	}
	return p.follow(c, control.OpEvents, req, func(item json.RawMessage) error {
		var r journal.Record
		if err := json.Unmarshal(item, &r); err != nil {
			return err
		}
		return p.out.line(r, func() error { return p.eventLine(r) })
	})
}

func (p *program) eventLine(r journal.Record) error {
	text := r.Cause
	if r.State != "" {
		text += " " + r.State
	}
	if r.Exit != nil {
		text += " " + exitWords(r.Exit.Code, r.Exit.Signal, r.Exit.Reason)
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return p.out.printf("%6d  %s  %-20s %3d  %s → %s  %s\n", r.Seq, r.At.Local().Format("2006-01-02 15:04:05.000"), r.Application+"/"+r.Name, r.Generation, p.out.status(r.From), p.out.status(r.To), escape(text, false))
}

// follow prints a stream until its end, --timeout, or Ctrl-C, which is the
// usual end of one that follows.
func (p *program) follow(c *cli.Context, typ string, req any, each func(json.RawMessage) error) error {
	ctx, cancel := limited(c, 0)
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = cl.Stream(ctx, typ, req, each)
	if errors.Is(err, context.Canceled) && c.Bool("follow") {
		return nil
	}
	return err
}
