//go:build linux

// Command diarist is a component that writes down its own life: when it began
// and whether its predecessor still lived then, each tick, each signal it
// received, and the exit code it ended with. What it ticks it says on stdout
// too. See internal/torture, which reads it all. It is for tests only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/internal/torture"
)

// exitOfItself is the code of one that ends by itself.
const exitOfItself = 37

// diarist is one life. Its ticks belong to one goroutine.
type diarist struct {
	diary *torture.Diary
	ticks int
	tick  time.Duration
	life  time.Duration
	stop  time.Duration
	exit  int
}

func main() {
	var d diarist
	flag.DurationVar(&d.tick, "tick", 20*time.Millisecond, "between two ticks")
	flag.DurationVar(&d.life, "life", 0, "after which it ends by itself, with exit code 37; 0: never")
	flag.DurationVar(&d.stop, "stop", 0, "between SIGTERM and its end")
	flag.IntVar(&d.exit, "exit", 0, "code after SIGTERM")
	ccp := flag.Bool("ccp", false, "speak the Component Control Protocol")
	flag.Parse()
	diary, err := torture.OpenDiary(flag.Arg(0))
	must(err)
	d.diary = diary
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	if *ccp {
		go d.note(signals)
		component.Main(component.Info{Name: "diarist", Version: "1.0"}, &d)
	}
	os.Exit(d.plain(signals))
}

// note writes signals down for as long as the process lives.
func (d *diarist) note(signals <-chan os.Signal) {
	for s := range signals {
		d.heed(s)
	}
}

// heed writes a signal down, unless it is one that the process caused itself:
// the runtime's, or what comes of writing to a peer that is gone.
func (d *diarist) heed(s os.Signal) {
	if s != syscall.SIGURG && s != syscall.SIGPIPE {
		must(d.diary.Signal(s))
	}
}

// plain is the life of a process without CCP.
func (d *diarist) plain(signals <-chan os.Signal) (code int) {
	clock := time.NewTicker(d.tick)
	defer clock.Stop()
	var over <-chan time.Time
	if d.life > 0 {
		over, code = time.After(d.life), exitOfItself
	}
	for {
		select {
		case <-clock.C:
			d.goOn()
		case s := <-signals:
			d.heed(s)
			if s == syscall.SIGTERM {
				over, code = time.After(d.stop), d.exit
			}
		case <-over:
			must(d.diary.End(code))
			return code
		}
	}
}

// Execute is the life of a component.
func (d *diarist) Execute(ctx context.Context) error {
	clock := time.NewTicker(d.tick)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			d.goOn()
		case <-ctx.Done():
			return nil
		}
	}
}

// Cleanup is the last thing that is called.
func (d *diarist) Cleanup(context.Context) error { return d.diary.End(0) }

// goOn ticks: first in the diary, then on stdout, so that what was said is
// always written down.
func (d *diarist) goOn() {
	d.ticks++
	must(d.diary.Tick(d.ticks))
	fmt.Println(d.diary.ID(), d.ticks)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "diarist:", err)
		os.Exit(4)
	}
}
