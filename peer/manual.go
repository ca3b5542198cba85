package peer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/standin"
)

// launchGate refuses a way to launch that this build or platform does not have.
func (g *generation) launchGate() error {
	switch mode := g.spec.LaunchMode; {
	case mode == "manual" && !standin.Available:
		return errors.New("launch: manual is available on Linux only; use separateProcess")
	case mode == "manual" && g.spec.Checksum != "":
		return errors.New("launch: manual cannot hold a person to the checksum; leave it out while debugging")
	case mode == "manual" && len(g.spec.Sandbox.ReadOnly)+len(g.spec.Sandbox.ReadWrite) > 0:
		return errors.New("launch: manual cannot restrict paths: a debugger is out of its reach; leave sandbox.readOnly and readWrite out")
	case mode != "manual" && mode != "separateProcess":
		return fmt.Errorf("launch: %s is not available in this build of peerd; use separateProcess", mode)
	}
	return nil
}

// isManual: a person runs it, in place of the stand-in that is spawned.
func (g *generation) isManual() bool { return g.spec.LaunchMode == "manual" }

// humanPatience is that of a person at a breakpoint: it does not end.
const humanPatience = 10 * 365 * 24 * time.Hour

// patience is how long the component may take to come up.
func (g *generation) patience() time.Duration {
	if g.isManual() {
		return humanPatience
	}
	return g.spec.LaunchTimeout
}

// attachable is the socket where a stand-in waits for a person; "": none does.
func (g *generation) attachable() string {
	if !g.isManual() || g.process() == nil {
		return ""
	}
	if dir := g.l.folder(g.spec, g.number); standin.Waits(dir) {
		return standin.Socket(dir)
	}
	return ""
}

// attachHint says what a person is to do. The environment is left out: it is
// given by the stand-in, and may hold what is not for everybody.
func (g *generation) attachHint() string {
	return fmt.Sprintf("waits for `ccpc attach %s --app %s`, which runs in its place: %s", g.spec.Name, g.spec.Application.GUID,
		strings.Join(append([]string{g.spec.Path}, g.spec.Args...), " "))
}
