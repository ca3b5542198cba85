//go:build linux

package acceptance_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// batchKills is how often TestABatchSurvivesEveryKill kills.
func batchKills() int {
	if n, err := strconv.Atoi(os.Getenv("PEERD_TEST_KILLS")); err == nil {
		return n
	}
	return 6
}

// doers are ten effects that can be told apart: five are restarts of plain
// processes, five are commands that a component carries out itself.
func doers(file string) (components, batch string) {
	var c, b strings.Builder
	fmt.Fprintf(&c, "components:\n  deeds: {descriptor: %s, command: [%s], env: {DEEDS: %s}}\n", descriptorFile, program("deeds"), file)
	for n := 1; n <= 10; n++ {
		if n > 1 {
			b.WriteByte(',')
		}
		if n%2 == 0 {
			fmt.Fprintf(&b, `{"type":"SEND","payload":{"name":"deeds","type":"DO","payload":%d}}`, n)
			continue
		}
		fmt.Fprintf(&c, "  r%d: {command: [/bin/sh, -c, \"echo %d >> %s; exec sleep 600\"]}\n", n, n, file)
		fmt.Fprintf(&b, `{"type":"RESTART","payload":{"names":["r%d"]}}`, n)
	}
	return c.String(), b.String()
}

// Issue 5: a batch of ten is carried out in order, each of its commands with one
// effect, though the controller or the peer is killed at any moment.
func TestABatchSurvivesEveryKill(t *testing.T) {
	t.Parallel()
	c, address := startController(t)
	p := prepare(t, "")
	deeds := p.path("deeds")
	components, commands := doers(deeds)
	p.write("connector: {targetId: billing, endpoints: [\"ws://" + address + "\"]}\n" + components)
	p.run()
	p.ready()
	p.running("deeds", "r1", "r3", "r5", "r7", "r9")
	p.waitFor("the peer is connected", func() bool { return p.status().Connector.State == "connected" })
	killed := map[string]int{}
	for round := range batchKills() {
		if err := os.Truncate(deeds, 0); err != nil {
			t.Fatal(err)
		}
		base := "http://" + address + "/exchange"
		body := fmt.Sprintf(`{"id":"batch-%d","commands":[%s]}`, round, commands)
		resp, err := http.Post(base+"/targets/billing/batchs", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("POST a batch: %s", resp.Status)
		}
		until := rand.IntN(10)
		p.waitFor("some effects", func() bool { return len(done(t, deeds)) >= until })
		<-time.After(rand.N(20 * time.Millisecond)) // any moment of the next one
		victim, name := c, "controller"
		if rand.IntN(2) == 0 {
			victim, name = p, "peer"
		}
		killed[name]++
		victim.killPeerd(nil)
		var batch string
		p.waitFor("the batch has ended", func() bool {
			batch = getText(base + "/batchs/batch-" + strconv.Itoa(round))
			return strings.Contains(batch, `"SUCCEEDED"`) || strings.Contains(batch, `"ERROR"`)
		})
		got := strings.Join(done(t, deeds), " ")
		if got != "1 2 3 4 5 6 7 8 9 10" || !strings.Contains(batch, `"SUCCEEDED"`) {
			t.Fatalf("round %d, the %s killed after %d: effects %s\n%s", round, name, until, got, batch)
		}
	}
	t.Logf("killed: %v", killed)
}

// done are the effects so far, in their order.
func done(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func getText(url string) string {
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}
