package controller

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

func TestRebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := cluster.NewMemory()
		on := func(name string) *node { return run(t, func(o *Options) { o.Engine = fleet.Engine(name) }) }
		a := on("a")
		for i := range 5 {
			a.join("many", fmt.Sprint("p", i), nil)
		}
		a.join("one", "q", nil)
		time.Sleep(time.Hour)
		if a.told(ChannelClosed) != 0 {
			t.Error("channels were closed although there is one controller")
		}
		term := a.registry.look("many").record.revision
		busy, cancel := context.WithTimeout(t.Context(), time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = a.Send(busy, "many", command(t, "HANG", nil), Choice{Primary: true}) })

		b := on("b")
		time.Sleep(DefaultRebalanceDelay - time.Second)
		c := on("c")
		time.Sleep(DefaultRebalanceDelay - time.Second)
		if a.told(ChannelClosed) != 0 {
			t.Error("it did not wait after the second join")
		}
		time.Sleep(2 * time.Second)
		// 5 channels on 3 controllers: 2 stay here; the only one of a target stays.
		if got := a.told(ChannelClosed); got != 3 {
			t.Errorf("%d channels were closed, want 3", got)
		}
		if now := a.registry.look("many").record.revision; now != term {
			t.Error("the primary was moved")
		}
		cancel()
		wg.Wait()
		for _, n := range []*node{c, b, a} {
			n.stop()
		}
	})
}

func TestSurplusIsIdle(t *testing.T) {
	links := make([]*link, 4)
	for i := range links {
		links[i] = &link{id: fmt.Sprint(i), slots: make(chan struct{}, 1)}
	}
	links[1].slots <- struct{}{}
	links[2].over.Store(true)
	for _, c := range []struct {
		all, nodes int
		primary    string
		want       []string
	}{
		{4, 1, "0", nil},
		{4, 2, "0", []string{"3", "0"}},
		{4, 2, "3", []string{"0", "3"}},
		{8, 2, "3", nil},
		{4, 4, "3", []string{"0", "3"}}, // 3 too many, but only two are idle
		{6, 2, "0", []string{"3"}},
	} {
		var got []string
		for _, l := range surplus(links, c.all, c.nodes, c.primary) {
			got = append(got, l.id)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
