package component

import (
	"context"
	"errors"
	"os"
	"runtime/metrics"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
)

// collect answers one DATA_REQUEST.
func (r *runtime) collect(ctx context.Context, req ccp.DataRequest) (ccp.Data, error) {
	return ccp.Collect(ctx, time.Now(), req, map[ccp.Identifier]ccp.Source{
		ccp.MemoryUsage:    memoryUsage,
		ccp.CPUUsage:       cpuUsage,
		ccp.Threads:        threads,
		ccp.PID:            func(context.Context, ccp.DataRequest) (any, error) { return os.Getpid(), nil },
		ccp.LogLevels:      func(_ context.Context, req ccp.DataRequest) (any, error) { return r.loggers.inForce(req.Loggers) },
		ccp.ComponentStats: r.stats,
	}), nil
}

func (r *runtime) stats(context.Context, ccp.DataRequest) (any, error) {
	c, ok := r.component.(Statser)
	if !ok {
		return nil, errNotSupported
	}
	return c.Stats(), nil
}

// memoryUsage reads what the Go runtime accounts for, without stopping it.
func memoryUsage(context.Context, ccp.DataRequest) (any, error) {
	const class = "/memory/classes/"
	samples := []metrics.Sample{
		{Name: class + "heap/objects:bytes"},
		{Name: class + "heap/unused:bytes"},
		{Name: class + "heap/free:bytes"},
		{Name: class + "heap/released:bytes"},
		{Name: class + "total:bytes"},
		{Name: class + "metadata/mcache/free:bytes"},
		{Name: class + "metadata/mspan/free:bytes"},
	}
	metrics.Read(samples)
	v := make([]int64, len(samples))
	for i, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return nil, errors.New("not available from this Go runtime")
		}
		v[i] = int64(s.Value.Uint64())
	}
	heap := v[0] + v[1] + v[2]
	other := v[4] - v[3] - heap
	return ccp.Memory{HeapUsed: v[0], HeapAllocated: heap, NonHeapUsed: other - v[5] - v[6], NonHeapAllocated: other}, nil
}

func cpuUsage(context.Context, ccp.DataRequest) (any, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return nil, err
	}
	total := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return ccp.CPU{TotalMs: total.Milliseconds()}, nil
}

// threads counts operating-system threads; where the system does not list
// them, those that the Go runtime has made.
func threads(context.Context, ccp.DataRequest) (any, error) {
	if tasks, err := os.ReadDir("/proc/self/task"); err == nil {
		return len(tasks), nil
	}
	return pprof.Lookup("threadcreate").Count(), nil
}
