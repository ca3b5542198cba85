// Package cluster is what the controllers of a fleet share: buckets of keys
// with revisions, and requests from node to node. It decides nothing about
// targets, primaries or batches; it holds what those decisions are made with.
//
// Engine is the whole of it. NATS is the engine of the product: a NATS server
// with JetStream that is embedded in this process and listens nowhere, or one of
// three or five such servers that listen for each other's routes only, or servers
// that somebody else runs. Memory is its twin for tests; all pass the same suite.
//
//	engine, err := cluster.OpenNATS(cluster.NATSOptions{Node: "controller-1", Dir: "/var/lib/peerd/exchange"})
//	defer engine.Close()
//	primaries, err := engine.Bucket(ctx, "primaries", cluster.BucketOptions{Durable: true})
//	revision, err := primaries.Put(ctx, "billing", value, 0) // 0: only if it is not there yet
//	err = primaries.Watch(ctx, "", func(e cluster.Entry) { … })
//
// # How to decide with it
//
// A view is made with Watch and may lag behind. A decision is a Put or Delete
// that names the revision it was made on: it fails with ErrConflict if somebody
// else was faster, and then the view will soon say so. The revision a Put
// returns is higher than every earlier one of the bucket, deleted keys included,
// so it serves as a fencing token.
//
// A bucket with a TTL holds leases: a key that is not put again within the TTL
// is gone, and watchers are told. Nobody compares clocks of two nodes.
//
// # What is durable
//
// A durable bucket is on disk before Put returns: every write is followed by an
// fsync, one write at a time. On a disk that needs 10 ms for it that is 100
// writes a second; on most SSDs some thousands. Other buckets are in memory. In a
// cluster all buckets are on disk, each on three nodes unless five are wanted, and Put returns when a
// majority of them has it.
//
// # Majorities
//
// Without a majority of its nodes an engine takes nothing: ErrUnavailable. What
// it took before is not lost, and it comes back by itself when the nodes do. Wait
// tells whom it waits for. Watches go on over all that, and so do requests
// between nodes that reach each other.
//
// # Folders
//
// A folder belongs to one mode, cluster and node. It is never started as another,
// which would destroy it; Migrate, Snapshot and Restore move what is in it.
//
// # Concurrency
//
// All methods may be called from any goroutine. Watch blocks, and calls its
// function from the calling goroutine only.
package cluster
