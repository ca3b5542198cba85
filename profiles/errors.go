package profiles

import (
	"fmt"
	"sort"
	"strings"
)

// Error is one fault of a profile: where it is, what is wrong and what is
// allowed. Line and Column count from 1; Field is the path of the key, such as
// components.ticker.restart.delay.
type Error struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error gives "file:line:column: field: message".
func (e Error) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Field == "" {
		return where + e.Message
	}
	return where + e.Field + ": " + e.Message
}

// Errors are all the faults of a profile, ordered by file and place.
type Errors []Error

// Error gives one fault a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// maxErrors bounds a report; more faults than that are counted in its last line.
const maxErrors = 100

// sorted orders the faults and drops repetitions: a fault in `defaults` or
// behind an alias shows up once for each component that inherits it.
func (es Errors) sorted() Errors {
	sort.SliceStable(es, func(i, j int) bool {
		a, b := es[i], es[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	var out Errors
	type spot struct {
		file         string
		line, column int
		message      string
	}
	seen := map[spot]bool{}
	for _, e := range es {
		at := spot{e.File, e.Line, e.Column, e.Message}
		if !seen[at] {
			seen[at] = true
			out = append(out, e)
		}
	}
	if more := len(out) - maxErrors; more > 0 {
		last := out[maxErrors-1]
		last.Field, last.Message = "", fmt.Sprintf("… and %d more faults from here on", more+1)
		out = append(out[:maxErrors-1:maxErrors-1], last)
	}
	return out
}
