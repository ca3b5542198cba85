package handshake

import (
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNegotiate(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"1.0 1.0", "1.0 1.0", "1.0"},
		{"1.0 2.0", "1.5 3.0", "2.0"},
		{"1.0 3.0", "1.2 1.10", "1.10"}, // ten is more than two
		{"1.0 1.9", "1.10 2.0", ""},
		{"2.0 2.1", "1.0 1.0", ""},
		{"0.0 9999.9999", "1.0 1.0", "1.0"},
	} {
		got, ok := Negotiate(ranged(t, c.a), ranged(t, c.b))
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s with %s: %s, %v; want %q", c.a, c.b, got, ok, c.want)
		}
	}
}

func ranged(t *testing.T, text string) Range {
	t.Helper()
	low, high, _ := strings.Cut(text, " ")
	r, err := Parse(low, high)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", ".", "1.", ".1", "-1.0", "1.0.0", "+1.0", "1e3", "10000.0", "1.0 ", "Ⅰ.0", strings.Repeat("9", 1000)} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%.20q was read as %s", text, v)
		} else if len(err.Error()) > 300 {
			t.Errorf("the error about %.20q has %d bytes", text, len(err.Error()))
		}
	}
	if _, err := Parse("2.0", "1.0"); err == nil || !strings.Contains(err.Error(), "2.0..1.0") {
		t.Errorf("an upside down range: %v", err)
	}
}

func TestAgreeNamesBothRanges(t *testing.T) {
	_, err := Agree(GateDescriptor, ranged(t, "1.0 1.4"), ranged(t, "2.0 2.1"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"descriptor", "1.0..1.4", "2.0..2.1"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

// Negotiate is symmetric, its result lies in both ranges, and nothing higher does.
func TestNegotiateProperties(t *testing.T) {
	part := rapid.IntRange(0, 12)
	version := rapid.Custom(func(t *rapid.T) Version { return Version{part.Draw(t, "major"), part.Draw(t, "minor")} })
	within := func(v Version, r Range) bool { return !v.Less(r.Min) && !r.Max.Less(v) }
	rapid.Check(t, func(t *rapid.T) {
		a := Range{version.Draw(t, "a.Min"), version.Draw(t, "a.Max")}
		b := Range{version.Draw(t, "b.Min"), version.Draw(t, "b.Max")}
		if a.Max.Less(a.Min) || b.Max.Less(b.Min) {
			t.Skip("upside down")
		}
		got, ok := Negotiate(a, b)
		if mirrored, okMirrored := Negotiate(b, a); mirrored != got || okMirrored != ok {
			t.Fatalf("not symmetric: %v, %v", got, mirrored)
		}
		if ok && !(within(got, a) && within(got, b)) {
			t.Fatalf("%v is not in %v and %v", got, a, b)
		}
		other := version.Draw(t, "other")
		if within(other, a) && within(other, b) && (!ok || got.Less(other)) {
			t.Fatalf("%v is in %v and %v, but the result was %v, %v", other, a, b, got, ok)
		}
		if back, err := ParseVersion(other.String()); err != nil || back != other {
			t.Fatalf("%v read back as %v, %v", other, back, err)
		}
	})
}

func TestParseLine(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		line string
		want string // part of the error; "" accepted
	}{
		{"1|1|unix|/run/s|grpc", ""},
		{"1|1|unix|/run/s|grpc|", ""},
		{"1|2|unix|/run/s|grpc||true|more", ""},
		{" 1|1|unix|/run/s|grpc\r", ""},
		{"", `got ""`},
		{"Listening on \x1b[0m8080", `got "Listening on \x1b[0m8080"`},
		{long, "(5000 bytes)"},
		{"2|1|unix|/run/s|grpc", "no handshake"},
		{"1|one|unix|/run/s|grpc", `got "one"`},
		{"1|7|unix|/run/s|grpc", "transport version 1 or 2, the component transport version 7"},
		{"1|1|tcp|127.0.0.1:80|grpc", `"tcp" address`},
		{"1|1|unix|/run/s|netrpc", `protocol "netrpc"`},
		{"1|1|unix|/run/s", "no handshake"},
		{"1|1|unix|/run/s|grpc|" + long, "TLS"},
	} {
		g, err := parseLine(c.line, []int{1, 2})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.40q: %v", c.line, err)
		case c.want == "" && g.address != "/run/s":
			t.Errorf("%.40q: address %q", c.line, g.address)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.40q: error %v, want one with %q", c.line, err, c.want)
		case err != nil && len(err.Error()) > 1000:
			t.Errorf("%.40q: the error has %d bytes", c.line, len(err.Error()))
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("1|1|unix|/run/s|grpc")
	f.Add("1|1|unix|/run/s|grpc|x|true")
	f.Add("hello")
	f.Fuzz(func(t *testing.T, line string) {
		g, err := parseLine(line, defaultVersions)
		if err != nil {
			return
		}
		if again, err := parseLine(g.line(), defaultVersions); err != nil || again != g {
			t.Errorf("%+v came back as %+v, %v", g, again, err)
		}
	})
}

// What spec.md tells authors in other languages is what this package does.
func TestSpecHasTheHandshake(t *testing.T) {
	text, err := os.ReadFile("../ccp/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{cookieKey, cookieValue, envVersions, envSocketDir} {
		if !strings.Contains(string(text), "`"+part+"`") {
			t.Errorf("spec.md does not name %s", part)
		}
	}
	_, rest, _ := strings.Cut(string(text), "```text\n")
	line, _, _ := strings.Cut(rest, "\n")
	if _, err := parseLine(line, defaultVersions); err != nil {
		t.Errorf("the handshake line of spec.md: %v", err)
	}
}
