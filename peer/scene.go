package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
)

// scene is what a plan was last applied on. A peer that finds the same goes on
// as if nothing had happened: what had completed or failed is not run again.
type scene struct {
	Boot string `json:"boot"`
	Plan string `json:"plan"`
}

const sceneKey = "scene"

func sceneOf(plan *profiles.Plan) (scene, error) {
	self, err := process.Identify(os.Getpid())
	return scene{Boot: self.BootID, Plan: plan.Hash}, err
}

// keepScene notes that plan is applied, unless that is known.
func (p *Peer) keepScene(plan *profiles.Plan) error {
	if p.sameScene(plan) {
		return nil
	}
	now, err := sceneOf(plan)
	if err != nil {
		return fmt.Errorf("cannot tell this boot from others: %w", err)
	}
	raw, err := json.Marshal(now)
	return errors.Join(err, p.journal.Put(sceneKey, raw))
}

// sameScene reports whether the same plan was applied since the host booted.
func (p *Peer) sameScene(plan *profiles.Plan) bool {
	var before scene
	raw, err := p.journal.Get(sceneKey)
	if err != nil || raw == nil || json.Unmarshal(raw, &before) != nil {
		return false
	}
	now, err := sceneOf(plan)
	return err == nil && now.Boot != "" && now == before
}

// rests reports whether an instance is left as its last record says: it has
// completed or failed, and nobody has stopped it in order.
func rests(last journal.Record) bool {
	return last.To == lifecycle.Completed.String() || last.To == lifecycle.Failed.String()
}
