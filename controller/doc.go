// Package controller is the side that many connectors attach to: it knows which
// channels there are, keeps them in health, has one primary for each target, and
// sends commands and durable batches to targets by name.
//
// Controller is the main type. It needs an engine, which is where several
// controllers meet; on one machine it is embedded and listens nowhere:
//
//	engine, err := cluster.OpenNATS(cluster.NATSOptions{Node: "one", Dir: "/var/lib/peerd/exchange"})
//	c, err := controller.New(controller.Options{Engine: engine})
//	go c.Run(ctx)
//
// # Connectors
//
// Connectors come over WebSockets, or are in the same process:
//
//	http.Handle("/exchange/controller", c.Handler())
//	connector := exchange.NewConnector(exchange.ConnectorOptions{
//		Endpoints: []string{"embedded"},
//		Dial: func(context.Context, string) (exchange.Channel, error) { return c.Embedded(controller.Identity{}) },
//	})
//
// Options.Authenticate decides on the upgrade, Options.Hello on the target, and
// Options.Access on who may belong to which target and send which commands. A
// connector that says no HELLO in time is refused.
//
// # Commands
//
//	reply, err := c.Send(ctx, "billing", cmd, controller.Choice{})
//
// Choice says to which channel of the target: the one with the fewest commands
// in flight, always the same one for a key, the primary, or a given one.
// Broadcast sends to all. A channel of another controller is reached through
// the engine, one of this one without a hop.
//
// # Health and primaries
//
// Every channel is checked each HealthInterval, on its own: one that hangs for
// HealthTimeout, or says that it is ill, is told to come back and closed, and
// delays nobody. Each target with a channel has one primary, elected when there
// is none; a living one is never displaced. Each election has a higher term,
// which travels with PRIMARY; see the package election for why that is enough.
//
// # Batches
//
//	b, err := c.Batches().Execute(ctx, controller.Batch{Target: "billing", Commands: …})
//	b, err = c.Batches().Wait(ctx, b.ID)
//
// What Execute took is on disk and will be carried out, in order, with one
// effect for each command where the connector has an exchange.ReplyCache, be the
// controller killed or the target away for days. See Batches.
//
// # Several controllers
//
// Controllers whose engines are one cluster are one fleet: each sees all
// channels and batches, and reaches them all. There is no leader. Who has
// channels of a target may elect its primary; who holds the lease on a part of
// the targets carries out their batches. Both are writes that name the revision
// they were decided on, so of several that try one succeeds.
//
// A node that is not reached directly, but by a third, is sent commands by way of
// that one.
//
// A controller that stops drains its channels, whose connectors go elsewhere, and
// answers what reaches it late. One that is killed, or that nobody reaches, loses
// its lease to the others within seconds; if it was only paused it makes itself
// and its channels known again. While the engine has no majority, channels stay
// and commands go on; batches are refused and no primary is chosen.
//
// # Seeing and doing
//
// Management is the HTTP face; its paths are in openapi.json. Options.Observe is
// told of everything that happens, as typed events.
//
// # Concurrency
//
// All methods may be called from any goroutine once Run has begun; Running tells
// when connectors are taken in. Run waits for all it started. When its context
// ends it takes no new connectors, lets commands in flight end for DrainTimeout,
// and says goodbye to every channel, so that connectors go to another controller.
package controller
