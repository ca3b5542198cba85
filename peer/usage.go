package peer

import (
	"context"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/supervisor"
)

// sampleEvery is how often the processes are looked at.
const sampleEvery = time.Second

// figures is the latest look at one generation.
type figures struct {
	generation uint64
	at         time.Time
	cpuTime    time.Duration
	cpu        float64 // cores
	memory     int64   // bytes
}

// usage samples the living instances, so that listing them costs nothing.
type usage struct {
	mu     sync.Mutex // guards the following field
	latest map[supervisor.Key]figures
}

// of returns the latest figures of a generation, zero before the first look.
func (u *usage) of(k supervisor.Key, generation uint64) figures {
	u.mu.Lock()
	defer u.mu.Unlock()
	if f := u.latest[k]; f.generation == generation {
		return f
	}
	return figures{}
}

// run samples until ctx ends. act is given the view and figures of each.
func (u *usage) run(ctx context.Context, views func() []*supervisor.View, act func(*supervisor.View, figures)) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			u.sample(views(), act)
		}
	}
}

func (u *usage) sample(views []*supervisor.View, act func(*supervisor.View, figures)) {
	next := make(map[supervisor.Key]figures, len(views))
	for _, v := range views {
		g := generationOf(v)
		if g == nil || v.AtRest() {
			continue
		}
		s, err := g.sample()
		if err != nil {
			continue
		}
		f := figures{generation: v.Machine.Generation, at: time.Now(), cpuTime: s.CPUTime, memory: s.Memory}
		u.mu.Lock()
		before := u.latest[v.Key]
		u.mu.Unlock()
		if span := f.at.Sub(before.at); before.generation == f.generation && span > 0 {
			f.cpu = max(0, float64(f.cpuTime-before.cpuTime)/float64(span))
		}
		next[v.Key] = f
		act(v, f)
	}
	u.mu.Lock()
	u.latest = next
	u.mu.Unlock()
}
