package main

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-04209a44/peerd/cmd/internal/cliargs"
)

func TestArrange(t *testing.T) {
	app := testApp()
	for line, want := range map[string]string{
		"ccpc":                               "ccpc",
		"ccpc ps":                            "ccpc ps",
		"ccpc ps ticker":                     "ccpc ps -- ticker",
		"ccpc ps ticker -o json":             "ccpc -o json ps -- ticker",
		"ccpc --watch ps -o=json ticker":     "ccpc -o=json ps --watch -- ticker",
		"ccpc data t memory --count -1":      "ccpc data --count -1 -- t memory",
		"ccpc --count -1 data t memory":      "ccpc data --count -1 -- t memory",
		"ccpc scale ticker -1":               "ccpc scale -- ticker -1",
		"ccpc send t X -":                    "ccpc send -- t X -",
		"ccpc get -- -o json":                "ccpc get -- -o json",
		"ccpc logs a --unknown b":            "ccpc logs --unknown -- a b",
		"ccpc --help data":                   "ccpc data --help",
		"ccpc get ticker --help":             "ccpc get --help",
		"ccpc ps --timeout":                  "ccpc --timeout ps",
		"ccpc --socket ps ps":                "ccpc --socket ps ps",
		"ccpc -f logs ticker -n 5 --socket=": "ccpc --socket= logs -f -n 5 -- ticker",
	} {
		if got := strings.Join(cliargs.Arrange(app, strings.Fields(line)), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}

// TestArrangeLosesNothing: every word is still there, once.
func TestArrangeLosesNothing(t *testing.T) {
	app := testApp()
	word := rapid.OneOf(rapid.SampledFrom([]string{"ps", "data", "ticker", "--count", "-1", "-o", "json", "--watch", "--x", "-", "--all", "--app=a", "-f"}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		words := slices.DeleteFunc(rapid.SliceOf(word).Draw(t, "words"), func(w string) bool { return w == "--" })
		got := slices.DeleteFunc(cliargs.Arrange(app, append([]string{"ccpc"}, words...)), func(w string) bool { return w == "--" })
		want := append([]string{"ccpc"}, words...)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain äöü ✓\t": "plain äöü ✓\t",
		"\x1b[2J\r\n":   `\x1b[2J\x0d\x0a`,
		"a\xffb\x00":    `a\xffb\x00`,
		"\u0085\u202e":  `\x85\u202e`,
		"\x7f":          `\x7f`,
	} {
		if got := escape(in, false); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := escape("a\nb", true); got != "a\nb" {
		t.Errorf("lines: %q", got)
	}
}
