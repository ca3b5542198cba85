package peer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-04209a44/peerd/control"
)

func TestControllerWithComponentsJoinsItself(t *testing.T) {
	own, _ := runPeerAs(t, shortDir(t), "controller: {listen: '127.0.0.1:0'}\n"+
		"components: {once: {command: [/bin/sleep, '1000'], runOn: primary}}\n")
	until(t, "its own channel makes it primary", func() bool { return instance(t, own, "once").Status == "running" })
	s := status(t, own)
	if s.Connector.Endpoint != "embedded" || s.Connector.Target != "p" || s.Controller.Listen == "" || s.Controller.Targets != 1 {
		t.Errorf("connector %+v, controller %+v", s.Connector, s.Controller)
	}
	other, stop := runPeerAs(t, shortDir(t), (&fleet{url: "ws://" + s.Controller.Listen}).connector(""))
	until(t, "another peer joins", func() bool { return instance(t, other, "once").Status == "running" })
	if c := status(t, own).Controller; c.Targets != 2 || c.Channels != 2 {
		t.Errorf("%+v", c)
	}
	stop()
	until(t, "and leaves", func() bool { return status(t, own).Controller.Channels == 1 })
}

func TestControllerThatCannotListenHarmsNothing(t *testing.T) {
	first, _ := runPeerAs(t, shortDir(t), "controller: {listen: '127.0.0.1:0'}\n")
	until(t, "one listens", func() bool { return status(t, first).Controller.Listen != "" })
	taken := status(t, first).Controller.Listen
	second, _ := runPeerAs(t, shortDir(t), "controller: {listen: '"+taken+"'}\ncomponents: {a: {command: [/bin/sleep, '1000']}}\n")
	until(t, "the other says why not", func() bool {
		s := status(t, second)
		return s.Controller.Error != "" && len(s.Degraded) > 0
	})
	until(t, "and runs its component", func() bool { return instance(t, second, "a").Status == "running" })
	var out []control.Outcome
	if err := second.Call(t.Context(), control.OpStop, control.ActRequest{Selection: control.Selection{All: true}}, &out); err != nil {
		t.Error(err)
	}
}

// Without certificates only somebody on this host may act, and no web page that
// a browser of this host has open.
func TestControllerTakesNothingFromWebPages(t *testing.T) {
	own, _ := runPeerAs(t, shortDir(t), "controller: {listen: '127.0.0.1:0'}\ncomponents: {a: {command: [/bin/sleep, '1000']}}\n")
	until(t, "it is a target", func() bool { return status(t, own).Controller.Targets == 1 })
	address := status(t, own).Controller.Listen
	for name, c := range map[string]struct {
		host, site string
		want       int
	}{
		"a caller of this host":  {address, "", http.StatusOK},
		"another page's script":  {address, "cross-site", http.StatusForbidden},
		"a name that leads here": {"evil.example", "", http.StatusUnauthorized},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/exchange/targets/p/commands", strings.NewReader(`{"type":"PS"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", name, resp.Status, c.want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
