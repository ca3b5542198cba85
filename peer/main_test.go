package peer_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/standin"
)

func TestMain(m *testing.M) {
	process.Shim()
	standin.Main()
	if len(os.Args) >= 2 && os.Args[1] == "keeper" {
		if err := keeper.Main(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m,
		// The NATS server keeps one for all of a process's life.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"))
}
