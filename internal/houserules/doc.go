// Package houserules holds the rules of the house that a compiler does not
// check: which room may import which, and why. It has tests only.
package houserules
