package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/internal/version"
	"github.com/seed-04209a44/peerd/peer"
	"github.com/seed-04209a44/peerd/process"
)

func runCommand(usage cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "run a profile in the foreground until SIGTERM",
		ArgsUsage: "[PROFILE]", OnUsageError: usage,
		Description: "SIGTERM and SIGINT stop everything in order, a second one hastens; SIGHUP loads the profile again.\n" +
			"Example: peerd run profiles/quickstart.yaml",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT` of the log on stderr: text or json"},
			&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the log: trace, debug, info, warn or error; default: the profile's peer.logLevel"},
		},
		Action: runPeer,
	}
}

// defaultProfile is run when none is named.
const defaultProfile = "/etc/peerd/profiles"

func runPeer(c *cli.Context) error {
	profile := defaultProfile
	switch c.NArg() {
	case 0:
	case 1:
		profile = c.Args().First()
	default:
		return &usageError{errors.New("run takes one profile, a file or a folder; see peerd run --help")}
	}
	log, err := newLogger(c.App.ErrWriter, c.String("log-format"), c.String("log-level"))
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	h, err := peer.Receive(process.Bequest())
	if err == nil {
		err = serve(c.Context, peer.Options{
			Profile: profile, Version: version.String(), Logger: log,
			LevelFromProfile: !c.IsSet("log-level"), Keepers: keepers(), Handover: h,
		}, signals)
	}
	if err != nil && !h.Accepted() {
		log.Error("cannot take over; gives back", "error", err)
		return h.Return(os.Environ(), err)
	}
	return err
}

// serve runs the peer to its end, or until this process is another program.
func serve(ctx context.Context, o peer.Options, signals <-chan os.Signal) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o.Ready = func() {
		o.Logger.Info("ready", "profile", o.Profile, "pid", os.Getpid())
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
		if o.Handover.Stop() {
			stop()
		}
	}
	p, err := peer.New(o)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	var minding sync.WaitGroup
	minding.Go(func() { handleSignals(ctx, done, o.Logger, p, signals, stop) })
	minding.Go(func() { feedWatchdog(ctx, done) })
	err = p.Run(ctx)
	close(done)
	minding.Wait()
	next := p.Successor()
	if next == nil {
		return err
	}
	// A profile is read by the successor anyway. Without Ignore a SIGHUP would end
	// it before it heeds signals.
	signal.Ignore(syscall.SIGHUP)
	return next.Become(os.Args, os.Environ(), ctx.Err() != nil || endsWith(signals))
}

// endsWith reports whether a signal that waits asks for the end.
func endsWith(signals <-chan os.Signal) (ends bool) {
	for {
		select {
		case sig := <-signals:
			ends = ends || sig != syscall.SIGHUP
		default:
			return ends
		}
	}
}

func newLogger(w io.Writer, format, level string) (hclog.Logger, error) {
	l := hclog.Info
	if level != "" {
		if l = hclog.LevelFromString(level); l == hclog.NoLevel {
			return nil, &usageError{fmt.Errorf("no log level %q; there is trace, debug, info, warn and error", level)}
		}
	}
	if format != "text" && format != "json" {
		return nil, &usageError{fmt.Errorf("no log format %q; there is text and json", format)}
	}
	return hclog.New(&hclog.LoggerOptions{Name: "peerd", Level: l, Output: w, JSONFormat: format == "json"}), nil
}

// handleSignals stops on the first SIGTERM or SIGINT, hastens on the next, and
// reloads on SIGHUP while nothing stops yet.
func handleSignals(ctx context.Context, done <-chan struct{}, log hclog.Logger, p *peer.Peer, signals <-chan os.Signal, stop func()) {
	for {
		var sig os.Signal
		select {
		case sig = <-signals:
		case <-done:
			return
		}
		switch {
		case sig == syscall.SIGHUP && ctx.Err() == nil:
			if _, err := p.Reload(ctx, false, "SIGHUP"); err != nil {
				log.Error("the profile was not applied; what runs is untouched", "error", err)
			}
		case sig == syscall.SIGHUP:
			log.Info("stopping already; SIGHUP ignored")
		case ctx.Err() == nil:
			log.Info("stopping in order", "signal", sig.String())
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
			stop()
		default:
			log.Warn("stopping at once", "signal", sig.String())
			p.Hasten()
		}
	}
}

// feedWatchdog keeps a service manager's watchdog quiet until the peer stops, or
// is done.
func feedWatchdog(ctx context.Context, done <-chan struct{}) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		case <-tick.C:
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	}
}

// keepers are the programs that can hold the components, where the platform
// lets a process outlive its parent's watch: the small one beside this program,
// and this program itself, which is always there but takes more memory.
func keepers() [][]string {
	if runtime.GOOS != "linux" {
		return nil
	}
	self := []string{"/proc/self/exe", "keeper"}
	exe, err := os.Executable()
	if err != nil {
		return [][]string{self}
	}
	return [][]string{{filepath.Join(filepath.Dir(exe), "peerd-keeper")}, self}
}
