package peer_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/process"
)

func TestMain(m *testing.M) {
	process.Shim()
	goleak.VerifyTestMain(m,
		// The NATS server keeps one for all of a process's life.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"))
}
