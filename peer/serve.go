package peer

import (
	"errors"
	"net"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/api"
)

// listen opens the control socket, and the TCP address where the profile asks
// for one.
func (p *Peer) listen() ([]net.Listener, *api.Server, error) {
	plan, _ := p.currentPlan()
	authorize, err := api.Access(plan.Peer.Access)
	if err != nil {
		return nil, nil, err
	}
	unix, err := p.opts.Handover.listener(fileSocket, plan.Peer.Socket, api.ListenUnix)
	if err != nil {
		return nil, nil, err
	}
	listeners := []net.Listener{unix}
	if plan.Peer.Listen != "" {
		tcp, err := p.opts.Handover.listener(fileTCP, plan.Peer.Listen, api.ListenLoopback)
		if err != nil {
			_ = unix.Close()
			return nil, nil, err
		}
		listeners = append(listeners, tcp)
	}
	server := api.NewServer(api.Options{
		Commands: p.handlers(), Authorize: authorize, Metrics: p,
		ErrorLog: p.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		Ready: func() error {
			if !p.isReady.Load() {
				return errors.New("the plan is not applied yet, or the peer is stopping")
			}
			return nil
		},
	})
	return listeners, server, nil
}

// leaveSockets has listeners leave their sockets where they are when they are
// closed: the program before goes on with them.
func leaveSockets(listeners []net.Listener) {
	for _, l := range listeners {
		if f, err := api.Keep(l); err == nil {
			_ = f.Close()
		}
	}
}

func closeAll(listeners []net.Listener) error {
	var err error
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}
