// Package journal is the durable memory of a peer: the history of every
// instance, what must be known of the instances after a crash, and a few
// settings. It knows nothing of who writes it.
//
// The main type is [Journal]; it owns one file, journal.db, in one folder:
//
//	j, err := journal.Open(stateDir, journal.Options{})
//	seq, err := j.Append([]journal.Record{{Application: "orders", Name: "ticker", To: "running"}})
//	for rec, err := range j.Watch(ctx, journal.Filter{Since: seq}) { … }
//
// # What is promised
//
//   - What Append and Put acknowledged is on disk. Writes that arrive while an
//     fsync is under way share the next one.
//   - Sequence numbers are unique and increase, over restarts too.
//   - A damaged file (torn, truncated, bits flipped anywhere) is refused with
//     a [DamageError] that names it and says what to do; it is never read as
//     something that was not written. A file of a newer format is refused with
//     a [VersionError], a file in use with [ErrLocked].
//   - A disk that refuses writes fails the writes it refuses and nothing else;
//     when it accepts again, so does the journal.
//   - What is urgent (AppendUrgent, and whatever only takes away) is written on a
//     full disk too, within a reserve that the file holds behind its last page.
//
// # How it is stored
//
// The file is a bbolt database. Every row carries a CRC-32C of its bucket, key
// and value, and one state row carries the number of rows and a digest over
// all of them, so that a lost or a doubled row is found as well as a changed
// one. Open walks every page of the file before bbolt maps it (bbolt's own
// pages carry no checksum, and it may fault on wild page numbers).
//
// # Concurrency
//
// All methods are safe for concurrent use. One goroutine owns writing; it ends
// with [Journal.Close]. Readers never wait for writers.
package journal
