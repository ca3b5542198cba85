package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// hashes are the fingerprints of what needs a restart and of what can change
// under a running instance.
func (s *Spec) hashes() (restart, live string) {
	return fingerprint(s.fields(needsRestart)), fingerprint(s.fields(changesLive))
}

// hash is the fingerprint of the whole plan. Files and warnings are not part
// of it: they do not change what runs.
func (p *Plan) hash() string {
	type entry struct{ Address, Hash, LiveHash string }
	specs := make([]entry, len(p.Specs))
	for i, s := range p.Specs {
		specs[i] = entry{s.Address, s.Hash, s.LiveHash}
	}
	return fingerprint([]any{p.Peer, p.Groups, specs, p.Connector, p.Controller})
}

// fingerprint hashes a value's JSON, in which map keys are sorted.
func fingerprint(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("profiles: a plan holds JSON values only: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
