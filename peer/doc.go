// Package peer is the composition root of a host's daemon: it puts the plan,
// the supervisor, the journal, the launcher and the control API together.
//
//	p, err := peer.New(peer.Options{Profile: "profiles/quickstart.yaml", Logger: log})
//	…
//	err = p.Run(ctx) // until ctx ends; components are stopped in order
//
// The way of data is one: profile → plan → changes → supervisor → machine →
// launcher → process and channel → events → transitions → journal → API. The
// handlers of the control vocabulary (handlers.go) are registered once; the
// unix socket, the web page and a controller reach the same ones.
//
// A launched generation (launch.go) owns everything that belongs to one life
// of an instance: its process tree, its captured output, its channel, its
// checks. All of it is gone when the generation's last event was emitted.
//
// # Upgrade
//
// A peer can become another program in its own process (upgrade.go): a
// candidate is asked whether it can take over, orders and steps pass gates that
// are shut until nothing is inside, the supervisor is frozen, and Run returns
// with a Successor. What that one becomes receives a Handover and goes on where
// this peer was, or returns it. See docs/adr/0008.
package peer
