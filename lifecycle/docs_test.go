package lifecycle

import (
	"fmt"
	"strings"
	"testing"
)

// TestDocs keeps docs/lifecycle.md equal to what the tables say.
func TestDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString(docsHead)
	b.WriteString("\n## Status: the peer's view\n\n```mermaid\nstateDiagram-v2\n    [*] --> stopped\n")
	used := steps(t)
	for from, nexts := range statusNext {
		for _, to := range nexts {
			fmt.Fprintf(&b, "    %v --> %v: %s\n", Status(from), to, strings.Join(used[[2]Status{Status(from), to}], ", "))
		}
	}
	b.WriteString("```\n\nA live status (starting, running, stopping) also records facts without leaving it.\n" +
		"A restart ends its old generation in waiting and, if the gate is open, launches the next one in the same step.\n" +
		"A takeover after the peer was away may enter any live status, with cause `recovery`.\n")
	b.WriteString("\n## State: the component's own word\n\n```mermaid\nstateDiagram-v2\n    [*] --> COMPONENT_LAUNCH\n")
	for from, nexts := range stateNext {
		for _, to := range nexts {
			if State(from) != NoState {
				fmt.Fprintf(&b, "    %v --> %v\n", State(from), to)
			}
		}
	}
	b.WriteString("    COMPONENT_STOP_CLEANUP --> [*]\n```\n\n" +
		"The same state again is information and no step. Any other report is rejected, recorded and changes nothing.\n")
	writeLadders(&b)
	writeMatrix(t, &b)
	generated(t, "../docs/lifecycle.md", b.String())
}

const docsHead = `<!-- Generated from lifecycle/ by "go generate ./lifecycle". Do not edit. -->

# The life of a component

An instance has a *desired* (up or down), a *status* and, while a component with a channel lives, a *state*.
Everything below is generated from the tables the machine runs on.
`

func writeLadders(b *strings.Builder) {
	b.WriteString("\n## Stop ladder\n\nOne budget, ComponentStopWaitTime, covers all rungs.\n\n| rung | component with a channel | plain process |\n|---|---|---|\n")
	at := func(ccp bool, a Action) string {
		for _, r := range Ladder(ccp) {
			if r.Action == a {
				return fmt.Sprintf("at %.0f %%", r.At*100)
			}
		}
		return "–"
	}
	for _, r := range Ladder(true) {
		fmt.Fprintf(b, "| %v | %s | %s |\n", r.Action, at(true, r.Action), at(false, r.Action))
	}
	b.WriteString("\nA component that has not reported any state yet cannot be asked: it is treated as a plain process.\n" +
		"An ask that fails brings the signal forward, never the kill.\n")
}

// writeMatrix writes the usual case of each status.
func writeMatrix(t *testing.T, b *strings.Builder) {
	var usual []situation
	for _, s := range situations(t) {
		if s.name == s.m.Status.String() {
			usual = append(usual, s)
		}
	}
	b.WriteString("\n## Every event in every status\n\nThe usual case of each status: a component with a channel, restart always " +
		"(completed: a one-shot; failed: restart never).\n`–` is decided as *nothing happens*. " +
		"[All cases](../lifecycle/testdata/matrix.txt).\n\n| event |")
	for _, s := range usual {
		fmt.Fprintf(b, " %v |", s.m.Status)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(usual)+1) + "\n")
	for _, st := range stimuli() {
		fmt.Fprintf(b, "| **%s** |", st.name)
		for _, s := range usual {
			after, effects := st.apply(s)
			fmt.Fprintf(b, " %s |", describe(s.m, after, effects))
		}
		b.WriteString("\n")
	}
}
