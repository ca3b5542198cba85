package notify

import (
	"fmt"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The test binary also plays the component that tells by sd_notify: with
// NOTIFY_TEST_SEND it sends that text and waits for a line on stdin.
func TestMain(m *testing.M) {
	if text := os.Getenv("NOTIFY_TEST_SEND"); text != "" {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
		if err == nil {
			_, err = conn.Write([]byte(text))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
