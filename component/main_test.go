package component_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/internal/testhost"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		testhost.Clean()
		os.Exit(code)
	}))
}
