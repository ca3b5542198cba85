package peer

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

func view(app, component, name string, status lifecycle.Status) *supervisor.View {
	return &supervisor.View{
		Key:     supervisor.Key{Application: app, Name: name},
		Spec:    &profiles.Spec{Component: component, Name: name},
		Machine: lifecycle.Machine{Status: status, Generation: 1},
	}
}

func TestMatch(t *testing.T) {
	all := []*supervisor.View{
		view("orders", "db", "db", lifecycle.Running),
		view("orders", "web", "web#1", lifecycle.Running),
		view("orders", "web", "web#2", lifecycle.Running),
		view("billing", "db", "db", lifecycle.Running),
	}
	for name, want := range map[string]string{
		"web":        "orders/web#1 orders/web#2",
		"web#2":      "orders/web#2",
		"orders/db":  "orders/db",
		"billing/db": "billing/db",
		"db":         "usage",    // in two applications
		"we":         "notFound", // no prefix counts
		"WEB":        "notFound",
		"orders/":    "notFound",
		"":           "notFound",
	} {
		found, err := match(all, name)
		var got []string
		for _, v := range found {
			got = append(got, v.Key.String())
		}
		if err != nil {
			got = []string{string(control.AsError(err).Code)}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("match(%q) = %s, want %s", name, s, want)
		}
	}
}

func TestChoosePrimary(t *testing.T) {
	up, down := lifecycle.Running, lifecycle.Backoff
	unfit := view("a", "w", "w#1", up)
	unfit.Health = supervisor.HealthBad
	for name, c := range map[string]struct {
		before office
		views  []*supervisor.View
		holder string
		term   uint64
	}{
		"the first that runs":         {office{}, []*supervisor.View{view("a", "w", "w#1", down), view("a", "w", "w#2", up)}, "w#2", 1},
		"a living one stays":          {office{Holder: "w#2", Term: 4}, []*supervisor.View{view("a", "w", "w#1", up), view("a", "w", "w#2", up)}, "w#2", 4},
		"a dead one is replaced":      {office{Holder: "w#2", Term: 4}, []*supervisor.View{view("a", "w", "w#1", up), view("a", "w", "w#2", down)}, "w#1", 5},
		"an unhealthy one is unfit":   {office{Holder: "w#1", Term: 4}, []*supervisor.View{unfit, view("a", "w", "w#2", up)}, "w#2", 5},
		"nobody is fit":               {office{Holder: "w#1", Term: 4}, []*supervisor.View{view("a", "w", "w#1", down)}, "", 4},
		"nobody was, and nobody is":   {office{Term: 4}, []*supervisor.View{view("a", "w", "w#1", down)}, "", 4},
		"after nobody, a higher term": {office{Term: 4}, []*supervisor.View{view("a", "w", "w#1", up)}, "w#1", 5},
	} {
		t.Run(name, func(t *testing.T) {
			got, changed := choose(c.before, c.views)
			if got.Holder != c.holder || got.Term != c.term {
				t.Errorf("%q in term %d, want %q in %d", got.Holder, got.Term, c.holder, c.term)
			}
			if changed != (c.before.Holder != c.holder || c.before.Term != c.term) {
				t.Errorf("changed is %v", changed)
			}
		})
	}
}

func TestCriticalPath(t *testing.T) {
	g := control.Graph{
		Nodes: []control.GraphNode{{Name: "db", StartMs: 50}, {Name: "cache", StartMs: 200}, {Name: "api", StartMs: 10}, {Name: "lone", StartMs: 205}},
		Edges: []control.GraphEdge{{From: "api", To: "db"}, {From: "api", To: "cache"}},
	}
	if got := criticalPath(g); !slices.Equal(got, []string{"cache", "api"}) {
		t.Errorf("critical path %v", got)
	}
	if got := criticalPath(control.Graph{}); len(got) != 0 {
		t.Errorf("critical path of nothing: %v", got)
	}
}

func TestUnderAny(t *testing.T) {
	for name, want := range map[string]bool{"/src": true, "/src/a/b": true, "/srcs": false, "/": false} {
		if underAny(name, []string{"/src/"}) != want && underAny(name, []string{"/src"}) != want {
			t.Errorf("underAny(%q) is not %v", name, want)
		}
	}
}

// Every operation of the vocabulary has its handler; a missing one would be
// met by a user first.
func TestEveryOperationHasAHandler(t *testing.T) {
	mux := (&Peer{}).handlers()
	for _, op := range control.Operations() {
		reply := mux.Dispatch(t.Context(), exchange.Command{ID: "1", Type: op.Type}, nil)
		if reply.Type == exchange.TypeUnknown {
			t.Errorf("no handler for %s", op.Type)
		}
	}
}

// A stream may last as long as its answers need: the limit of a single command
// would cut it off.
func TestStreamTime(t *testing.T) {
	for _, c := range []struct {
		count, intervalMs int64
		want              time.Duration
	}{
		{1, 0, commandTimeout},
		{5, 200, time.Second + commandTimeout},
		{1000, 60_000, 1000*time.Minute + commandTimeout},
		{-1, 1000, endless},
		{math.MaxInt64, 1000, endless},
		{math.MaxInt64, math.MaxInt64 / int64(time.Millisecond), endless},
	} {
		if got := streamTime(control.DataRequest{Count: c.count, IntervalMs: c.intervalMs}); got != c.want {
			t.Errorf("%d answers each %d ms: %v, want %v", c.count, c.intervalMs, got, c.want)
		}
	}
}
