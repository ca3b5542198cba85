package peer

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/profiles"
)

// openEngine opens what a controller decides with, and waits until it can. It is
// nil if ctx has ended meanwhile.
func (p *Peer) openEngine(ctx context.Context, plan *profiles.Plan) (*cluster.NATS, error) {
	engine, err := p.engineOf(plan)
	if err != nil {
		return nil, err
	}
	err = engine.Wait(ctx, func(missing string) {
		p.log.Info("the controller " + missing)
		p.degraded.set("controller", errors.New(missing))
		p.host.set(nil, "", errors.New(missing))
	})
	if err != nil {
		engine.Close()
		return nil, nil
	}
	return engine, nil
}

// engineOf opens the engine that the profile asks for: one of this process,
// alone or as a node of a cluster, or servers elsewhere.
func (p *Peer) engineOf(plan *profiles.Plan) (*cluster.NATS, error) {
	log := p.log.Named("engine")
	set := plan.Controller.Cluster
	if set == nil {
		set = &profiles.ClusterSettings{StoreDir: filepath.Join(plan.Peer.StateDir, "cluster")}
	}
	switch {
	case set.URL != "":
		security, err := clientTLS(set.TLS)
		if err != nil {
			return nil, err
		}
		return cluster.OpenExternal(cluster.ExternalOptions{
			Node: plan.Peer.Name, Dir: set.StoreDir, URL: set.URL, TLS: security, Credentials: set.Credentials,
		})
	case set.Listen != "":
		security, err := routeTLS(set.TLS)
		if err != nil {
			return nil, err
		}
		return cluster.OpenNATS(cluster.NATSOptions{
			Node: plan.Peer.Name, Dir: set.StoreDir, Log: log,
			Cluster: &cluster.Membership{Name: set.Name, Listen: set.Listen, Routes: set.Routes, TLS: security},
		})
	}
	return cluster.OpenNATS(cluster.NATSOptions{Node: plan.Peer.Name, Dir: set.StoreDir, Log: log})
}
