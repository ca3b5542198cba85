package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/journal"
)

func (p *program) lookCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "ps", Usage: "list instances", ArgsUsage: "[NAME…]", Action: p.ps,
			Description: describe("Shows name, status, the component's own state, pid, uptime, restarts, health, CPU in cores and memory. With --target those of all its peers, each with its peer's name; a peer that does not answer is a row with the status unreachable, and the exit code is 5.", "ccpc ps", "ccpc ps ticker -o json", "ccpc ps --watch", "ccpc --controller https://controller-1:8062 --target billing ps"),
			Flags:       append(selectionFlags(), &cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "print again whenever something changed"}),
		},
		{
			Name: "get", Usage: "show everything about one instance", ArgsUsage: "NAME", Action: p.get,
			Description: describe("Shows the resolved specification, the generation, the last exit, why it waits, its process tree and its recent transitions. With --target on all its peers, one after the other; with -o json an array.", "ccpc get ticker", "ccpc get orders/ticker#2 -o yaml"),
			Flags:       []cli.Flag{appFlag()},
		},
		{
			Name: "history", Usage: "show the transitions of one instance", ArgsUsage: "NAME", Action: p.history,
			Description: describe("Every start has exactly one end with its exit.", "ccpc history ticker", "ccpc history ticker --last 20 -o json"),
			Flags:       []cli.Flag{appFlag(), &cli.IntFlag{Name: "last", Usage: "only the last `N`"}},
		},
	}
}

func (p *program) ps(c *cli.Context) error {
	sel, err := selection(c, false)
	if err != nil {
		return err
	}
	if c.Bool("watch") {
		return p.watchInstances(c, sel)
	}
	instances, missing := listInstances(c, sel)
	if instances == nil {
		return missing
	}
	return errors.Join(p.out.value(instances, func() error { return p.instanceTable(instances) }), missing)
}

// instanceTable has a column for peers only when several were asked, and one for
// reasons only when an instance gives one.
func (p *program) instanceTable(instances []listed) error {
	header := []string{"NAME", "STATUS", "STATE", "PID", "UPTIME", "RESTARTS", "HEALTH", "CPU", "MEMORY"}
	peers := slices.ContainsFunc(instances, func(i listed) bool { return i.Peer != "" })
	if peers {
		header = append([]string{"PEER"}, header...)
	}
	reasons := slices.ContainsFunc(instances, func(i listed) bool { return why(i.Instance) != "" })
	if reasons {
		header = append(header, "REASON")
	}
	names := displayNames(instances)
	rows := make([][]string, len(instances))
	for n, i := range instances {
		pid, up, cpu, memory := "-", "-", "-", "-"
		if i.Pid > 0 {
			pid, cpu, memory = strconv.Itoa(i.Pid), fmt.Sprintf("%.2f", i.CPU), bytesText(i.Memory)
			if i.StartedAt != nil {
				up = uptime(time.Since(*i.StartedAt))
			}
		}
		rows[n] = []string{dash(names[n]), p.out.status(i.Status), dash(i.State), pid, up, strconv.Itoa(i.Restarts), p.out.status(dash(i.Health)), cpu, memory}
		if peers {
			rows[n] = append([]string{escape(i.Peer, false)}, rows[n]...)
		}
		if reasons {
			rows[n] = append(rows[n], escape(why(i.Instance), false))
		}
	}
	return p.out.rows(header, rows)
}

// why is what there is to say of an instance's status: the reason or its own
// word, and when it starts next.
func why(i control.Instance) string {
	text := cmp.Or(i.Reason, i.Says)
	if i.NextStartAt == nil {
		return text
	}
	next := "next start " + i.NextStartAt.Local().Format(time.DateTime)
	if text == "" {
		return next
	}
	return text + "; " + next
}

// displayNames qualifies the names that several applications of a peer share.
func displayNames(instances []listed) []string {
	count := map[[2]string]int{}
	for _, i := range instances {
		count[[2]string{i.Peer, i.Name}]++
	}
	names := make([]string, len(instances))
	for n, i := range instances {
		names[n] = i.Name
		if count[[2]string{i.Peer, i.Name}] > 1 {
			names[n] = i.Application + "/" + i.Name
		}
	}
	return names
}

