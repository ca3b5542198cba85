// Package standin lets a person run a component in a terminal, or under a
// debugger, while everything that belongs to its launch stays with the peer.
//
// The peer spawns a stand-in in the component's place: same user, same
// environment, same process tree, same limits. It waits at a socket in the private
// folder until somebody attaches, and then becomes the component, by exec, on a
// terminal that was handed to it. So the component is the very process that was
// spawned: its exit, its force-stop and who may speak for it need no other way.
//
//	argv := standin.Args(dir, program, args) // of the peer's own program, spawned
//	err := standin.Attach(ctx, standin.Socket(dir), standin.Session{In: os.Stdin, Out: os.Stdout})
//
// Main is called first thing in main of the peer's program, which is the stand-in
// too: the keeper stays small. Attach is the person's side. What the component prints is shown there,
// and is logged from its handshake line on; what a debugger prints before is not.
//
// Only root and the user whom the component runs as can attach.
package standin
