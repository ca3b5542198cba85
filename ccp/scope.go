package ccp

import "github.com/seed-04209a44/peerd/lifecycle"

// Operation scopes: which part of its life a component's report belongs to.
const (
	ScopeLaunch    = "COMPONENT_LAUNCH"
	ScopeLaunching = "COMPONENT_LAUNCHING"
	ScopeRunning   = "COMPONENT_RUNNING"
	ScopeStop      = "COMPONENT_STOP"
)

var scopes = []string{ScopeLaunch, ScopeLaunching, ScopeRunning, ScopeStop}

// Scope returns the operation scope a state belongs to; "" for NoState.
func Scope(s lifecycle.State) string {
	switch s {
	case lifecycle.Launch:
		return ScopeLaunch
	case lifecycle.Configuration, lifecycle.Connect, lifecycle.Start:
		return ScopeLaunching
	case lifecycle.Execution:
		return ScopeRunning
	case lifecycle.StopTimeWait, lifecycle.StopExecution, lifecycle.StopCleanup:
		return ScopeStop
	default:
		return ""
	}
}
