package peer

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/supervisor"
)

// levelStore keeps the log levels that operators set to stay.
type levelStore struct {
	journal *journal.Journal
	mu      sync.Mutex // serialises put
}

func levelKey(k supervisor.Key) string { return "loglevels/" + k.String() }

// get returns the kept levels of an instance; none when they cannot be read,
// as they are a comfort and no reason not to start.
func (s *levelStore) get(k supervisor.Key) map[string]string {
	levels, _ := s.read(k)
	return levels
}

func (s *levelStore) read(k supervisor.Key) (map[string]string, error) {
	levels := map[string]string{}
	raw, err := s.journal.Get(levelKey(k))
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &levels)
	}
	return levels, err
}

// with returns the profile's levels with the kept ones on top.
func (s *levelStore) with(k supervisor.Key, profile map[string]string) map[string]string {
	levels := maps.Clone(profile)
	if levels == nil {
		levels = map[string]string{}
	}
	maps.Copy(levels, s.get(k))
	return levels
}

// put keeps one level; it is on disk when it returns.
func (s *levelStore) put(k supervisor.Key, logger, level string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	levels, err := s.read(k)
	if err != nil {
		return fmt.Errorf("cannot read the levels kept of %s: %w", k, err)
	}
	levels[logger] = level
	raw, err := json.Marshal(levels)
	if err != nil {
		return fmt.Errorf("cannot encode the levels of %s: %w", k, err)
	}
	return s.journal.Put(levelKey(k), raw)
}
