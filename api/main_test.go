package api_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(clientEnv); socket != "" {
		clientMain(socket)
		return
	}
	goleak.VerifyTestMain(m)
}

func clientContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}
