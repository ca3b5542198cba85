package process

import "unsafe"

// pointer is the address of v for a raw system call.
func pointer[T any](v *T) uintptr { return uintptr(unsafe.Pointer(v)) }
