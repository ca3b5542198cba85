// Package scaffold writes the folder of a new component: a copy of the sample,
// under its own name, that builds and runs at once.
//
//	files, err := scaffold.Write("orders", "Orders", "go", scaffold.Options{})
//
// The folder appears whole or not at all. A component in Python brings the protocol
// with it, in a module of its own. One in Go imports the SDK: where the SDK's module is not
// published, or is being worked on, the new module points to a local checkout:
// the one in Options, else the one this program was built from.
//
// The templates are copies of samples/CCPComponent and samples/python, kept the
// same by a test; run it with -update after changing a sample. All functions are safe for
// concurrent use.
package scaffold
