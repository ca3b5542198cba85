package peer

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/keeper"
)

// arrive begins the end of the upgrade that led to this program: there is no way
// back any more. It returns what remains to be done; until that is done no other
// upgrade begins.
func (p *Peer) arrive() (finish func(context.Context)) {
	h := p.opts.Handover
	if h == nil {
		return func(context.Context) {}
	}
	h.Accept()
	u := h.doc.Upgrade
	u.TookMs = time.Since(u.At).Milliseconds()
	p.upgrading.Lock()
	p.passage.note(h.doc.underway())
	return func(ctx context.Context) {
		defer p.upgrading.Unlock()
		p.finishUpgrade(ctx, u, h.doc.Back)
	}
}

// underway is the upgrade before its end is known.
func (d *document) underway() *control.Upgrade {
	u := d.Upgrade
	u.Outcome, u.Detail = "underway", ""
	return &u
}

// finishUpgrade has the keeper follow, and keeps how it all went.
func (p *Peer) finishUpgrade(ctx context.Context, u control.Upgrade, back bool) {
	if back {
		p.log.Error("the upgrade failed; the program before it goes on", "from", u.From, "to", u.To, "by", u.By, "detail", u.Detail)
	} else {
		u.Outcome, u.To = "upgraded", p.opts.Version
		u.Keeper = p.upgradeKeeper(ctx)
		p.log.Info("upgraded", "from", u.From, "to", u.To, "by", u.By, "ms", u.TookMs)
	}
	p.passage.note(&u)
	p.degraded.set("journal", p.journal.Put(upgradeKey, rawJSON(u)))
}

// How long a keeper is asked to become another program: it does not while
// something is under way with it.
const (
	keeperTime  = 10 * time.Second
	keeperPause = 100 * time.Millisecond
)

// upgradeKeeper has the keeper become the program that this peer would start one
// from. A keeper that stays what it is holds on to all that it has.
func (p *Peer) upgradeKeeper(ctx context.Context) *control.KeeperUpgrade {
	before := p.keeper.Speaks()
	u := &control.KeeperUpgrade{From: before.Version, To: before.Version}
	ctx, cancel := context.WithTimeout(ctx, keeperTime)
	defer cancel()
	argv, next, err := chooseKeeper(ctx, p.opts.Keepers)
	if err == nil && next.Version == before.Version {
		return u
	}
	for err == nil && ctx.Err() == nil {
		now, fault := p.keeper.Become(ctx, argv)
		if fault == nil {
			u.To = now.Version
			p.log.Info("the keeper is upgraded", "from", u.From, "to", u.To)
			return u
		}
		u.Detail = fault.Error()
		sleep(ctx, keeperPause)
	}
	if err != nil {
		u.Detail = err.Error()
	}
	p.log.Warn("the keeper stays what it is", "version", u.To, "why", u.Detail)
	return u
}

// errNoKeepers says that no program is known that can be a keeper.
var errNoKeepers = errors.New("no program is there that can be a keeper")

// chooseKeeper is the first of the programs that can be this peer's keeper.
func chooseKeeper(ctx context.Context, programs [][]string) (argv []string, s keeper.Speaks, err error) {
	err = errNoKeepers
	for _, argv = range programs {
		if s, err = keeper.Ask(ctx, argv); err == nil {
			return argv, s, nil
		}
	}
	return nil, s, err
}

// pastUpgrade is the latest upgrade that the journal knows of, nil without one.
func (p *Peer) pastUpgrade() *control.Upgrade {
	raw, err := p.journal.Get(upgradeKey)
	var u control.Upgrade
	if err != nil || raw == nil || json.Unmarshal(raw, &u) != nil {
		return nil
	}
	return &u
}
