// Package process is the one door to the operating system's processes: nothing
// else in the project forks, waits, signals, or writes a cgroup.
//
// A [Door] spawns. What it spawns is a [Process]: the leader together with its
// whole tree, however far its members fork. A tree is held by the strongest
// means the host gives (cgroup v2, cgroup v1 freezer, or session and
// subreaper), and [Door.Containment] says which.
//
//	door, _ := process.Open()
//	p, err := door.Start(process.Spec{Path: "/usr/bin/redis-server", Args: []string{"redis-server"}, Name: "cache"})
//	<-p.Exited()          // the leader ended, as wait says
//	left := p.Kill(ctx)   // the whole tree is gone, or this is what is left
//	p.Release()
//
// # Two ways to spawn
//
// What the kernel can set up between fork and exec (session, working directory,
// credentials, cgroup) is a plain fork and exec. What it cannot (resource
// limits, capabilities, Landlock, checksums) takes a shim: the running program
// executes itself, recognises that in [Shim], applies the restrictions to
// itself and becomes the component. A program that opens a Door calls Shim
// first thing in main, and a test binary in TestMain.
//
// # Concurrency
//
// All methods are safe for concurrent use. A Door runs one goroutine that reaps
// orphans and one small goroutine per process that waits for it without an
// operating-system thread. [Door.Close] ends them all and touches no process.
//
// # Waiting
//
// Every child is waited for by its own pid; orphans that the subreaper inherits
// are reaped separately and never by a wait for "any". Children which the
// program starts by other means (os/exec) in its own session keep their status
// for whoever waits for them.
package process
