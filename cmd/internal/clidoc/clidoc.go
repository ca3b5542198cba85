// Package clidoc writes the reference pages of a command-line program from its
// definition, so that what the pages say is what the program takes.
package clidoc

import (
	"fmt"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/urfave/cli/v2"
)

// Markdown is the program's page for readers of the documentation.
func Markdown(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n```\n%s\n```\n", app.Name, sentence(app.Usage), usageText(app))
	if app.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", app.Description)
	}
	writeFlags(&b, "\n## Flags of every verb\n", app.Flags)
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", strings.TrimSpace(app.Name+" "+c.Name+" "+c.ArgsUsage))
		fmt.Fprintf(&b, "%s. %s\n", sentence(c.Usage), c.Description)
		writeFlags(&b, "", c.Flags)
	}
	return b.String()
}

// Man is the program's manual page of section 1.
func Man(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%% %s 1\n\n# NAME\n\n%s - %s\n\n# SYNOPSIS\n\n%s\n\n# DESCRIPTION\n\n%s\n", app.Name, app.Name, app.Usage, usageText(app), app.Description)
	writeFlags(&b, "\n# OPTIONS\n", app.Flags)
	b.WriteString("\n# COMMANDS\n")
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", strings.TrimSpace(c.Name+" "+c.ArgsUsage))
		fmt.Fprintf(&b, "%s. %s\n", sentence(c.Usage), c.Description)
		writeFlags(&b, "", c.Flags)
	}
	return string(md2man.Render([]byte(b.String())))
}

// writeFlags lists flags under a heading.
func writeFlags(b *strings.Builder, heading string, flags []cli.Flag) {
	if len(flags) == 0 {
		return
	}
	b.WriteString(heading + "\n")
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		value, usage := valueName(d)
		fmt.Fprintf(b, "- `%s%s`: %s%s\n", spelling(f), value, usage, notes(d))
	}
}

// spelling is all names of a flag: "--output, -o".
func spelling(f cli.Flag) string {
	names := make([]string, len(f.Names()))
	for i, n := range f.Names() {
		names[i] = "--" + n
		if len(n) == 1 {
			names[i] = "-" + n
		}
	}
	return strings.Join(names, ", ")
}

// valueName takes the `NAME` of a flag's value out of its usage.
func valueName(d cli.DocGenerationFlag) (value, usage string) {
	usage = d.GetUsage()
	if !d.TakesValue() {
		return "", usage
	}
	parts := strings.SplitN(usage, "`", 3)
	if len(parts) < 3 {
		return " VALUE", usage
	}
	return " " + parts[1], parts[0] + parts[1] + parts[2]
}

// notes are a flag's default and its environment variables.
func notes(d cli.DocGenerationFlag) string {
	var notes []string
	if text := d.GetDefaultText(); d.TakesValue() && text != "" && text != `""` && text != "0" && text != "0s" {
		notes = append(notes, "default "+text)
	}
	for _, e := range d.GetEnvVars() {
		notes = append(notes, "environment "+e)
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// usageText is how the program is called.
func usageText(app *cli.App) string {
	if app.UsageText != "" {
		return app.UsageText
	}
	return app.Name + " VERB [flags]"
}

// sentence starts with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