func (p *program) get(c *cli.Context) error {
	req, err := oneName(c)
	if err != nil {
		return err
	}
	if wholeTarget(c) {
		return p.getOnAll(c, req)
	}
	var d control.Detail
	if err := call(c, control.OpGet, req, &d); err != nil {
		return err
	}
	return p.out.value(d, func() error { return p.detail(d) })
}

func (p *program) detail(d control.Detail) error {
	pid, cpu, memory := "-", "-", "-"
	if d.Pid > 0 {
		pid, cpu, memory = strconv.Itoa(d.Pid), fmt.Sprintf("%.2f", d.CPU), bytesText(d.Memory)
	}
	facts := [][]string{
		{"Name", d.Name},
		{"Application", d.Application},
		{"Address", d.Address},
		{"Status", p.out.status(d.Status)},
		{"Desired", d.Desired},
		{"State", dash(d.State)},
		{"Reason", dash(escape(why(d.Instance), false))},
		{"Generation", strconv.FormatUint(d.Generation, 10)},
		{"Pid", pid},
		{"Restarts", strconv.Itoa(d.Restarts)},
		{"Health", dash(d.Health)},
		{"CCP", ccpText(d.Instance)},
		{"CPU", cpu},
		{"Memory", memory},
		{"Last exit", dash(exitText(d.LastExit))},
		{"Dropped log bytes", strconv.FormatInt(d.Dropped, 10)},
	}
	for _, t := range d.Tree {
		facts = append(facts, []string{"Process", fmt.Sprintf("%d %s", t.Pid, escape(t.Command, false))})
	}
	if err := p.out.rows(nil, facts); err != nil {
		return err
	}
	if len(d.Recent) > 0 {
		if err := p.out.printf("\nRecent transitions\n"); err != nil {
			return err
		}
		if err := p.historyTable(d.Recent); err != nil {
			return err
		}
	}
	if err := p.out.printf("\nSpecification\n"); err != nil {
		return err
	}
	return p.out.yaml(d.Spec)
}

func ccpText(i control.Instance) string {
	if !i.CCP {
		return "no (plain process)"
	}
	return dash(i.CCPVersion)
}

func exitText(e *control.Exit) string {
	if e == nil {
		return ""
	}
	return exitWords(e.Code, e.Signal, e.Reason) + " at " + e.At.Format(time.RFC3339)
}

func exitWords(code int, signal, reason string) string {
	switch {
	case signal != "":
		return signal
	case code >= 0:
		return "code " + strconv.Itoa(code)
	default:
		return "unknown: " + reason
	}
}

func (p *program) history(c *cli.Context) error {
	req, err := oneName(c)
	if err != nil {
		return err
	}
	records := []journal.Record{}
	ask := control.EventsRequest{Name: req.Name, Application: req.Application, Last: c.Int("last")}
	if err := call(c, control.OpHistory, ask, &records); err != nil {
		return err
	}
	return p.out.value(records, func() error { return p.historyTable(records) })
}

func (p *program) historyTable(records []journal.Record) error {
	rows := make([][]string, len(records))
	for n, r := range records {
		exit := ""
		if r.Exit != nil {
			exit = exitWords(r.Exit.Code, r.Exit.Signal, r.Exit.Reason)
		}
		rows[n] = []string{
			strconv.FormatUint(r.Seq, 10), r.At.Local().Format("2006-01-02 15:04:05.000"), strconv.FormatUint(r.Generation, 10),
			p.out.status(r.From), p.out.status(r.To), dash(r.State), r.Cause, dash(escape(r.By, false)), dash(exit), escape(r.Detail, false),
		}
	}
	return p.out.rows([]string{"SEQ", "AT", "GEN", "FROM", "TO", "STATE", "CAUSE", "BY", "EXIT", "DETAIL"}, rows)
}
