package main

import (
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	frame := strings.Repeat(strings.Repeat("x", 100)+"\n", 30)
	lines := strings.Split(fit(frame, nil), clearLine+"\r\n")
	if len(lines) != 24 || lines[22] != "… 8 more" || lines[0] != strings.Repeat("x", 80) {
		t.Errorf("%d lines, the first %q, the last %q", len(lines), lines[0], lines[22])
	}
	if got := fit("a\nb\n", nil); got != "a"+clearLine+"\r\nb"+clearLine+"\r\n" {
		t.Errorf("got %q", got)
	}
}
