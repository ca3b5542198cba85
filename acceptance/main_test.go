//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is the folder of the built programs, which any user may read.
var bin string

// descriptorFile is the sample component's descriptor.
var descriptorFile string

func TestMain(m *testing.M) { os.Exit(withPrograms(m)) }

// withPrograms builds everything once, runs the tests and clears away.
func withPrograms(m *testing.M) int {
	root, err := filepath.Abs("..")
	if err == nil {
		bin, err = os.MkdirTemp("/tmp", "accbin")
	}
	if err == nil {
		err = os.Chmod(bin, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot prepare:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(bin) }()
	descriptorFile = filepath.Join(root, "samples/CCPComponent/ServiceDescriptor.xml")
	build := exec.Command("go", "build", "-o", bin, "./cmd/peerd", "./cmd/peerd-keeper", "./cmd/ccpc", "./samples/CCPComponent", "./internal/testcomponents/...")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// program is the path of a built program.
func program(name string) string { return filepath.Join(bin, name) }
