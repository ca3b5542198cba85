package descriptor

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
)

func TestCheckArguments(t *testing.T) {
	d, _, err := parseFile(t, "testdata/loads/full.xml")
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{"text": "hello", "flag": "TRUE", "empty": ""}
	with := func(more map[string]string) map[string]string {
		out := maps.Clone(defaults)
		maps.Copy(out, more)
		return out
	}
	for _, c := range []struct {
		name   string
		given  map[string]string
		want   map[string]string
		faults string
	}{
		{name: "defaults", given: map[string]string{"count": "3"}, want: with(map[string]string{"count": "3"})},
		{name: "missing", given: nil, faults: `argument "count": is mandatory and missing`},
		{
			name: "types", given: map[string]string{"count": "3.5", "flag": "yes"},
			faults: `argument "count": "3.5" is no integer; argument "flag": "yes" is no boolean; true or false is expected`,
		},
		{
			name: "unknown", given: map[string]string{"count": "1", "cuont": "1"},
			faults: `argument "cuont": is not a runtime argument of Full; allowed: text, count, flag, hosts, empty`,
		},
		{name: "array", given: map[string]string{"count": "-1", "hosts": "a,b"}, want: with(map[string]string{"count": "-1", "hosts": "a,b"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := d.CheckArguments(c.given)
			var lines []string
			for _, f := range faults {
				lines = append(lines, f.Error())
			}
			if text := strings.Join(lines, "; "); text != c.faults {
				t.Errorf("got faults %s\nwant %s", text, c.faults)
			}
			if c.faults == "" && !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestNormalizeLevel(t *testing.T) {
	for in, want := range map[string]string{
		"SEVERE": "error", "WARNING": "warn", "info": "info", "Config": "debug", "FINE": "debug",
		"finer": "trace", "FINEST": "trace", "ALL": "trace", "OFF": "off", "trace": "trace", "Warn": "warn",
	} {
		if got, err := NormalizeLevel(in); err != nil || got != want {
			t.Errorf("%s: got %q and %v, want %s", in, got, err, want)
		}
	}
	if _, err := NormalizeLevel("loud"); err == nil {
		t.Error("loud is accepted")
	}
}

func TestOSMask(t *testing.T) {
	for _, c := range []struct {
		mask OS
		goos string
		want bool
	}{
		{0, "linux", true},
		{0, "plan9", true},
		{Linux, "linux", true},
		{Mac | Windows, "linux", false},
		{Mac | Windows, "darwin", true},
		{AllOS, "freebsd", false},
	} {
		if got := c.mask.Allows(c.goos); got != c.want {
			t.Errorf("%v allows %s: %v", c.mask, c.goos, got)
		}
	}
}

func Example() {
	file, err := os.Open("../samples/CCPComponent/ServiceDescriptor.xml")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	d, warnings, err := Parse(file, "ServiceDescriptor.xml")
	fmt.Println(d.GUID, d.Version, "speaks CCP", d.CCP().Min, "to", d.CCP().Max)
	fmt.Println("launched as", d.Execution.LaunchType.Supported)
	fmt.Println(len(warnings), err)
	// Output:
	// CCPComponent 1.0 speaks CCP 1.0 to 1.0
	// launched as separateProcess, manual
	// 0 <nil>
}
