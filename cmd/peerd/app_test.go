package main

import (
	"strings"
	"testing"
)

// Flags may stand anywhere: a wrong one is found behind the profile, and a
// right one there is no second profile.
func TestFlagsStandAnywhere(t *testing.T) {
	for line, want := range map[string]struct {
		code  int
		words string
	}{
		"peerd run no.yaml --log-level shout":  {2, "no log level"},
		"peerd --log-level shout run no.yaml":  {2, "no log level"},
		"peerd run no.yaml --log-level=debug":  {7, "no.yaml"},
		"peerd run --log-format json no.yaml":  {7, "no.yaml"},
		"peerd run no.yaml other.yaml":         {2, "one profile"},
		"peerd run no.yaml --bogus":            {2, "bogus"},
		"peerd validate no.yaml":               {7, "no.yaml"},
		"peerd frobnicate":                     {2, "frobnicate"},
		"peerd version":                        {0, ""},
		"peerd run --help no.yaml":             {0, ""},
		"peerd":                                {0, ""},
		"peerd validate -- --odd-file-name.ym": {7, "--odd-file-name.ym"},
	} {
		var stdout, stderr strings.Builder
		if code := run(strings.Fields(line), &stdout, &stderr); code != want.code || !strings.Contains(stderr.String(), want.words) {
			t.Errorf("%s: code %d, stderr %q", line, code, stderr.String())
		}
	}
}
