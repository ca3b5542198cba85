package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// TestRollingUpgrade replaces three controllers one after the other under 500
// commands a second, sent as callers send them: to one controller or another, and
// again, under the same ID, where there was no answer. Each command has exactly
// one answer, and exactly one effect.
func TestRollingUpgrade(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts and stops six processes under load")
	}
	const targets, pause = 10, 2 * time.Millisecond
	all := victims(t, 3)
	bases := urls(all)
	peers := make([]*slowPeer, targets)
	for i := range peers {
		peers[i] = &slowPeer{target: fmt.Sprint("t", i)}
		peers[i].connect(t, bases[i%3], bases[(i+1)%3], bases[(i+2)%3])
	}
	n := &node{t: t, news: make(chan struct{})} // only to wait with
	for i := range peers {
		for _, base := range bases {
			n.until("all see all", func() bool {
				return strings.Contains(get(fmt.Sprintf("%s/exchange/channels?targetId=t%d", base, i)), `"active": true`)
			})
		}
	}

	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	load := &load{t: t, bases: bases}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for number := 0; ctx.Err() == nil; number++ {
			<-tick.C
			wg.Go(func() { load.send(fmt.Sprint("t", number%targets), number) })
		}
	})
	for _, v := range all {
		before := load.answered.Load()
		n.until("commands are answered", func() bool { return load.answered.Load() > before+500 })
		v.stop()
		before = load.answered.Load()
		n.until("commands are answered without it", func() bool { return load.answered.Load() > before+500 })
		v.start()
	}
	cancel()
	wg.Wait()

	effects := make(map[string]int)
	for _, p := range peers {
		for _, effect := range p.effects() {
			effects[effect]++
		}
	}
	for effect, times := range effects {
		if times != 1 {
			t.Errorf("command %s had %d effects", effect, times)
		}
	}
	if sent := load.sent.Load(); sent != load.answered.Load() || len(effects) != int(sent) {
		t.Errorf("%d commands, %d answers, %d effects", sent, load.answered.Load(), len(effects))
	}
	t.Logf("%d commands, of which %d were sent again", load.sent.Load(), load.again.Load())
}

// load are commands sent by way of several controllers.
type load struct {
	t                     *testing.T
	bases                 []string
	sent, answered, again atomic.Int64
}

// send sends a command until it has an answer.
func (l *load) send(target string, number int) {
	l.sent.Add(1)
	body := fmt.Sprintf(`{"id":"command-%d","type":"EFFECT","payload":%d,"timeoutMs":5000}`, number, number)
	for end, try := time.Now().Add(patience), 0; time.Now().Before(end); try++ {
		if l.try(l.bases[(number+try)%len(l.bases)], target, body) {
			l.answered.Add(1)
			return
		}
		l.again.Add(1)
		<-time.After(10 * time.Millisecond)
	}
	l.t.Errorf("command %d has no answer", number)
}

func (l *load) try(base, target, body string) bool {
	resp, err := http.Post(base+"/exchange/targets/"+target+"/commands", "application/json", strings.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var reply exchange.Reply
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&reply) == nil && reply.Status == exchange.Succeeded
}
