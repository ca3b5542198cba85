package peer_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/process"
)

func TestMain(m *testing.M) {
	process.Shim()
	goleak.VerifyTestMain(m)
}
