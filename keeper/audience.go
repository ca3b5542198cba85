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
		if k.idle != nil {
			k.idle()
		}
	}
}

// isIdle reports that nothing is held and nobody attends.
func (k *Keeper) isIdle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.held) == 0 && len(k.audience) == 0
}

func (k *Keeper) tell(h *held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, hear := range k.audience {
		hear(h.word.now())
	}
}
