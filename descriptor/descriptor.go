package descriptor

import "io"

// Descriptor is a ServiceDescriptor.xml, defaults filled in.
type Descriptor struct {
	GUID    string `json:"guid" yaml:"guid"`
	Version string `json:"version" yaml:"version"`
}

// Parse reads one descriptor; name is used in errors and warnings. Warnings
// name what is odd but accepted by the original.
func Parse(r io.Reader, name string) (d *Descriptor, warnings []string, err error) { panic("seam") }
