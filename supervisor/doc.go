// Package supervisor keeps the instances of a plan as they are wanted.
//
// Each instance has an actor: one goroutine that owns its lifecycle.Machine,
// feeds it events, and carries out the effects through a Launcher that the
// package's user provides. A further goroutine, Supervisor.Run, owns what lies
// between instances: the start order, the dependencies, the groups.
//
//	sup := supervisor.New(supervisor.Options{Launcher: l, Record: journal})
//	go sup.Run(ctx)
//	sup.Apply(ctx, plan, profiles.Diff(nil, plan), nil, "boot")
//	sup.Act(ctx, lifecycle.EvStop, lifecycle.CauseCommand, "uid 0", key)
//	v, err := sup.Wait(ctx, key, (*supervisor.View).AtRest)
//
// What is known of an instance is read from its View, which never changes and
// is replaced whole; nobody reaches into an actor. A transition is recorded
// before its view is published, so what a reader sees is on disk, unless the
// view itself says (Fault) that the journal refuses.
package supervisor
