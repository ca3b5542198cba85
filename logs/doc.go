// Package logs stores what components write to stdout and stderr, and reads it
// back. It knows nothing of components or processes: a [Writer] owns the
// rotated files of one stream, [Capture] drains a pipe into it, [Read] merges
// the streams of many instances by time:
//
//	w, err := logs.OpenWriter(dir, logs.Out, logs.Options{})
//	err = logs.Capture(fifo, w, stop, nil)
//	for line, err := range logs.Read(ctx, []logs.Source{{Name: "ticker", Dir: dir}}, logs.Query{Tail: 100}) { … }
//
// # Files
//
// DIR/out.log holds the component's bytes and nothing else (except a marker
// line where the disk refused some), out.log.1 the ones before, and so on.
// Every file but the current one has exactly MaxSize bytes, so that a line may
// begin in one file and end in the next; Read joins it again. DIR/out.idx says
// when which bytes came. A missing, foreign or torn index costs precision (the
// file's modification time is used), never a byte and never an error.
//
// # What is promised
//
// On Linux, Capture moves the bytes of a pipe into the file inside the kernel
// (splice): a byte leaves the pipe when it is in the file, so that a process
// killed at any instant loses and doubles nothing, and the next one that opens
// the same pipe and files goes on with the next byte. At any time one process
// writes a stream's files; any number may read them.
//
// # Concurrency
//
// A Writer is safe for concurrent use and starts no goroutine. Capture blocks
// its caller. Read works in the caller's goroutine; with Follow it looks for
// new bytes every 10 to 250 ms (polling, since a file-notification watch per
// stream would exhaust the user's inotify limits at some hundred instances,
// and says nothing on network file systems).
package logs
