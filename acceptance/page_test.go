//go:build linux

package acceptance_test

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a real browser with what its page asked for and complained about.
type browser struct {
	p   *peerd
	ctx context.Context

	mu      sync.Mutex
	asked   []string // addresses of requests
	trouble []string // errors and exceptions of scripts
}

// browse opens a page in a headless Chromium of its own.
func browse(p *peerd, url string) *browser {
	p.t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		p.t.Skip("no chromium (see .ci/programs)")
	}
	b := &browser{p: p}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(p.path("browser")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(patience), chromedp.CombinedOutput(io.Discard))
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*patience) // beyond what is waited for
	p.t.Cleanup(cancel)
	ctx, closeBrowser := chromedp.NewExecAllocator(ctx, options...)
	p.t.Cleanup(closeBrowser)
	b.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(p.t.Logf))
	p.t.Cleanup(func() { _ = chromedp.Cancel(b.ctx); cancel() })
	chromedp.ListenTarget(b.ctx, b.hear)
	b.do(network.Enable(), chromedp.Navigate(url))
	return b
}

func (b *browser) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, ev.Request.URL)
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, ev.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.APITypeError {
			b.trouble = append(b.trouble, string(ev.Args[0].Value))
		}
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.p.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.p.t.Fatal(err)
	}
}

// eval returns what a piece of script says, as text.
func (b *browser) eval(script string) (text string) {
	b.p.t.Helper()
	b.do(chromedp.Evaluate("String("+script+")", &text))
	return text
}

// shows waits until an element's text contains words.
func (b *browser) shows(selector, words string) {
	b.p.t.Helper()
	b.p.waitFor(selector+" shows "+words, func() bool {
		return strings.Contains(b.eval(fmt.Sprintf("document.querySelector(%q)?.textContent", selector)), words)
	})
}

// press gives an element the focus and types a key there: all of the page works
// without a mouse.
func (b *browser) press(selector, key string) {
	b.p.t.Helper()
	b.do(chromedp.Focus(selector), chromedp.KeyEvent(key))
}

// cleared tells that nothing went wrong in the page, and that it asked nobody
// but the peer.
func (b *browser) cleared(origin string) {
	b.p.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.asked {
		if !strings.HasPrefix(url, origin) && !strings.HasPrefix(url, "data:") {
			b.p.t.Errorf("the page asked %s", url)
		}
	}
	if len(b.trouble) > 0 {
		b.p.t.Errorf("the page complained: %q", b.trouble)
	}
}

// TestThePageInABrowser: an operator sees what runs, its output and history,
// and acts, by keyboard alone; nothing acts without a confirmation.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	p := prepare(t, "")
	p.put("profile.yaml", strings.Replace(head, "peer: {", "peer: {listen: \""+address+"\", ", 1)+`components:
  base: {command: [/bin/sh, -c, "echo '<b>bold</b> words'; exec sleep 600"]}
  above: {command: [sleep, "600"], dependsOn: [base]}
`)
	p.run()
	p.ready()
	origin := "http://" + address
	b := browse(p, origin+"/")
	b.shows("#peer", "acc")
	b.shows("#instances", "acc/base")
	b.shows("#instances", "acc/above")
	b.shows("#graph", "acc/above")

	b.press(`//button[text()="acc/base"]`, kb.Enter)
	b.shows("#detail-title", "acc/base")
	b.shows("#logs", "<b>bold</b> words")
	if b.eval("document.querySelector('#logs b')") != "null" {
		t.Error("output was taken for markup")
	}
	b.p.waitFor("a timeline is drawn", func() bool { return b.eval("document.querySelectorAll('#timeline rect').length > 1") == "true" })

	p.running("base", "above")
	before := p.of("above")
	restart := `button[aria-label="restart acc/above"]`
	b.press(restart, kb.Enter)
	b.shows("#confirm-text", "acc/above")
	b.press("#confirm button[autofocus]", kb.Enter) // Cancel
	b.p.waitFor("the question is gone", func() bool { return b.eval("document.querySelector('#confirm').open") == "false" })
	if now := p.of("above"); now.Pid != before.Pid {
		t.Errorf("a cancelled restart made %+v of %+v", now, before)
	}
	b.press(restart, kb.Enter)
	b.press("#confirm-yes", kb.Enter)
	after := p.until("above", "was restarted", func(i instance) bool { return i.Generation == before.Generation+1 && i.Status == "running" })
	b.shows("#instances", fmt.Sprint(after.Pid))

	colours := func(scheme string) string {
		b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		return b.eval("getComputedStyle(document.body).backgroundColor")
	}
	if light, dark := colours("light"), colours("dark"); light == dark {
		t.Errorf("light and dark are both %s", light)
	}
	b.do(chromedp.Navigate(origin + "/docs"))
	b.shows("#operations", "/v1/components")
	b.cleared(origin)
}
