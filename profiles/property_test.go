package profiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-04209a44/peerd/profiles"
)

// edges is who depends on whom, by number.
type edges map[int][]int

// drawProfile makes up a profile of a few components with dependencies, cyclic
// ones too, and launch orders.
func drawProfile(t *rapid.T) (text string, deps edges, levels []int) {
	n := rapid.IntRange(1, 8).Draw(t, "components")
	deps = edges{}
	var b strings.Builder
	b.WriteString("components:\n")
	for i := range n {
		level := rapid.SampledFrom([]int{-1, -1, 0, 1, 2}).Draw(t, "launchOrder")
		levels = append(levels, level)
		fmt.Fprintf(&b, "  c%d: {command: [/bin/true, %q], launchOrder: %d, dependsOn: [", i, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "arg"), level)
		for j := range n {
			if j != i && rapid.IntRange(0, 9).Draw(t, "edge") == 0 {
				deps[i] = append(deps[i], j)
				fmt.Fprintf(&b, "c%d, ", j)
			}
		}
		b.WriteString("]}\n")
	}
	return b.String(), deps, levels
}

// waitsFor says whether i must start after j by a dependency or a level.
func waitsFor(deps edges, levels []int, i, j int) bool {
	for _, d := range deps[i] {
		if d == j {
			return true
		}
	}
	return levels[i] > 0 && levels[j] > 0 && levels[j] < levels[i]
}

// cyclic says whether what waits for what has a cycle.
func cyclic(deps edges, levels []int) bool {
	n := len(levels)
	reach := make([][]bool, n)
	for i := range reach {
		reach[i] = make([]bool, n)
		for j := range n {
			reach[i][j] = i != j && waitsFor(deps, levels, i, j)
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
			}
		}
	}
	for i := range n {
		if reach[i][i] {
			return true
		}
	}
	return false
}

// TestOrderProperty: a plan exists exactly when nothing waits for itself, and
// then everything starts after what it waits for.
func TestOrderProperty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	rapid.Check(t, func(t *rapid.T) {
		text, deps, levels := drawProfile(t)
		plan, err := loadText(t, path, text)
		if cyclic(deps, levels) {
			var faults profiles.Errors
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), "cycle") {
				t.Fatalf("a cycle is accepted: %v\n%s", err, text)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		position := map[string]int{}
		for i, s := range plan.Specs {
			position[s.Name] = i
		}
		for i := range levels {
			for j := range levels {
				if i != j && waitsFor(deps, levels, i, j) && position[fmt.Sprint("c", i)] < position[fmt.Sprint("c", j)] {
					t.Fatalf("c%d starts before c%d\n%s", i, j, text)
				}
			}
		}
	})
}

// TestDiffProperty: carrying out the changes turns the old plan's instances
// into the new one's, and touches only what differs.
func TestDiffProperty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	rapid.Check(t, func(t *rapid.T) {
		oldText, _, _ := drawProfile(t)
		newText, _, _ := drawProfile(t)
		before, err := loadText(t, path, oldText)
		if err != nil {
			t.Skip("a cycle")
		}
		after, err := loadText(t, path, newText)
		if err != nil {
			t.Skip("a cycle")
		}
		running := map[string]*profiles.Spec{}
		for _, s := range before.Specs {
			running[s.Address] = s
		}
		for _, c := range profiles.Diff(before, after) {
			if c.Kind == profiles.ChangeStop {
				delete(running, c.Old.Address)
				continue
			}
			if old := running[c.New.Address]; old != nil && old.Hash == c.New.Hash && old.LiveHash == c.New.LiveHash {
				t.Fatalf("%s is changed and is equal", c.New.Name)
			}
			running[c.New.Address] = c.New
		}
		if len(running) != len(after.Specs) {
			t.Fatalf("%d instances, want %d", len(running), len(after.Specs))
		}
		for _, s := range after.Specs {
			got := running[s.Address]
			if got == nil || got.Hash != s.Hash || got.LiveHash != s.LiveHash {
				t.Fatalf("%s is not what the plan says", s.Name)
			}
		}
	})
}

func loadText(t *rapid.T, path, text string) (*profiles.Plan, error) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return profiles.Load(path, options())
}
