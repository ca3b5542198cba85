package peer

import (
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// fleet is what status tells of the link to the fleet. The zero value is none.
type fleet struct {
	mu     sync.Mutex // guards the following field
	status *control.ConnectorStatus
}

// The states of a link.
const (
	linkConnecting = "connecting"
	linkConnected  = "connected"
	linkRefused    = "refused"
	linkEnded      = "ended"
)

func (f *fleet) begin(m membership) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = &control.ConnectorStatus{
		State: linkConnecting, Since: time.Now(), Endpoint: m.endpoints[0], Target: m.target, Role: m.role.String(),
	}
}

func (f *fleet) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = nil
}

// observe follows the connector.
func (f *fleet) observe(ev exchange.ConnectorEvent) {
	f.change(func(s *control.ConnectorStatus) {
		s.Endpoint, s.Error, s.RetryAt = ev.Endpoint, "", nil
		if ev.Kind == exchange.Connected {
			s.State, s.Target = linkConnected, ev.Target
			return
		}
		s.State = linkConnecting
		if ev.Err != nil {
			s.Error = ev.Err.Error()
		}
		if ev.Retry >= 0 {
			at := time.Now().Add(ev.Retry)
			s.RetryAt = &at
		}
	})
}

func (f *fleet) refuse(err error, again time.Duration) {
	f.change(func(s *control.ConnectorStatus) {
		at := time.Now().Add(again)
		s.State, s.Error, s.RetryAt = linkRefused, err.Error(), &at
	})
}

func (f *fleet) dismiss() {
	f.change(func(s *control.ConnectorStatus) { s.State, s.RetryAt = linkEnded, nil })
}

func (f *fleet) change(how func(*control.ConnectorStatus)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.status.State
	how(f.status)
	if f.status.State != before {
		f.status.Since = time.Now()
	}
}

// snapshot returns what there is to tell; nil without a fleet.
func (f *fleet) snapshot() *control.ConnectorStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.status == nil {
		return nil
	}
	s := *f.status
	return &s
}

// maxCaller bounds what a history shows of a caller whom only the controller
// knows.
const maxCaller = 128

// caller is on whose behalf a command from the fleet runs, as histories show it.
func (f *fleet) caller(claimed string) string {
	by := "controller"
	if s := f.snapshot(); s != nil {
		by += " " + hostOf(s.Endpoint)
	}
	if claimed == "" {
		return by
	}
	claimed = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, claimed)
	return by + " for " + claimed[:min(len(claimed), maxCaller)]
}

// linkStatus is the link to the fleet as status shows it; nil without one.
func (p *Peer) linkStatus() *control.ConnectorStatus {
	s := p.fleet.snapshot()
	if s != nil {
		term, primary := p.standing.office()
		s.Term, s.Primary = term, primary || holdsOffice(p.sup.Views())
	}
	return s
}
