package component_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/component/componenttest"
)

// officer notes what it is told of being primary, and can be asked what Office
// says to it.
type officer struct {
	life
	inside context.Context
	ear    sync.Mutex // guards the following field
	heard  []string
}

func (o *officer) Primary(primary bool, term uint64) {
	o.ear.Lock()
	defer o.ear.Unlock()
	o.heard = append(o.heard, fmt.Sprint(primary, " ", term))
}

func (o *officer) hears() string {
	o.ear.Lock()
	defer o.ear.Unlock()
	return fmt.Sprint(o.heard)
}

func (o *officer) says() string {
	term, primary := component.Office(o.inside)
	return fmt.Sprint(primary, " ", term)
}

// Being primary ends by itself when the peer's word is not repeated in time.
func TestOffice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &officer{}
		begun := make(chan struct{})
		o.execute = func(ctx context.Context) error {
			o.inside = ctx
			close(begun)
			return untilStopped(ctx)
		}
		peer := componenttest.Start(t, info, o, componenttest.Options{})
		<-begun
		is := func(when, want string) {
			t.Helper()
			if got := o.says(); got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		say := func(primary bool, term uint64, valid time.Duration) {
			t.Helper()
			if err := peer.Do(t.Context(), ccp.TypePrimary, ccp.PrimaryNotice{Primary: primary, Term: term, ValidMs: valid.Milliseconds()}, nil); err != nil {
				t.Error(err)
			}
		}
		is("before anything was said", "false 0")
		say(true, 7, 10*time.Second)
		is("told", "true 7")
		time.Sleep(9 * time.Second)
		say(true, 7, 10*time.Second)
		time.Sleep(9 * time.Second)
		is("told again in time", "true 7")
		time.Sleep(time.Second)
		synctest.Wait()
		is("not told again", "false 7")
		say(true, 8, 10*time.Second)
		say(false, 8, 0)
		is("dismissed", "false 8")
		say(true, 9, 0)
		time.Sleep(time.Hour)
		is("without an end", "true 9")
		if err := peer.Primary(t.Context(), true, 8); err == nil {
			t.Error("a term that is over was accepted")
		}
		is("told of a term that is over", "true 9")
		if want := "[true 7 false 7 true 8 false 8 true 9]"; o.hears() != want {
			t.Errorf("heard %s, want %s", o.hears(), want)
		}
		peer.Stop()
		is("its life is over", "false 9")
	})
}
