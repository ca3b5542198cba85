// Package imports turns the files of other supervisors into profiles.
//
//	r, err := imports.Convert(imports.Systemd, "nginx.service", text)
//	os.Stdout.Write(r.Profile)            // YAML that profiles.Load accepts
//	for _, line := range r.NotCarried { … } // what has no counterpart, and where it stood
//
// What a profile can say is said; what it cannot is listed, with its place and
// where possible the next step, never dropped in silence. Convert is pure: it
// reads no other file and starts nothing, and may be used from any goroutine.
package imports
