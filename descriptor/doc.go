// Package descriptor reads ServiceDescriptor.xml, the file that says what a
// component is: its identity, how it can be launched, whether and in which
// versions it speaks CCP, its ports, loggers and runtime arguments.
//
//	d, warnings, err := descriptor.Parse(file, "ServiceDescriptor.xml")
//	if d.CCP() != nil { … }          // a CCP component; nil: a plain process
//	args, err := d.CheckArguments(given)
//
// The reader is strict: an element or attribute the format does not have, a
// second element where one is allowed, a DOCTYPE, anything after the document,
// or a document beyond the bounds (MaxSize, MaxDepth, MaxAttributes) is an
// *Error with file, line, column and element. What is odd but was always
// accepted in the field is a warning.
//
// The package is pure: it reads nothing but its Reader and keeps no state, so
// everything in it may be used from any goroutine. A Descriptor is not changed
// after Parse and may be shared.
package descriptor
