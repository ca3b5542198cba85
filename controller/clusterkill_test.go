package controller

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/internal/loopback"
)

// victims starts a cluster of n controllers, each in a process of its own.
func victims(t testing.TB, n int) (all []*victim) {
	t.Helper()
	routes := loopback.Addresses(n)
	for i := range n {
		mine := slices.Concat(routes[i:], routes[:i])
		v := &victim{t: t, dir: filepath.Join(t.TempDir(), fmt.Sprint("c", i+1)), routes: mine}
		v.begin()
		t.Cleanup(func() {
			if t.Failed() {
				v.explain()
			}
			v.kill()
		})
		all = append(all, v)
	}
	for _, v := range all {
		v.await()
	}
	return all
}

// explain logs what a controller sees, and what it told of.
func (v *victim) explain() {
	for _, what := range []string{"channels", "batchs?status=pending", "batchs?status=created", "batchs?status=in_progress"} {
		v.t.Logf("%s: %s: %s", filepath.Base(v.dir), what, get("http://"+v.address+"/exchange/"+what))
	}
	log, _ := os.ReadFile(v.dir + ".log")
	lines := strings.Split(string(log), "\n")
	v.t.Logf("%s: events:\n%s", filepath.Base(v.dir), strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

func urls(all []*victim) (urls []string) {
	for _, v := range all {
		urls = append(urls, "http://"+v.address)
	}
	return urls
}

// TestKillsInACluster kills controllers with SIGKILL: with one of three away
// commands go on; with two, batches are refused; what was taken is carried out,
// once, when they are back.
func TestKillsInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as several elections")
	}
	all := victims(t, 3)
	w := work(t, all)
	killed := all[:1]
	if os.Getenv("PEERD_TEST_KILLS") != "" {
		killed = all // one of them led
	}
	for i, v := range killed {
		w.killed(all[(i+1)%3], fmt.Sprint("one-of-three-", i), v)
		v.start()
	}

	w.taken(all[0], "two-of-three")
	all[1].kill()
	all[2].kill()
	w.refused(all[0])
	all[1].begin()
	all[2].begin()
	all[1].await()
	all[2].await()
	w.succeeded(all[2], "two-of-three")
	w.taken(all[1], "again")
	w.succeeded(all[0], "again")
}

// TestKillsOfFive: with any two of five controllers killed at once batches go on;
// with three away they are refused, and what was taken is carried out, once, when
// those are back.
func TestKillsOfFive(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as several elections")
	}
	all := victims(t, 5)
	w := work(t, all)
	w.killed(all[2], "two-of-five", all[0], all[1])
	w.taken(all[2], "three-of-five")
	all[3].kill()
	w.refused(all[4])
	for _, v := range []*victim{all[0], all[1], all[3]} {
		v.begin()
	}
	for _, v := range []*victim{all[0], all[1], all[3]} {
		v.await()
	}
	w.succeeded(all[0], "three-of-five")
	w.taken(all[3], "again")
	w.succeeded(all[1], "again")
}

// worker is a connector of some controllers that are killed, and what it is given
// to do: batches of ten commands.
type worker struct {
	t testing.TB
	n *node // only to wait with
	p *slowPeer
}

func work(t *testing.T, all []*victim) worker {
	w := worker{t, &node{t: t, news: make(chan struct{})}, &slowPeer{}}
	w.p.connect(t, urls(all)...)
	return w
}

// batch is the body of a batch.
func (worker) batch(id string) string {
	var body strings.Builder
	for i := range 10 {
		fmt.Fprintf(&body, `,{"type":"EFFECT","payload":"%s/%d"}`, id, i+1)
	}
	return fmt.Sprintf(`{"id":%q,"maxRetry":5,"commands":[%s]}`, id, body.String()[1:])
}

// taken has a controller take a batch. One that it was given as the leader of the
// engine went may have been refused and taken all the same.
func (w worker) taken(by *victim, id string) {
	w.t.Helper()
	w.n.until(id+" is taken", func() bool {
		status := posted(by.address, w.batch(id))
		return status == http.StatusAccepted || status == http.StatusConflict
	})
}

// refused waits until a controller takes no batch. One that it was given in the
// moment before is taken; then none is.
func (w worker) refused(by *victim) {
	w.t.Helper()
	w.n.until("refused", func() bool { return posted(by.address, w.batch("refused")) == http.StatusServiceUnavailable })
}

// succeeded waits until a batch has, and checks that each command had one effect,
// in order.
func (w worker) succeeded(by *victim, id string) {
	w.t.Helper()
	w.n.until(id+" has succeeded", func() bool {
		return strings.Contains(get("http://"+by.address+"/exchange/batchs/"+id), `"SUCCEEDED"`)
	})
	var got []string
	for _, effect := range w.p.effects() { // others may be under way
		if number, ok := strings.CutPrefix(strings.Trim(effect, `"`), id+"/"); ok {
			got = append(got, number)
		}
	}
	if !slices.Equal(got, numbers(10)) {
		w.t.Errorf("%s: effects %v", id, got)
	}
}

// killed kills controllers while a batch is under way: it ends well, and the next
// one too.
func (w worker) killed(other *victim, id string, all ...*victim) {
	w.t.Helper()
	w.taken(other, id)
	for _, v := range all {
		v.kill()
	}
	began := time.Now()
	w.succeeded(other, id)
	w.taken(other, id+"-after")
	w.succeeded(other, id+"-after")
	w.t.Logf("with %d controllers killed, a batch under way and another one were over after %v", len(all), time.Since(began).Round(time.Millisecond))
}

// posted posts a batch for target t and returns the status.
func posted(address, body string) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+address+"/exchange/targets/t/batchs", "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
