package scaffold

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// Module is the path of the SDK's module.
const Module = "github.com/seed-04209a44/peerd"

// moduleFiles makes go.mod and, for a checkout, go.sum: the checkout's own
// versions and checksums, so that the new module builds without a network.
func moduleFiles(name string, o Options) (map[string]string, error) {
	checkout := o.Checkout
	if checkout == "" && o.Version == "" {
		checkout = builtFrom()
	}
	if checkout == "" {
		return releasedModule(name, o.Version)
	}
	checkout, err := filepath.Abs(checkout)
	if err != nil {
		return nil, err
	}
	mod, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil || !bytes.Contains(mod, []byte("module "+Module+"\n")) {
		return nil, fmt.Errorf("%s is no checkout of %s: its go.mod says otherwise or is not there", checkout, Module)
	}
	sum, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("cannot use the checkout %s: %w", checkout, err)
	}
	return map[string]string{
		"go.mod": fmt.Sprintf("module %s\n\n%s\n\nrequire %s v0.0.0\n\nreplace %s => %s\n\nrequire (\n%s)\n",
			strings.ToLower(name), goLine.FindString(string(mod)), Module, Module, quotePath(checkout), indirect(string(mod))),
		"go.sum": string(sum),
	}, nil
}

// releasedModule needs the network once: `go mod tidy`.
func releasedModule(name, version string) (map[string]string, error) {
	if version == "" {
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == Module && strings.HasPrefix(info.Main.Version, "v") {
			version = info.Main.Version
		}
	}
	if version == "" {
		return nil, fmt.Errorf("cannot tell where the new component gets %s from: name a checkout of it with --checkout", Module)
	}
	return map[string]string{"go.mod": fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire %s %s\n", strings.ToLower(name), Module, version)}, nil
}

var (
	goLine      = regexp.MustCompile(`(?m)^go .*$`)
	requireLine = regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+/\S+ v\S+)`)
)

// indirect lists all that a go.mod requires.
func indirect(mod string) string {
	var b strings.Builder
	for _, m := range requireLine.FindAllStringSubmatch(mod, -1) {
		fmt.Fprintf(&b, "\t%s // indirect\n", m[1])
	}
	return b.String()
}

// quotePath writes a path as go.mod wants it.
func quotePath(path string) string {
	if strings.ContainsAny(path, " \t\"'`()[]{},;") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// builtFrom returns the checkout that this program was compiled from or lies
// in, or that the working folder is in; "" when there is none.
func builtFrom() string {
	var places []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		places = append(places, filepath.Dir(file))
	}
	if program, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(program); err == nil {
			places = append(places, filepath.Dir(real))
		}
	}
	if here, err := os.Getwd(); err == nil {
		places = append(places, here)
	}
	for _, place := range places {
		if root := checkoutAbove(place); root != "" {
			return root
		}
	}
	return ""
}

// checkoutAbove looks for a checkout of the module in dir and above.
func checkoutAbove(dir string) string {
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module "+Module+"\n")) {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}
