package descriptor

import (
	"fmt"
	"strconv"
	"strings"
)

// LaunchKind is one way to launch a component, or a mask of several.
type LaunchKind int

// The launch kinds, with the bits of the file.
const (
	LaunchNone            LaunchKind = 0
	LaunchSeparateProcess LaunchKind = 1
	LaunchInMemory        LaunchKind = 2
	LaunchManual          LaunchKind = 4
)

var launchNames = []struct {
	kind LaunchKind
	name string
}{
	{LaunchSeparateProcess, "separateProcess"},
	{LaunchInMemory, "inMemory"},
	{LaunchManual, "manual"},
}

// Names lists the kinds in k by the words profiles use; LaunchNone is "none".
func (k LaunchKind) Names() []string {
	var names []string
	for _, n := range launchNames {
		if k&n.kind != 0 {
			names = append(names, n.name)
		}
	}
	if names == nil {
		return []string{"none"}
	}
	return names
}

func (k LaunchKind) String() string { return strings.Join(k.Names(), ", ") }

func (k LaunchKind) single() bool { return k&(k-1) == 0 }

func (k LaunchKind) lowest() LaunchKind { return k & -k }

// Supports reports whether the descriptor allows the launch mode of that name.
// "none" is always allowed: nothing is launched.
func (d *Descriptor) Supports(mode string) bool {
	if mode == "none" {
		return true
	}
	return d.Execution != nil && d.Execution.LaunchType.Supported != LaunchNone &&
		contains(d.Execution.LaunchType.Supported.Names(), mode)
}

// OS is a mask of operating systems; 0 is all of them.
type OS int

// The operating systems, with the bits of the file.
const (
	Linux   OS = 1
	Mac     OS = 2
	Windows OS = 4
	Solaris OS = 8
	AllOS   OS = Linux | Mac | Windows | Solaris
)

var osNames = []struct {
	bit  OS
	goos string
}{{Linux, "linux"}, {Mac, "darwin"}, {Windows, "windows"}, {Solaris, "solaris"}}

// Allows reports whether the mask admits the system, named as GOOS does.
func (o OS) Allows(goos string) bool {
	if o == 0 {
		return true
	}
	for _, n := range osNames {
		if n.goos == goos {
			return o&n.bit != 0
		}
	}
	return false
}

func (o OS) String() string {
	if o == 0 {
		return "all"
	}
	var names []string
	for _, n := range osNames {
		if o&n.bit != 0 {
			names = append(names, n.goos)
		}
	}
	return strings.Join(names, ", ")
}

// Version is a protocol version, major and minor.
type Version struct{ Major, Minor int }

// Less orders versions.
func (v Version) Less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// ParseVersion reads "1.0" or "1".
func ParseVersion(s string) (Version, error) {
	major, minor, dotted := strings.Cut(s, ".")
	if !dotted {
		minor = "0"
	}
	a, errA := strconv.ParseUint(major, 10, 16)
	b, errB := strconv.ParseUint(minor, 10, 16)
	if errA != nil || errB != nil {
		return Version{}, fmt.Errorf("%q is no version; MAJOR.MINOR such as 1.0 is expected", clip(s))
	}
	return Version{Major: int(a), Minor: int(b)}, nil
}

// CCP is the range of protocol versions the component speaks; nil: it speaks
// none and is a plain process.
func (d *Descriptor) CCP() *CCPRange {
	if d.Execution == nil {
		return nil
	}
	return d.Execution.CCP
}
