package keeper

// attend has hear called with all news from now on, until leave is called.
func (k *Keeper) attend(hear func(Entry)) (leave func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.visitors++
	id := k.visitors
	k.audience[id] = hear
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.audience, id)
		if len(k.audience) == 0 {
			k.forsaken()
		}
	}
}

// holdsNothing reports that all was forgotten.
func (k *Keeper) holdsNothing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.held) == 0
}

// poke says that there may be less to keep than before.
func (k *Keeper) poke() {
	select {
	case k.less <- struct{}{}:
	default:
	}
}

func (k *Keeper) tell(h *held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, hear := range k.audience {
		hear(h.word.now())
	}
}
