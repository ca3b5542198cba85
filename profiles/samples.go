package profiles

import "embed"

// Samples are the profiles that ship with peerd: quickstart.yaml and one for
// each larger subject.
//
//go:embed *.yaml
var Samples embed.FS
