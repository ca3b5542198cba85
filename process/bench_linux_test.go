package process

import (
	"os/exec"
	"testing"
	"time"
)

// BenchmarkSpawn runs /bin/true to its end: bare, by the Door with each means
// of holding a tree, and through the shim. The ratio to bare os/exec is told.
func BenchmarkSpawn(b *testing.B) {
	var bare float64
	b.Run("bare os exec", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
		bare = float64(b.Elapsed()) / float64(b.N)
	})
	spawn := func(name string, d *Door, s Spec) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := d.Start(s)
				if err != nil {
					b.Fatal(err)
				}
				<-p.Empty()
				p.Release()
			}
			if bare > 0 {
				b.ReportMetric(float64(b.Elapsed())/float64(b.N)/bare, "x-bare")
			}
		})
	}
	s := Spec{Path: "/bin/true", Args: []string{"true"}, Name: "bench"}
	h := findHierarchies()
	spawn("session", openAs(b, hierarchies{}, session), s)
	if h.unified != "" {
		d := openAs(b, h, cgroupV2)
		spawn("cgroup v2", d, s)
		spawn("cgroup v2 and shim", d, withShim(s))
	}
	if h.v1["freezer"] != "" {
		spawn("cgroup v1 freezer and shim", openAs(b, h, cgroupFreezer), s)
	}
}

// BenchmarkUsage samples a hundred running trees of one process each.
func BenchmarkUsage(b *testing.B) {
	for held, h := range map[containment]hierarchies{session: {}, cgroupV2: findHierarchies()} {
		if held == cgroupV2 && h.unified == "" {
			continue
		}
		b.Run(string(held), func(b *testing.B) {
			d := openAs(b, h, held)
			var all []*Process
			for range 100 {
				all = append(all, start(b, d, shell("exec sleep 1000")))
			}
			for b.Loop() {
				for _, p := range all {
					if _, err := p.Usage(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(100*time.Microsecond), "us/tree")
		})
	}
}
