package keeper_test

import (
	"fmt"
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
	}
	goleak.VerifyTestMain(m)
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
