package ccp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-04209a44/peerd/exchange"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"orders__1_0__ticker":    {"orders", "1.0", "ticker"},
		"TEST_CCP__1_0__ccp1":    {"TEST_CCP", "1.0", "ccp1"},
		"orders__2_0_1__work#12": {"orders", "2.0.1", "work#12"},
	} {
		got, err := ParseAddress(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v, back as %s", text, got, err, got)
		}
	}
	for _, text := range []string{"", "orders", "orders__1_0", "orders__1_0__", "__1_0__ticker", "a__1_0__b__c", "a___1_0__b", "orders__1_0___b"} {
		if a, err := ParseAddress(text); err == nil {
			t.Errorf("%q was read as %+v", text, a)
		}
	}
}

// Two different valid addresses are never written alike.
func TestAddressIsInjective(t *testing.T) {
	part := rapid.StringMatching(`[a-z_]{1,5}`)
	address := rapid.Custom(func(t *rapid.T) Address {
		return Address{part.Draw(t, "application"), rapid.StringMatching(`[0-9.]{1,4}`).Draw(t, "version"), part.Draw(t, "instance")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := address.Draw(t, "a"), address.Draw(t, "b")
		if a.Validate() != nil || b.Validate() != nil {
			t.Skip("not valid")
		}
		if a != b && a.String() == b.String() {
			t.Fatalf("%+v and %+v are both %s", a, b, a)
		}
		if back, err := ParseAddress(a.String()); err != nil || back != a {
			t.Fatalf("%+v came back as %+v, %v", a, back, err)
		}
	})
}

func TestValidate(t *testing.T) {
	half, over := 0.5, 1.5
	long := strings.Repeat("x", MaxText+1)
	for name, c := range map[string]struct {
		payload validator
		want    string // part of the error; "" valid
	}{
		"shutdown":             {Shutdown{StopWaitTimeMs: 10}, ""},
		"negative budget":      {Shutdown{StopWaitTimeMs: -1}, "stopWaitTimeMs"},
		"long reason":          {Shutdown{Reason: long}, "reason: 8193 bytes"},
		"no range":             {Handshake{MinVersionSupported: "1.0"}, "maxVersionSupported"},
		"no levels":            {LogLevelMap{}, "levels"},
		"empty level":          {LogLevelMap{Levels: map[string]string{"a": ""}}, `"a"=""`},
		"data":                 {DataRequest{Identifiers: []Identifier{PID}}, ""},
		"endless data":         {DataRequest{Identifiers: []Identifier{PID}, RepetitionCount: -1, IntervalMs: 1}, ""},
		"no identifiers":       {DataRequest{}, "identifiers"},
		"twice":                {DataRequest{Identifiers: []Identifier{PID, PID}}, `"PID" is there twice`},
		"no interval":          {DataRequest{Identifiers: []Identifier{PID}, RepetitionCount: -1}, "intervalMs"},
		"negative interval":    {DataRequest{Identifiers: []Identifier{PID}, IntervalMs: -1}, "intervalMs"},
		"too many identifiers": {DataRequest{Identifiers: make([]Identifier, MaxIdentifiers+1)}, "at most 32"},
		"status":               {StatusEvent{StatusType: Information, State: "COMPONENT_START", Progress: &half}, ""},
		"unknown severity":     {StatusEvent{StatusType: "FATAL", State: "COMPONENT_START"}, "INFORMATION, WARNING, ERROR"},
		"error without text":   {StatusEvent{StatusType: Error, State: "COMPONENT_START"}, "errorMessage"},
		"unknown state":        {StatusEvent{StatusType: Information, State: "COMPONENT_PARTY"}, "COMPONENT_EXECUTION"},
		"no state":             {StatusEvent{StatusType: Information}, "state: is empty"},
		"unknown scope":        {StatusEvent{StatusType: Information, State: "COMPONENT_START", OperationScope: "HERE"}, "COMPONENT_LAUNCHING"},
		"too much progress":    {StatusEvent{StatusType: Information, State: "COMPONENT_START", Progress: &over}, "0 to 1"},
	} {
		err := c.payload.Validate()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// pair connects a client to handlers and returns it with the way to end both.
func pair(m *exchange.Mux) (*Client, func()) {
	a, b := exchange.Pipe()
	client, server := exchange.NewEndpoint(a, exchange.Options{}), exchange.NewEndpoint(b, exchange.Options{Handlers: m})
	go func() { _ = client.Run(context.Background()) }()
	go func() { _ = server.Run(context.Background()) }()
	return NewClient(client), func() {
		_ = client.Close()
		<-client.Done()
		<-server.Done()
	}
}

func TestDataRepeatsAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m exchange.Mux
		n := 0
		m.Handle(TypeDataRequest, HandleData(func(ctx context.Context, r DataRequest) (Data, error) {
			n++
			return Collect(ctx, time.Now(), r, map[Identifier]Source{
				PID:     func(context.Context, DataRequest) (any, error) { return n, nil },
				Threads: func(context.Context, DataRequest) (any, error) { return nil, errors.New("too busy") },
			}), nil
		}))
		client, end := pair(&m)
		defer end()
		began := time.Now()
		var at []time.Duration
		err := client.Data(t.Context(), DataRequest{Identifiers: []Identifier{PID, Threads, CPUUsage}, RepetitionCount: 4, IntervalMs: 250}, func(d Data) error {
			var pid int
			if err := d.Value(PID, &pid); err != nil || pid != len(at)+1 {
				t.Errorf("PID %d, %v; want %d", pid, err, len(at)+1)
			}
			if d.Errors[Threads] != "too busy" || d.Errors[CPUUsage] != "not supported" {
				t.Errorf("errors %v", d.Errors)
			}
			at = append(at, time.Since(began))
			return nil
		})
		if err != nil || len(at) != 4 || at[3] != 750*time.Millisecond {
			t.Errorf("answers at %v, %v", at, err)
		}
	})
}

func TestEndlessDataEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m exchange.Mux
		ended := make(chan struct{})
		m.Handle(TypeDataRequest, func(ctx context.Context, req *exchange.Request) (any, error) {
			defer close(ended)
			return HandleData(func(context.Context, DataRequest) (Data, error) { return Data{}, nil })(ctx, req)
		})
		client, end := pair(&m)
		defer end()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n := 0
		err := client.Data(ctx, DataRequest{Identifiers: []Identifier{PID}, RepetitionCount: -1, IntervalMs: 1000}, func(Data) error { n++; return nil })
		if err == nil || n < 10 {
			t.Errorf("%d answers in ten seconds, %v", n, err)
		}
		<-ended // cancelled on the other side, too
	})
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	var m exchange.Mux
	m.Handle(TypeSetLogLevel, Handle(func(context.Context, LogLevelMap) (LogLevelMap, error) { return LogLevelMap{}, nil }))
	client, end := pair(&m)
	defer end()
	ctx := t.Context()
	if _, err := client.SetLogLevel(ctx, nil); err == nil || !strings.Contains(err.Error(), "cannot send SET_LOGLEVEL: levels") {
		t.Errorf("a bad payload was sent: %v", err)
	}
	var reply *exchange.ReplyError
	if err := client.Do(ctx, TypeSetLogLevel, []int{1}, nil); !errors.As(err, &reply) || !strings.Contains(reply.Details, "payload") {
		t.Errorf("a payload of another type: %v", err)
	}
	if _, err := client.SetLogLevel(ctx, map[string]string{"a": "info"}); err == nil || !strings.Contains(err.Error(), "not valid") {
		t.Errorf("a bad reply was taken: %v", err)
	}
	if _, err := client.ReportState(ctx); !errors.Is(err, exchange.ErrUnknown) {
		t.Errorf("an unknown command: %v", err)
	}
}
