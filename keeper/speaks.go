package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/seed-04209a44/peerd/internal/version"
)

// What this program speaks. A number grows when what it stands for changes so
// that the other side would misread it; a field that may be missing is no such
// change. Each release understands its predecessor.
const (
	protocol = 1 // of the commands
	state    = 1 // of what one program hands to the next that the keeper becomes
)

// Speaks is what a program that can be a keeper understands.
type Speaks struct {
	Version  string `json:"version"`  // of the program, for people
	Protocol Range  `json:"protocol"` // of the commands that it answers
	State    Range  `json:"state"`    // of what it can take over from the program it replaces
	// Notify: it keeps the sockets of sd_notify, too.
	Notify bool `json:"notify,omitempty"`
}

// Range is all numbers from Oldest to Newest.
type Range struct {
	Oldest int `json:"oldest"`
	Newest int `json:"newest"`
}

// Has reports whether n is in the range.
func (r Range) Has(n int) bool { return r.Oldest <= n && n <= r.Newest }

// wordSpeaks, after the command line of a keeper, has the program say what it
// speaks.
const wordSpeaks = "speaks"

// Own is what this program speaks.
func Own() Speaks {
	return Speaks{
		Version:  version.String(),
		Protocol: Range{Oldest: protocol, Newest: protocol},
		State:    Range{Oldest: state, Newest: state},
		Notify:   true,
	}
}

// askPatience bounds how long a program may take to say what it speaks, and
// maxAnswer how many bytes it may take for it.
const (
	askPatience = 5 * time.Second
	maxAnswer   = 4 << 10
)

// Ask runs a program that can be a keeper, as the command line that starts one,
// and has it say what it speaks. It blocks until the program has ended, five
// seconds at most. An error says that it cannot be a keeper.
func Ask(ctx context.Context, argv []string) (Speaks, error) {
	s, err := ask(ctx, argv)
	if err != nil {
		return Speaks{}, fmt.Errorf("cannot have %s as a keeper: %w", argv[0], err)
	}
	return s, nil
}

func ask(ctx context.Context, argv []string) (s Speaks, err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	line := append(append([]string{}, argv[1:]...), wordSpeaks)
	cmd := exec.CommandContext(ctx, argv[0], line...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = environment, "/", time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return s, err
	}
	if err := cmd.Start(); err != nil {
		return s, err
	}
	text, err := io.ReadAll(io.LimitReader(out, maxAnswer))
	if err := cmd.Wait(); err != nil {
		return s, fmt.Errorf("it does not say what it speaks: %w", err)
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("it does not say what it speaks: %w", err)
	}
	return s, nil
}

// choose is the first of the programs that is there and answers our commands.
// The last one is not asked: it is the user itself, or there is no choice.
func choose(ctx context.Context, programs [][]string) []string {
	last := len(programs) - 1
	for _, argv := range programs[:last] {
		if s, err := Ask(ctx, argv); err == nil && s.Protocol.Has(protocol) {
			return argv
		}
	}
	return programs[last]
}
