package main

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
)

func (p *program) componentCommands() []*cli.Command {
	plain := func(name, typ, usage, text string) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: "NAME", Flags: []cli.Flag{appFlag()},
			Action:      func(c *cli.Context) error { return p.order(c, typ) },
			Description: describe(text, "ccpc "+name+" ticker"),
		}
	}
	return []*cli.Command{
		{
			Name: "report-state", Usage: "ask a component for its state", ArgsUsage: "NAME", Flags: []cli.Flag{appFlag()}, Action: p.reportState,
			Description: describe("Sends REPORT_STATE and prints the component's own answer.", "ccpc report-state ticker"),
		},
		{
			Name: "set-loglevel", Usage: "change a logger's level at run time", ArgsUsage: "NAME [LOGGER] LEVEL", Action: p.setLogLevel,
			Description: describe("Without LOGGER the root logger is meant. Prints the levels now in force.", "ccpc set-loglevel ticker debug", "ccpc set-loglevel ticker http trace --persist"),
			Flags:       []cli.Flag{appFlag(), &cli.BoolFlag{Name: "persist", Usage: "keep it over restarts"}},
		},
		plain("flush", control.OpFlush, "have a component flush its messages", "Sends FLUSH_MESSAGES."),
		plain("clear-logs", control.OpClearLogs, "empty the captured logs of an instance", "Clears the captured output; a CCP component is told too."),
		plain("dump-stack", control.OpDumpStack, "have a component dump its stacks", "The stacks appear in the component's captured output."),
		{
			Name: "send", Usage: "send any command to a component", ArgsUsage: "NAME TYPE [JSON]", Flags: []cli.Flag{appFlag()}, Action: p.send,
			Description: describe("Prints the reply. JSON is the command's payload; - reads it from standard input.", `ccpc send ticker TICKER_SET_INTERVAL '{"intervalMs":200}'`),
		},
	}
}

func (p *program) reportState(c *cli.Context) error {
	req, err := oneName(c)
	if err != nil {
		return err
	}
	var r control.StateReport
	if err := call(c, control.OpReportState, req, &r); err != nil {
		return err
	}
	return p.out.value(r, func() error {
		return p.out.rows(nil, [][]string{{"Name", r.Name}, {"State", r.State}, {"Since", r.Since.Format(time.RFC3339Nano)}, {"Operation scope", dash(r.OperationScope)}, {"Error", dash(escape(r.ErrorMessage, false))}})
	})
}

func (p *program) setLogLevel(c *cli.Context) error {
	if err := wantArgs(c, 2, 3); err != nil {
		return err
	}
	a := c.Args()
	req := control.LogLevelRequest{NameRequest: control.NameRequest{Name: a.First(), Application: c.String("app")}, Level: a.Get(a.Len() - 1), Persist: c.Bool("persist")}
	if a.Len() == 3 {
		req.Logger = a.Get(1)
	}
	var r control.LogLevels
	if err := call(c, control.OpSetLogLevel, req, &r); err != nil {
		return err
	}
	return p.out.value(r, func() error {
		var rows [][]string
		for _, logger := range slices.Sorted(maps.Keys(r.Levels)) {
			rows = append(rows, []string{logger, r.Levels[logger]})
		}
		return p.out.rows([]string{"LOGGER", "LEVEL"}, rows)
	})
}

// order sends a command that needs only a name.
func (p *program) order(c *cli.Context, typ string) error {
	req, err := oneName(c)
	if err != nil {
		return err
	}
	var r control.SendReply
	if err := call(c, typ, req, &r); err != nil {
		return err
	}
	return p.reply(r)
}

func (p *program) send(c *cli.Context) error {
	if err := wantArgs(c, 2, 3); err != nil {
		return err
	}
	a := c.Args()
	req := control.SendRequest{NameRequest: control.NameRequest{Name: a.First(), Application: c.String("app")}, Type: a.Get(1)}
	payload, err := p.payload(a.Get(2))
	if err != nil {
		return err
	}
	req.Payload = payload
	ctx, cancel := limited(c, 0)
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer cl.Close()
	result, err := cl.Stream(ctx, control.OpSend, req, func(item json.RawMessage) error {
		return p.out.line(item, func() error { return p.out.printf("%s\n", item) })
	})
	if err != nil {
		return err
	}
	var r control.SendReply
	if err := json.Unmarshal(result, &r); err != nil {
		return err
	}
	return p.reply(r)
}

// maxPayload bounds what send takes from standard input: the peer takes no more.
const maxPayload = 1 << 20

// payload is the JSON argument of send.
func (p *program) payload(arg string) (json.RawMessage, error) {
	b := []byte(arg)
	if arg == "-" {
		var err error
		if b, err = p.readFile("-", maxPayload); err != nil {
			return nil, err
		}
	}
	if len(b) == 0 {
		return nil, nil
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, control.Errorf(control.CodeInvalid, "the payload is no JSON: %v: quote it for the shell, as '{\"key\":1}'", err)
	}
	return b, nil
}

// reply prints a component's reply; an ERROR reply is a failure.
func (p *program) reply(r control.SendReply) error {
	err := p.out.value(r, func() error {
		if len(r.Payload) == 0 || string(r.Payload) == "{}" {
			return p.out.printf("%s %s\n", r.Type, r.Status)
		}
		return p.out.printf("%s %s\n%s\n", r.Type, r.Status, r.Payload)
	})
	if err == nil && r.Status == "ERROR" {
		return control.Errorf(control.CodeFailed, "the component answered with an error: %s", r.ErrorDetails)
	}
	return err
}
