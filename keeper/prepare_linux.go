package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/unix"
)

// order is a becomeOrder on its way. The one who gave it hears nothing else
// until it is carried out or refused.
type order struct {
	line    *line
	command exchange.Command
	refused chan struct{}

	argv   []string
	hears  bool     // the program keeps sockets of sd_notify
	socket *os.File // that the keeper listens on
}

// refuse says why the keeper stays what it is.
func (o *order) refuse(why error) {
	_ = o.line.conn.Send(exchange.Frame{Reply: reply(o.command.ID, why)})
	close(o.refused)
}

// reply answers a becomeOrder.
func reply(id string, err error) *exchange.Reply {
	if err != nil {
		return &exchange.Reply{CommandID: id, Type: TypeBecome, Status: exchange.Failed, ErrorDetails: err.Error()}
	}
	own, _ := json.Marshal(Own()) // strings and numbers
	return &exchange.Reply{CommandID: id, Type: TypeBecome, Status: exchange.Succeeded, Payload: own}
}

// stillness bounds how long the keeper may take to come to rest before it
// becomes another program: commands under way, and a disk that takes what was
// read.
const stillness = 10 * time.Second

// prepare does all of an order that may fail: then nothing has changed. The
// captures are halted afterwards, and no command is under way.
func (s *server) prepare(ctx context.Context, l *unix.Listener, o *order) error {
	var b becomeOrder
	if err := json.Unmarshal(o.command.Payload, &b); err != nil {
		return fmt.Errorf("cannot read the order: %w", err)
	}
	if at := o.command.ExpiresAt; at != nil && !time.Now().Before(*at) {
		return errors.New("the order came too late")
	}
	if len(b.Argv) == 0 || !filepath.IsAbs(b.Argv[0]) {
		return fmt.Errorf("cannot become %q: the path of the program must be absolute", b.Argv)
	}
	next, err := Ask(ctx, b.Argv)
	if err != nil {
		return err
	}
	if !next.State.Has(state) {
		return fmt.Errorf("cannot become %s (%s): it takes over states %d to %d, and this keeper has state %d",
			b.Argv[0], next.Version, next.State.Oldest, next.State.Newest, state)
	}
	o.argv = b.Argv
	ctx, cancel := context.WithTimeoutCause(ctx, stillness, errors.New("commands are under way, try again later"))
	defer cancel()
	if err := o.line.settle(ctx); err != nil {
		return fmt.Errorf("cannot become another program: %w", err)
	}
	if o.socket, err = l.File(); err != nil {
		return fmt.Errorf("cannot become another program: %w", err)
	}
	if err := s.halt(); err != nil {
		return errors.Join(err, o.socket.Close())
	}
	o.hears = next.Notify
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halted = true
	return nil
}

// halt ends all captures, or none.
func (k *Keeper) halt() error {
	outs := k.outputs()
	patience := time.NewTimer(stillness)
	defer patience.Stop()
	var late *output
	for _, o := range outs {
		o.halt()
	}
	for _, o := range outs {
		select {
		case <-o.halt():
			continue
		case <-patience.C:
			late = o
		}
		break
	}
	if late == nil {
		return nil
	}
	for _, o := range outs {
		k.watching.Go(o.begin)
	}
	return fmt.Errorf("cannot become another program: what was written to %s cannot be stored just now, try again later", late.opts.Logs)
}

// outputs are those of all that is held.
func (k *Keeper) outputs() []*output {
	var outs []*output
	for _, h := range k.all() {
		h.mu.Lock()
		if h.out != nil {
			outs = append(outs, h.out)
		}
		h.mu.Unlock()
	}
	return outs
}
