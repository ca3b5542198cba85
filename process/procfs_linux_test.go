package process

import (
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseStat(t *testing.T) {
	const line = "42 (a) b (c) R 7 42 40 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 3 0 987654 1000 2 18446744073709551615 1 1\n"
	got, err := parseStat([]byte(line))
	want := stat{
		pid: 42, ppid: 7, session: 40, command: "a) b (c", state: 'R',
		cpu: 2500 * time.Millisecond, threads: 3, start: 987654, memory: 2 * int64(os.Getpagesize()),
	}
	if err != nil || got != want {
		t.Errorf("parsed %+v, %v; want %+v", got, err, want)
	}
}

// Whatever the name of a program, it cannot pass for something else.
func TestParseStatWithAnyCommand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		command := rapid.String().Draw(t, "command")
		line := "42 (" + command + ") S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0\n"
		got, err := parseStat([]byte(line))
		if err != nil || got.command != command || got.ppid != 7 || got.start != 5 {
			t.Fatalf("parsed %+v, %v", got, err)
		}
	})
}

func TestZombieStatus(t *testing.T) {
	rest := strings.Repeat(" 0", 47)
	for line, want := range map[string]int{
		"42 (a) b) Z 7" + rest + " 9472\n":  9472,
		"42 (a) Z 7" + rest + " 15 1 2\n":   15, // a later kernel's
		"42 (a) Z 7" + rest[2:] + " 9472\n": -1, // an earlier one's
		"42 (a) S 7" + rest + " 9472\n":     -1,
		"42 (a) Z":                          -1,
	} {
		status, ok := zombieStatus([]byte(line))
		if ok != (want >= 0) || ok && int(status) != want {
			t.Errorf("%q: %d, %v", line, status, ok)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (x) S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0"))
	f.Add([]byte("42 (x) "))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, line []byte) { _, _ = parseStat(line); _, _ = zombieStatus(line) })
}

func TestIdentify(t *testing.T) {
	id, err := Identify(os.Getpid())
	if err != nil || !id.Alive() || id.BootID == "" {
		t.Errorf("identified as %+v, %v", id, err)
	}
	if CommandName(os.Getpid()) == "" {
		t.Error("nameless")
	}
	p := start(t, newDoor(t), shell("exit 0"))
	await(t, "end of the tree", p.Empty())
	if p.Identity().Alive() || CommandName(p.Identity().Pid) != "" {
		t.Error("an ended process lives")
	}
}
