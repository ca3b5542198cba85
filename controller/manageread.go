package controller

import (
	"cmp"
	"slices"
	"strings"
)

// channelJSON is a channel in the management lists. Node and Connector are not
// in the protocol of old, and are there for those who ask for wide lists only.
type channelJSON struct {
	ID        string `json:"id"`
	Target    string `json:"targetId"`
	Active    bool   `json:"active"`
	Primary   bool   `json:"primary"`
	Node      string `json:"node,omitempty"`
	Connector string `json:"connector,omitempty"`
}

// batchJSON is a batch in the management lists; what is not there is null.
type batchJSON struct {
	ID           string      `json:"id"`
	Key          *string     `json:"key"`
	Target       string      `json:"targetId"`
	Status       BatchStatus `json:"status"`
	ErrorDetails *string     `json:"errorDetails"`
	MaxRetry     int         `json:"maxRetry"`
	Retry        *int        `json:"retry"`
	LastRetryAt  *string     `json:"lastRetryAt"`
}

// contents is what a target has.
type contents struct {
	Channels []channelJSON `json:"channels"`
	Batches  []batchJSON   `json:"batchs"`
}

type targetJSON struct {
	ID string `json:"id"`
	contents
}

func channelsJSON(all []Channel, wide bool) []channelJSON {
	list := make([]channelJSON, len(all))
	for i, ch := range all {
		if list[i] = channelJSON(ch); !wide {
			list[i].Node, list[i].Connector = "", ""
		}
	}
	slices.SortFunc(list, func(a, b channelJSON) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func toBatchJSON(b Batch) batchJSON {
	return batchJSON{
		ID: b.ID, Key: orNull(b.Key), Target: b.Target, Status: b.Status, ErrorDetails: orNull(b.ErrorDetails),
		MaxRetry: b.MaxRetry, Retry: b.Retry, LastRetryAt: batchTime(b.LastRetryAt),
	}
}

func batchesJSON(all []Batch) []batchJSON {
	list := make([]batchJSON, len(all))
	for i, b := range all {
		list[i] = toBatchJSON(b)
	}
	slices.SortFunc(list, func(a, b batchJSON) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (m *management) batchesOf(target string) []batchJSON {
	return batchesJSON(m.c.batches.List(func(b Batch) bool { return b.Target == target }))
}

// targets lists the targets that have channels.
func (m *management) targets(q request) (any, error) {
	byTarget := make(map[string]*targetJSON)
	for _, ch := range channelsJSON(m.c.Channels(), wide(q)) {
		t := byTarget[ch.Target]
		if t == nil {
			t = &targetJSON{ID: ch.Target, contents: contents{Batches: []batchJSON{}}}
			byTarget[ch.Target] = t
		}
		t.Channels = append(t.Channels, ch)
	}
	for _, b := range batchesJSON(m.c.batches.List(func(Batch) bool { return true })) {
		if t := byTarget[b.Target]; t != nil {
			t.Batches = append(t.Batches, b)
		}
	}
	list := make([]targetJSON, 0, len(byTarget))
	for _, t := range byTarget {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b targetJSON) int { return cmp.Compare(a.ID, b.ID) })
	return page(q, list, func(t targetJSON) string { return t.ID })
}

func (m *management) target(q request) (any, error) {
	id := q.PathValue("id")
	t := contents{channelsJSON(m.c.Target(id), wide(q)), m.batchesOf(id)}
	if len(t.Channels) == 0 && len(t.Batches) == 0 {
		return nil, notFound("target %q has neither channels nor batches", id)
	}
	return t, nil
}

// wide tells whether channels are to be shown with all that is known of them.
func wide(q request) bool { return q.URL.Query().Get("wide") == "true" }

func channelID(ch channelJSON) string { return ch.ID }

func batchID(b batchJSON) string { return b.ID }

func (m *management) targetChannels(q request) (any, error) {
	return page(q, channelsJSON(m.c.Target(q.PathValue("id")), wide(q)), channelID)
}

func (m *management) targetBatches(q request) (any, error) {
	return page(q, m.batchesOf(q.PathValue("id")), batchID)
}

// channels lists all channels; active is true or, whatever else it is, false.
func (m *management) channels(q request) (any, error) {
	active, target := q.URL.Query()["active"], q.URL.Query().Get("targetId")
	list := channelsJSON(m.c.registry.list(func(ch Channel) bool {
		return (len(active) == 0 || ch.Active == strings.EqualFold(active[0], "true")) && (target == "" || ch.Target == target)
	}), wide(q))
	return page(q, list, channelID)
}

func (m *management) channel(q request) (any, error) {
	ch, _, found := m.c.registry.find(q.PathValue("id"))
	if !found {
		return nil, notFound("there is no channel %q", q.PathValue("id"))
	}
	return channelsJSON([]Channel{ch}, wide(q))[0], nil
}

func (m *management) batches(q request) (any, error) {
	status, target := q.URL.Query().Get("status"), q.URL.Query().Get("targetId")
	list := batchesJSON(m.c.batches.List(func(b Batch) bool {
		return (status == "" || strings.EqualFold(string(b.Status), status)) && (target == "" || b.Target == target)
	}))
	return page(q, list, batchID)
}

func (m *management) batch(q request) (any, error) {
	b, err := m.c.batches.Get(q.PathValue("id"))
	if err != nil {
		return nil, notFound("there is no batch %q", q.PathValue("id"))
	}
	return toBatchJSON(b), nil
}
