package control

import (
	"context"
	"fmt"
)

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of ctx; the zero Caller has no role.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Code classifies an error for exit codes and HTTP status; it is the "code" of
// the JSON error.
type Code string

// The codes with the exit code of ccpc in brackets.
const (
	CodeFailed      Code = "failed"      // [1] 500
	CodeUsage       Code = "usage"       // [2] 400
	CodeNotFound    Code = "notFound"    // [3] 404
	CodeTimeout     Code = "timeout"     // [4] 504
	CodeUnreachable Code = "unreachable" // [5]
	CodeRefused     Code = "refused"     // [6] 403
	CodeInvalid     Code = "invalid"     // [7] 422
)

// Error is what an operation fails with. On a channel it travels as the JSON
// text of errorDetails.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
