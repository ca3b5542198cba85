package cluster_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// Two nodes decide the same thing at once; one of them succeeds.
func ExampleBucket() {
	ctx := context.Background()
	fleet := cluster.NewMemory()
	for _, node := range []string{"one", "two"} {
		primaries, err := fleet.Engine(node).Bucket(ctx, "primaries", cluster.BucketOptions{Durable: true})
		if err != nil {
			fmt.Println(err)
			return
		}
		revision, err := primaries.Put(ctx, "billing", []byte(node), 0)
		fmt.Println(node, revision, errors.Is(err, cluster.ErrConflict))
	}
	// Output:
	// one 1 false
	// two 0 true
}
