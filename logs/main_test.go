package logs

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("LOGS_TEST_FIFO") != "" {
		keeper()
	}
	goleak.VerifyTestMain(m)
}
