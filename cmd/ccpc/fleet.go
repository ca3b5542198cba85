package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// client calls the operations of a peer: on its socket, or by way of a
// controller.
type client interface {
	Call(ctx context.Context, typ string, req, resp any) error
	Stream(ctx context.Context, typ string, req any, each func(item json.RawMessage) error) (json.RawMessage, error)
	Close()
}

// fleetFlags are those of every verb that say which peers of a fleet are meant.
func fleetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "controller", Usage: "`URL` of a controller: act on a peer of its fleet"},
		&cli.StringFlag{Name: "target", Usage: "`ID` of the target whose peers are meant"},
		&cli.BoolFlag{Name: "primary", Usage: "of the target's peers the primary"},
		&cli.StringFlag{Name: "peer", Usage: "of the target's peers the one with this `NAME`, or on this channel"},
		&cli.StringFlag{Name: "identifier", Usage: "`ID` of the controller's exchange", Value: "exchange"},
		&cli.StringFlag{Name: "ca", Usage: "`FILE` with the authorities of the controller's certificate"},
		&cli.StringFlag{Name: "cert", Usage: "`FILE` with the own certificate, to show to the controller"},
		&cli.StringFlag{Name: "key", Usage: "`FILE` with the key of --cert"},
	}
}

// checkFleet refuses flags of a fleet that do not go together.
func checkFleet(c *cli.Context) error {
	given := func(name string) bool { return c.IsSet(name) }
	switch {
	case !given("controller") && slices.ContainsFunc([]string{"target", "primary", "peer", "ca", "cert", "key", "identifier"}, given):
		return usagef("--target and what goes with it need --controller URL")
	case given("cert") != given("key"):
		return usagef("--cert and --key go together")
	case given("primary") && given("peer"):
		return usagef("--primary and --peer exclude each other")
	}
	return nil
}

// fleetOf is the client of the controller that the flags name.
func fleetOf(c *cli.Context) (*api.FleetClient, error) {
	if c.String("controller") == "" {
		return nil, usagef("%s needs --controller URL", c.Command.Name)
	}
	conf, err := fleetTLS(c)
	if err != nil {
		return nil, err
	}
	return api.NewFleetClient(c.String("controller"), api.FleetOptions{Identifier: c.String("identifier"), TLS: conf})
}

func fleetTLS(c *cli.Context) (*tls.Config, error) {
	conf, err := websocket.ClientTLS(websocket.TLSSettings{
		KeyStore:   websocket.Store{Path: c.String("cert"), KeyPath: c.String("key")},
		TrustStore: websocket.Store{Path: c.String("ca")},
	})
	if err != nil {
		return nil, control.Errorf(control.CodeInvalid, "cannot use --ca, --cert or --key: %v", err)
	}
	return conf, nil
}

// connect is the client of the peer that the flags name.
func connect(ctx context.Context, c *cli.Context) (client, error) {
	if c.String("controller") == "" {
		return api.NewClient(socket(c.String("socket"))), nil
	}
	if c.String("target") == "" {
		return nil, usagef("%s needs --target ID beside --controller: `ccpc targets` lists them", c.Command.Name)
	}
	f, err := fleetOf(c)
	if err != nil {
		return nil, err
	}
	to := api.To{Primary: c.Bool("primary")}
	if name := c.String("peer"); name != "" {
		if to.Channel, err = channelOf(ctx, f, c.String("target"), name); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f.Target(c.String("target"), to), nil
}

// wholeTarget tells whether all peers of a target are meant: none is chosen.
func wholeTarget(c *cli.Context) bool {
	return c.String("controller") != "" && c.String("target") != "" && !c.Bool("primary") && c.String("peer") == ""
}

// fleetChannel is a channel as the controller lists it.
type fleetChannel struct {
	ID        string `json:"id"`
	Target    string `json:"targetId"`
	Active    bool   `json:"active"`
	Primary   bool   `json:"primary"`
	Node      string `json:"node,omitempty"`
	Connector string `json:"connector,omitempty"`
}

// peer is the name of the peer on a channel, or the channel's where it has none.
func (ch fleetChannel) peer() string { return cmp.Or(ch.Connector, ch.ID) }

// channelsOf are the channels in use of a target; none is an error.
func channelsOf(ctx context.Context, f *api.FleetClient, target string) ([]fleetChannel, error) {
	var all []fleetChannel
	err := f.Do(ctx, http.MethodGet, "/targets/"+url.PathEscape(target)+"/channels?wide=true", nil, &all)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(ch fleetChannel) bool { return !ch.Active })
	if len(all) == 0 {
		return nil, control.Errorf(control.CodeNotFound, "target %q has no peer: `ccpc targets` lists those that are there", target)
	}
	return all, nil
}

// channelOf finds the channel with that ID, or of the peer with that name.
func channelOf(ctx context.Context, f *api.FleetClient, target, name string) (string, error) {
	channels, err := channelsOf(ctx, f, target)
	if err != nil {
		return "", err
	}
	var names []string
	for _, ch := range channels {
		if ch.ID == name || ch.Connector == name {
			return ch.ID, nil
		}
		names = append(names, ch.peer())
	}
	return "", control.Errorf(control.CodeNotFound, "no peer %q belongs to target %q; there is %s", name, target, strings.Join(names, ", "))
}
