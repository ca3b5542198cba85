package cluster

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Status is what an engine is, and whom it reaches.
type Status struct {
	Mode    string // standalone, clustered or external
	Cluster string // its name, if it is clustered
	Node    string
	There   []string       // the nodes that are reached, this one among them
	Buckets []BucketStatus // that this node has a copy of, if it is clustered
}

// BucketStatus is a bucket of a clustered engine as this node knows it.
type BucketStatus struct {
	Name   string
	Leader string   // the node that orders its writes; "" while there is none
	Behind []string // nodes whose copies lag behind; known to the leader only
}

// Status asks nobody else, so it answers at any time.
func (e *NATS) Status() Status {
	return Status{Mode: string(e.mark.Mode), Cluster: e.mark.Cluster, Node: e.node, There: e.Members(), Buckets: e.buckets()}
}

// buckets are those that this node has a copy of, by name.
func (e *NATS) buckets() (all []BucketStatus) {
	if e.mark.Mode != modeClustered {
		return nil
	}
	info, err := e.server.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return nil // it is stopping
	}
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			if name, ok := strings.CutPrefix(stream.Name, bucketPrefix); ok && stream.Cluster != nil {
				all = append(all, e.bucketStatus(name, stream.Cluster))
			}
		}
	}
	slices.SortFunc(all, func(a, b BucketStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (e *NATS) bucketStatus(name string, info *server.ClusterInfo) BucketStatus {
	s := BucketStatus{Name: name, Leader: info.Leader}
	if s.Leader != e.node {
		return s
	}
	for _, copy := range info.Replicas {
		if !copy.Current {
			s.Behind = append(s.Behind, copy.Name)
		}
	}
	slices.Sort(s.Behind)
	return s
}
