package controller

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// BenchmarkPrimaryMovesFromAController measures from the end of the controller
// that the primary is with, a process of its own, until the connector that is with
// another is told that it is primary: killed, whose connections the kernel ends,
// and asleep, whose lease has to be found without a holder. Its floor is in
// BenchmarkPrimaryMove. Most of it is waiting: a few rounds are enough
// (-benchtime=3x).
func BenchmarkPrimaryMovesFromAController(b *testing.B) {
	for name, end := range map[string]func(*victim) (back func()){
		"killed": func(v *victim) func() { v.kill(); return v.start },
		"asleep": func(v *victim) func() {
			_ = v.cmd.Process.Signal(syscall.SIGSTOP)
			return func() { _ = v.cmd.Process.Signal(syscall.SIGCONT) }
		},
	} {
		b.Run(name, func(b *testing.B) {
			all := victims(b, 3)
			office := make(chan int, 100)
			leave := joinVictim(b, all[0], 0, office)
			<-office
			for at := 0; b.Loop(); at++ {
				b.StopTimer()
				from, to := all[at%3], all[(at+1)%3]
				next := joinVictim(b, to, at+1, office)
				begun := time.Now()
				b.StartTimer()
				back := end(from)
				for <-office != at+1 {
				}
				b.StopTimer()
				b.Logf("%v", time.Since(begun).Round(time.Millisecond))
				leave()
				leave = next
				back()
				b.StartTimer()
			}
			leave()
		})
	}
}

// joinVictim joins a connector to a controller, and to no other. It returns when
// all know it; office is told its number whenever it is primary.
func joinVictim(b *testing.B, v *victim, number int, office chan<- int) (leave func()) {
	b.Helper()
	told := make(chan struct{})
	known := sync.OnceFunc(func() { close(told) })
	o := exchange.ConnectorOptions{
		Hello: exchange.Hello{TargetID: "t"}, MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Primary: func(_ context.Context, p exchange.Primary) error {
			known()
			if p.Primary {
				office <- number
			}
			return nil
		},
	}
	overWeb("http://"+v.address, websocket.DialOptions{})(&o)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = exchange.NewConnector(o).Run(ctx) })
	<-told
	return func() { cancel(); wg.Wait() }
}
