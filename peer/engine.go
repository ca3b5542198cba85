package peer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/control"
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
	p.host.use(engine)
	err = engine.Wait(ctx, func(missing string) {
		p.log.Info("the controller " + missing)
		p.degraded.set("controller", errors.New(missing))
		p.host.set(nil, "", errors.New(missing))
	})
	if err != nil {
		p.host.use(nil)
		engine.Close()
		if ctx.Err() != nil {
			return nil, nil
		}
		return nil, err
	}
	return engine, nil
}

// use takes in with what the controller decides.
func (h *host) use(engine *cluster.NATS) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engine = engine
}

// Snapshots that a controller takes by itself, in the folder snapshots of its
// store: the oldest go.
const (
	saveEvery = 6 * time.Hour
	saveKept  = 8
)

// saveRegularly takes snapshots until ctx ends. That one cannot be taken, as the
// cluster has no majority or the disk is full, harms nothing else.
func (p *Peer) saveRegularly(ctx context.Context, engine *cluster.NATS) error {
	plan, _ := p.currentPlan()
	dir := filepath.Join(storeDir(plan), "snapshots")
	for sleep(ctx, saveEvery); ctx.Err() == nil; sleep(ctx, saveEvery) {
		if err := saveOnce(ctx, engine, dir, time.Now()); err != nil && ctx.Err() == nil {
			p.log.Warn("cannot save what the controller keeps", "error", err, "again in", saveEvery)
		}
	}
	return nil
}

// saveOnce takes a snapshot and removes the oldest.
func saveOnce(ctx context.Context, engine *cluster.NATS, dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := engine.Snapshot(ctx, filepath.Join(dir, now.UTC().Format("20060102T150405.000")+".snapshot")); err != nil {
		return err
	}
	all, err := filepath.Glob(filepath.Join(dir, "*.snapshot"))
	if err != nil {
		return err
	}
	slices.Sort(all)
	for _, old := range all[:max(0, len(all)-saveKept)] {
		err = errors.Join(err, os.Remove(old))
	}
	return err
}

// snapshot saves what the controller of this peer keeps, as somebody asked.
func (p *Peer) snapshot(ctx context.Context, req control.SnapshotRequest, _ progress) (control.SnapshotReply, error) {
	p.host.mu.Lock()
	engine := p.host.engine
	p.host.mu.Unlock()
	switch {
	case engine == nil:
		return control.SnapshotReply{}, control.Errorf(control.CodeFailed, "this peer has no controller that runs: `ccpc status` tells why")
	case !filepath.IsAbs(req.Path):
		return control.SnapshotReply{}, control.Errorf(control.CodeUsage, "%q is no absolute path of a file on the peer's host", req.Path)
	}
	m, err := engine.Snapshot(ctx, req.Path)
	if err != nil {
		return control.SnapshotReply{}, control.Errorf(control.CodeFailed, "%v", err)
	}
	return control.SnapshotReply{Path: req.Path, ID: m.ID, Taken: m.Taken, Buckets: m.Buckets}, nil
}

// storeDir is the folder of a controller's engine.
func storeDir(plan *profiles.Plan) string {
	if c := plan.Controller.Cluster; c != nil {
		return c.StoreDir
	}
	return filepath.Join(plan.Peer.StateDir, "cluster")
}

// engineOf opens the engine that the profile asks for: one of this process,
// alone or as a node of a cluster, or servers elsewhere.
func (p *Peer) engineOf(plan *profiles.Plan) (*cluster.NATS, error) {
	log := p.log.Named("engine")
	set := plan.Controller.Cluster
	if set == nil {
		set = &profiles.ClusterSettings{}
	}
	switch {
	case set.URL != "":
		security, err := clientTLS(set.TLS)
		if err != nil {
			return nil, err
		}
		return cluster.OpenExternal(cluster.ExternalOptions{
			Node: plan.Peer.Name, Dir: storeDir(plan), URL: set.URL, Replicas: set.Replicas, TLS: security, Login: cluster.Login(set.Login), Log: log,
		})
	case set.Listen != "":
		security, err := routeTLS(set.TLS)
		if err != nil {
			return nil, err
		}
		return cluster.OpenNATS(cluster.NATSOptions{
			Node: plan.Peer.Name, Dir: storeDir(plan), Log: log,
			Cluster: &cluster.Membership{Name: set.Name, Listen: set.Listen, Routes: set.Routes, Replicas: set.Replicas, TLS: security},
		})
	}
	return cluster.OpenNATS(cluster.NATSOptions{Node: plan.Peer.Name, Dir: storeDir(plan), Log: log})
}
