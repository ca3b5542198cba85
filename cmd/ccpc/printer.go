package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"go.yaml.in/yaml/v4"
	"golang.org/x/term"

	"github.com/seed-04209a44/peerd/control"
)

// The output formats.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// printer writes results to stdout and everything else to stderr.
type printer struct {
	w, errw        io.Writer
	format         string
	quiet          bool
	color          bool // stdout may be coloured
	progressOn     bool // stderr is a terminal: progress lines are welcome
	stdoutTerminal bool
}

func newPrinter(w, errw io.Writer, format string) *printer {
	terminal := isTerminal(w)
	return &printer{
		w: w, errw: errw, format: format,
		color:          terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		progressOn:     isTerminal(errw),
		stdoutTerminal: terminal,
	}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// value prints v as JSON or YAML, or as human draws it.
func (p *printer) value(v any, human func() error) error {
	switch p.format {
	case formatJSON:
		return p.json(v, "  ")
	case formatYAML:
		return p.yaml(v)
	default:
		return human()
	}
}

// line prints v as one line of JSON or one YAML document of a stream, or as
// human draws it.
func (p *printer) line(v any, human func() error) error {
	switch p.format {
	case formatJSON:
		return p.json(v, "")
	case formatYAML:
		if _, err := io.WriteString(p.w, "---\n"); err != nil {
			return err
		}
		return p.yaml(v)
	default:
		return human()
	}
}

func (p *printer) json(v any, indent string) error {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

// yaml prints v with the names and the order that it has as JSON.
func (p *printer) yaml(v any) error {
	s, err := asYAML(v)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.w, s)
	return err
}

func asYAML(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil { // JSON is YAML
		return "", err
	}
	plain(&n)
	var s strings.Builder
	e := yaml.NewEncoder(&s)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return "", err
	}
	return s.String(), e.Close()
}

// plain takes JSON's braces and quotes from a node where YAML needs none.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
}

// printf writes to stdout.
func (p *printer) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(p.w, format, args...)
	return err
}

// note tells something beside the result, on stderr.
func (p *printer) note(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintf(p.errw, format+"\n", args...)
	}
}

// progress tells a step of long work to somebody who watches a terminal.
func (p *printer) progress(format string, args ...any) {
	if p.progressOn {
		p.note(format, args...)
	}
}

// fail prints an error: what failed, why, what to do next.
func (p *printer) fail(e *control.Error) {
	if p.format == formatJSON {
		b, err := json.Marshal(map[string]*control.Error{"error": e})
		if err == nil {
			fmt.Fprintf(p.errw, "%s\n", b)
			return
		}
	}
	fmt.Fprintf(p.errw, "ccpc: %s\n", escape(e.Message, true))
}

// rows prints a table without frames; cells may be coloured.
func (p *printer) rows(header []string, rows [][]string) error {
	t := table.NewWriter()
	t.SetStyle(table.Style{
		Name:    "plain",
		Box:     table.BoxStyle{PaddingRight: "   ", UnfinishedRow: "…"},
		Format:  table.FormatOptions{Header: text.FormatDefault, Row: text.FormatDefault},
		Options: table.OptionsNoBordersAndSeparators,
	})
	if len(header) > 0 {
		t.AppendHeader(cells(header))
	}
	for _, r := range rows {
		t.AppendRow(cells(r))
	}
	for l := range strings.Lines(t.Render() + "\n") {
		if err := p.printf("%s\n", strings.TrimRight(l, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func cells(words []string) table.Row {
	row := make(table.Row, len(words))
	for i, w := range words {
		row[i] = w
	}
	return row
}

// status colours a status word.
func (p *printer) status(s string) string {
	switch s {
	case "running", "completed", "healthy", "started":
		return p.paint("32", s)
	case "failed", "unhealthy", "timeout", unreachable:
		return p.paint("31", s)
	case "starting", "stopping", "waiting", "backoff":
		return p.paint("33", s)
	default:
		return s
	}
}

func (p *printer) paint(sgr, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}
