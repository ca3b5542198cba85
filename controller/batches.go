package controller

import "context"

type BatchOptions struct{}

func (o BatchOptions) withDefaults() BatchOptions { return o }

type ManagementOptions struct{}

type Batches struct{ stopped chan struct{} }

func newBatches(*Controller) *Batches { return &Batches{stopped: make(chan struct{})} }

func (b *Batches) run(ctx context.Context) error {
	defer close(b.stopped)
	<-ctx.Done()
	return nil
}

func (b *Batches) targetIsBack(string) {}
