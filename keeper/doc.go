// Package keeper is the data plane: it holds what must not die with the peer.
// A [Keeper] spawns processes, stores what they write, and keeps how they ended
// until that is acknowledged. It knows commands, keys and files, and nothing of
// profiles, protocols or policy.
//
// It lives in an operating-system process of its own. The peer's side is a
// [Client]:
//
//	c, err := keeper.Connect(ctx, keeper.Settings{Folder: run, Argv: argv, Door: door})
//	cp, err := c.Capture(ctx, "app/ticker/1", keeper.Output{Folder: dir, Logs: logs})
//	p, err := cp.Spawn(ctx, process.Spec{Path: "/usr/bin/ticker", …})
//	<-p.Exited()
//	cp.Drain()    // every byte is in the files
//	cp.Forget()   // p.Exit() is written down elsewhere
//
// and the process that Argv starts calls [Main]. Where there can be no such
// process, a Keeper made by [New] does the same work in the peer's own.
//
// # What survives
//
// The user dies: the keeper goes on, waits for its children, and drains their
// output. A later Client finds it by its folder; Entries lists what it holds,
// Attach takes it up again. Sockets of sd_notify that were shared with it stay open
// and are heard (at most 16 messages each are kept: of those that name the same
// variables the latest), and Notify gives them to the next user. One who lives on
// while the connection breaks hears on as before, save what the keeper has heard
// until the next connection was made: that waits for the next Notify.
//
// The keeper dies: its children become those of its user, which is a subreaper
// above it and holds a pidfd of each besides, so that every exit is seen. That
// goes for the dead too: the keeper leaves them zombies until their exit is
// acknowledged by Forget, so that one of which it could not tell any more is the
// user's to reap. (A user that cannot tell the end of a zombie says so by not
// asking for them in its list; then they are reaped at once.) That its user has
// heard of an exit is not enough: it answers before the exit is on disk. So the
// leader of a tree that outlives it stays a zombie as long as the tree. Members
// of a tree that the keeper inherits, and so what a program in the background
// goes on as, are reaped as they end. What was written is in the FIFOs, which the
// process and the user hold open too. A first line that is no output is on disk in
// the process's folder before it is taken out of the FIFO, and that a line has
// matched before it is told. The Client starts the next keeper and has it take
// over.
//
// The keeper itself is replaced: Become has it execute the next program in its
// own process. Children, pipes, exits and the connection stay (docs/adr/0007).
//
// # When it leaves
//
// As long as a process lives, or one of its tree, a keeper stays, even where its
// folder is gone: it stores the output, and without it the process would stand
// still when the pipe is full. When nothing lives and no user is connected, it
// goes: at once if it holds nothing, else after two seconds, and then how each
// process ended is on disk in its folder first ("keeper.left"), with which the
// next keeper begins. Where that cannot be written it stays; where the folder is
// gone, or another one of its name is there, nobody could ask any more, and it
// goes without.
//
// # Who may ask
//
// The socket lies in the peer's private runtime folder, has the mode 0600, and
// the kernel is asked who connects: only the keeper's own user is heard. One
// keeper lives for each folder; a lock sees to that.
//
// # Protocol
//
// The commands (TypeCapture and following) travel as exchange commands. The
// keeper tells all news of a process by the whole Entry of it; nothing in an
// Entry is ever taken back, so that news may be lost with a connection and are
// made up for by the list.
//
// # Concurrency
//
// All methods are safe for concurrent use. At rest nothing runs and nothing is
// allocated: goroutines wait for a pipe, an exit or a command.
package keeper
