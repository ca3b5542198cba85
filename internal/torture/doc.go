// Package torture judges what peerd did while it was killed, starved and
// stopped: it joins what the components wrote down of their own lives with
// /proc and with the JSON of ccpc, and names every promise that was not kept.
//
// A component of a torture test is the diarist (internal/testcomponents): it
// keeps a [Diary], an append-only file of its own, in which the lives of one
// instance follow each other. A test collects [Evidence] and has it judged:
//
//	for _, v := range torture.Check(evidence) { t.Error(v) }
//
// docs/torture.md lists the invariants. Judging is pure; reading /proc and
// keeping a diary are in the files that end in _linux.
//
// Nothing is measured in seconds: a machine may be busy. Ticks are numbered,
// and a silence is measured by the ticks of a witness, which is a diarist that
// nobody supervises.
package torture
