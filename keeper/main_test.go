package keeper_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
)

// TestMain is a keeper's process, or one that is kept, when it is started as
// one. Those end by syscall.Exit: the race detector delays any other end.
func TestMain(m *testing.M) {
	process.Shim()
	switch {
	case len(os.Args) >= 2 && os.Args[1] == "keeper":
		if err := keeper.Main(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			syscall.Exit(1)
		}
		syscall.Exit(0)
	case len(os.Args) == 3 && os.Args[1] == "numbers":
		syscall.Exit(numbers(os.Args[2]))
	case len(os.Args) == 3 && os.Args[1] == "says":
		syscall.Exit(says(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// says tells by sd_notify how often it has told, every few milliseconds; once it
// finds a file "go" it tells that it is ready, and when it has gone on for a while
// it makes a file "said". It ends when it is not heard.
func says(socket string) int {
	to, err := net.Dial("unixgram", socket)
	if err != nil {
		return 1
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n, since := 0, 0; ; n++ {
		text := fmt.Sprintf("STATUS=%d", n)
		if _, err := os.Stat("go"); err == nil && since == 0 {
			text, since = "READY=1", n
		}
		if since > 0 && n == since+200 {
			_ = os.WriteFile("said", nil, 0o600)
		}
		if _, err := to.Write([]byte(text)); err != nil {
			return 2
		}
		<-tick.C
	}
}

// numbers writes numbered lines, one every few milliseconds, until the folder has a
// file "go"; then it ends with code.
func numbers(code string) int {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		fmt.Println(i)
		<-tick.C
		if _, err := os.Stat("go"); err == nil {
			n, _ := strconv.Atoi(code)
			return n
		}
	}
}
