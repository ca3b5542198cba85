package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/seed-04209a44/peerd/control"
)

// watchInterval is how often `ps --watch` looks.
const watchInterval = time.Second

// Terminal sequences of the live screen.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// watchInstances prints the instances whenever one changed, until Ctrl-C.
func (p *program) watchInstances(c *cli.Context, sel control.Selection) error {
	var before []listed
	return p.repeat(c.Context, watchInterval, func() error {
		now, err := listInstances(c, sel)
		if now == nil { // an error beside rows is in the rows
			return err
		}
		if before != nil && reflect.DeepEqual(before, now) {
			return nil
		}
		before = now
		return p.out.line(now, func() error {
			if p.out.stdoutTerminal {
				if err := p.out.printf(home + clearBelow); err != nil {
					return err
				}
			}
			return p.instanceTable(now)
		})
	})
}

// repeat calls f at once and then at each interval, until it fails or ctx ends,
// which is the usual end.
func (p *program) repeat(ctx context.Context, interval time.Duration, f func() error) error {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		if err := f(); err != nil {
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (p *program) top(c *cli.Context) error {
	sel, err := selection(c, false)
	if err != nil {
		return err
	}
	interval := c.Duration("interval")
	if interval <= 0 {
		return usagef("--interval must be above 0")
	}
	look := func() ([]listed, string, error) {
		instances, err := listInstances(c, sel)
		if instances == nil {
			return nil, "", err
		}
		header, err := p.topHeader(c, instances)
		return instances, header, err
	}
	if !p.out.stdoutTerminal || p.out.format != formatTable {
		return p.repeat(c.Context, interval, func() error {
			instances, _, err := look()
			if err != nil {
				return err
			}
			return p.out.line(instances, func() error { return p.instanceTable(instances) })
		})
	}
	ctx, leave := p.enterScreen(c.Context)
	defer leave()
	return p.repeat(ctx, interval, func() error {
		instances, header, err := look()
		if err != nil {
			return err
		}
		return p.drawScreen(instances, header)
	})
}

// topHeader is the first line of the live screen.
func (p *program) topHeader(c *cli.Context, instances []listed) (string, error) {
	if wholeTarget(c) {
		peers, counts := map[string]bool{}, map[string]int{}
		for _, i := range instances {
			peers[i.Peer] = true
			counts[i.Status]++
		}
		return fmt.Sprintf("target %s  %d peers  %s", c.String("target"), len(peers), countsText(counts)), nil
	}
	var s control.PeerStatus
	if err := call(c, control.OpStatus, nil, &s); err != nil {
		return "", err
	}
	header := "peer " + s.Peer + "  up " + uptime(time.Duration(s.UptimeMs)*time.Millisecond) + "  " + countsText(s.Counts)
	if len(s.Degraded) > 0 {
		header += "  " + p.out.paint("31", "degraded: "+escape(strings.Join(s.Degraded, "; "), false))
	}
	return header, nil
}

// drawScreen paints one frame over the last one, without a flicker.
func (p *program) drawScreen(instances []listed, header string) error {
	var frame strings.Builder
	screen := *p.out
	screen.w = &frame
	painter := &program{out: &screen}
	if err := screen.printf("%s\n%s  q quits\n\n", header, time.Now().Format(time.TimeOnly)); err != nil {
		return err
	}
	if err := painter.instanceTable(instances); err != nil {
		return err
	}
	_, err := io.WriteString(p.out.w, home+fit(frame.String(), p.out.w)+clearBelow)
	return err
}

// fit cuts a frame to the size of the terminal, so that it never scrolls.
func fit(frame string, terminal io.Writer) string {
	width, height := 80, 24
	if f, ok := terminal.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			width, height = w, h
		}
	}
	lines := strings.Split(strings.TrimRight(frame, "\n"), "\n")
	if len(lines) >= height {
		hidden := len(lines) - height + 2
		lines = append(lines[:height-2], fmt.Sprintf("… %d more", hidden))
	}
	for i, l := range lines {
		lines[i] = text.Trim(l, width) + clearLine + "\r\n"
	}
	return strings.Join(lines, "")
}

// enterScreen takes the terminal over. The context it returns ends when q or
// Ctrl-C is typed; leave gives the terminal back.
func (p *program) enterScreen(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	_, _ = io.WriteString(p.out.w, enterScreen)
	restore := func() {}
	if in, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		if old, err := term.MakeRaw(int(in.Fd())); err == nil {
			restore = func() { _ = term.Restore(int(in.Fd()), old) }
			// Reading a terminal cannot be interrupted; the process ends soon
			// after leave, and this goroutine with it.
			go quitOnKey(in, cancel)
		}
	}
	return ctx, func() {
		cancel()
		restore()
		_, _ = io.WriteString(p.out.w, leaveScreen)
	}
}

func quitOnKey(in io.Reader, quit func()) {
	key := make([]byte, 1)
	for {
		if _, err := in.Read(key); err != nil || key[0] == 'q' || key[0] == 3 {
			quit()
			return
		}
	}
}
