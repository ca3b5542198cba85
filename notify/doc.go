// Package notify hears what components tell by the sd_notify protocol.
//
//	s, err := notify.Listen(dir) // s.Path() is NOTIFY_SOCKET
//	err = s.Run(ctx, isOfTheTree, nil, func(m notify.Message) { … })
//
// A socket outlives who hears it as long as another process holds it too: File
// and Leave give it away, Inherit goes on with it, and what was sent and not heard
// waits in the kernel meanwhile.
//
// # Concurrency
//
// Run and Hear work in the caller's goroutine and leave none behind. The other
// methods may be called from any.
package notify
