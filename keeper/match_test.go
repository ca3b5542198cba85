package keeper

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// matches feeds the chunks to one stream of a matcher and reports whether a
// line has matched.
func matches(t interface{ Fatal(...any) }, expr string, chunks []string) bool {
	found := false
	m, err := newMatcher(expr, func() { found = true })
	if err != nil {
		t.Fatal(err)
	}
	l := &lines{m: m}
	for _, c := range chunks {
		if n, err := l.Write([]byte(c)); n != len(c) || err != nil {
			t.Fatal(n, err)
		}
	}
	return found
}

func TestMatchLooksAtWholeLines(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want bool
	}{
		{[]string{"listening on :80\n"}, true},
		{[]string{"xx\nliste", "ning", " on :80\r\n", "more"}, true},
		{[]string{"listening on :80"}, false}, // the line is not over
		{[]string{"listening\n on :80\n"}, false},
		{[]string{strings.Repeat("x", 1<<20), "\nlistening on 1\n"}, true},
		{[]string{strings.Repeat("x", maxMatch), "listening on 1\n"}, false}, // beyond what is looked at
	} {
		if got := matches(t, `listening on \S+$`, c.in); got != c.want {
			t.Errorf("%.60q: %v", c.in, got)
		}
	}
	if _, err := newMatcher("(", nil); err == nil {
		t.Error("a bad expression was accepted")
	}
}

// However the output is cut into chunks, the same lines match.
func TestMatchDoesNotSeeChunks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		chunks := rapid.SliceOf(rapid.StringMatching(`[ab\n]{0,4}`)).Draw(r, "chunks")
		want := strings.Contains("\n"+strings.Join(chunks, ""), "\naab\n")
		if got := matches(r, "^aab$", chunks); got != want {
			r.Fatalf("%q: %v", chunks, got)
		}
	})
}
