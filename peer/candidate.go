package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/internal/version"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/profiles"
)

// CheckVerb is the argument by which a program is asked whether it can take
// over: it reads a Question from stdin and writes an Answer to stdout.
const CheckVerb = "handover-check"

// Question is what a running peer tells a program that may take over from it.
type Question struct {
	Format   int            `json:"format"`  // of the handover
	Journal  int            `json:"journal"` // format of the one in the state folder
	Profile  string         `json:"profile"`
	Replicas map[string]int `json:"replicas,omitempty"` // as operators have scaled
}

// Answer is what it says.
type Answer struct {
	Version  string `json:"version"`
	Formats  [2]int `json:"formats"`            // of handovers, the oldest and the newest it reads
	Journal  int    `json:"journal"`            // newest format of a journal it reads
	Keeper   int    `json:"keeper"`             // the protocol in which it talks to a keeper
	Profile  string `json:"profile,omitempty"`  // what is wrong with the profile
	StateDir string `json:"stateDir,omitempty"` // where it would look for its state
}

// Check answers for this program. It reads the profile and opens nothing else.
func Check(q Question) Answer {
	a := Answer{Version: version.String(), Formats: [2]int{handoverOldest, handoverFormat}, Journal: journal.FormatVersion, Keeper: keeper.Own().Protocol.Newest}
	plan, err := profiles.Load(q.Profile, profiles.LoadOptions{UID: os.Geteuid(), Replicas: q.Replicas})
	if err != nil {
		a.Profile = err.Error()
		return a
	}
	a.StateDir = plan.Peer.StateDir
	return a
}

// candidate is a program that has shown that it can take over.
type candidate struct {
	path   string
	answer Answer
	info   os.FileInfo
}

// errSame says that the program runs already.
var errSame = errors.New("it is the program that runs")

// candidate asks a program whether it can take over; "" is the file that the
// running one was started from. Nothing is given up yet.
func (p *Peer) candidate(ctx context.Context, path string) (*candidate, error) {
	if path == "" {
		path = p.program
	}
	if !filepath.IsAbs(path) {
		return nil, control.Errorf(control.CodeUsage, "%q is no absolute path of a program", path)
	}
	info, err := usable(path)
	if err != nil {
		return nil, control.Errorf(control.CodeInvalid, "%s cannot take over: %v; this peerd goes on", path, err)
	}
	c := &candidate{path: path, info: info}
	if own, err := os.Stat(ownProgram); err == nil && os.SameFile(own, info) {
		return c, errSame
	}
	scales, err := scalesIn(p.journal)
	if err != nil {
		return nil, err
	}
	plan, _ := p.currentPlan()
	c.answer, err = ask(ctx, path, Question{Format: handoverFormat, Journal: journal.FormatVersion, Profile: p.opts.Profile, Replicas: scales})
	if err == nil {
		err = c.answer.fault(plan.Peer.StateDir, p.keeper.Speaks().Protocol)
	}
	if err != nil {
		return nil, control.Errorf(control.CodeInvalid, "%s cannot take over: %v; this peerd goes on", path, err)
	}
	return c, nil
}

// ownProgram is the file of the program that runs, whatever has become of its
// name.
const ownProgram = "/proc/self/exe"

// usable reports why a file is no program that this peer may become: nobody but
// its own user and root may have a say in that.
func usable(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid //nolint:forcetypeassert // so on every Unix
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Mode().Perm()&0o111 == 0:
		return nil, errors.New("it is not executable: chmod +x it")
	case owner != 0 && int(owner) != os.Geteuid():
		return nil, fmt.Errorf("it belongs to uid %d, who could change it: chown it to root or to uid %d", owner, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("others may write to it (%v): chmod go-w it", info.Mode().Perm())
	}
	return info, nil
}

// Bounds of the question to a candidate.
const (
	answerTime = 20 * time.Second
	maxAnswer  = 64 << 10 // bytes
)

func ask(ctx context.Context, path string, q Question) (a Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var out, complaint bounded
	cmd := exec.CommandContext(ctx, path, CheckVerb)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(rawJSON(q)), &out, &complaint
	cmd.WaitDelay = time.Second
	switch err := cmd.Run(); {
	case errors.Is(err, syscall.ENOEXEC):
		return a, fmt.Errorf("it is no program for this machine (%w)", syscall.ENOEXEC)
	case ctx.Err() != nil:
		return a, fmt.Errorf("it does not answer: %w", ctx.Err())
	case err != nil:
		return a, fmt.Errorf("it does not answer as a peerd that can be upgraded to: %w%s", err, complaint.quote())
	}
	if err := json.Unmarshal(out.text, &a); err != nil || a.Version == "" {
		return a, errors.New("it does not answer as a peerd that can be upgraded to")
	}
	return a, nil
}

// fault says why this peer cannot be handed to a program that answers so.
func (a Answer) fault(stateDir string, keepers keeper.Range) error {
	switch {
	case handoverFormat < a.Formats[0] || handoverFormat > a.Formats[1]:
		return fmt.Errorf("version %s takes handovers of format %d to %d, and this is format %d: go by way of a version between the two", a.Version, a.Formats[0], a.Formats[1], handoverFormat)
	case journal.FormatVersion > a.Journal:
		return fmt.Errorf("version %s reads journals up to format %d, and this one has format %d: it is too old", a.Version, a.Journal, journal.FormatVersion)
	case !keepers.Has(a.Keeper):
		return fmt.Errorf("version %s talks to keepers by protocol %d, and the one that runs answers %d to %d: go by way of a version between the two", a.Version, a.Keeper, keepers.Oldest, keepers.Newest)
	case a.Profile != "":
		return fmt.Errorf("version %s does not accept the profile: %s", a.Version, a.Profile)
	case a.StateDir != stateDir:
		return fmt.Errorf("version %s would use the state folder %s, and this peerd has its state in %s: start peerd anew to move it", a.Version, a.StateDir, stateDir)
	}
	return nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ text []byte }

// Write implements io.Writer; it never fails.
func (b *bounded) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), maxAnswer-len(b.text))]...)
	return len(p), nil
}

// quote is the first line, for an error.
func (b *bounded) quote() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b.text)), "\n")
	if line == "" {
		return ""
	}
	return fmt.Sprintf(" (%.200q)", line)
}
