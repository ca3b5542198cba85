package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange"
)

// Code classifies an error for exit codes and HTTP status; it is the "code" of
// the JSON error.
type Code string

// The codes with the exit code of ccpc in brackets.
const (
	CodeFailed      Code = "failed"      // [1] 500
	CodeUsage       Code = "usage"       // [2] 400
	CodeNotFound    Code = "notFound"    // [3] 404
	CodeTimeout     Code = "timeout"     // [4] 504
	CodeUnreachable Code = "unreachable" // [5] 503
	CodeRefused     Code = "refused"     // [6] 403
	CodeInvalid     Code = "invalid"     // [7] 422
)

// codes relates each code to the exit code of ccpc and the HTTP status.
var codes = map[Code]struct{ exit, status int }{
	CodeFailed:      {1, 500},
	CodeUsage:       {2, 400},
	CodeNotFound:    {3, 404},
	CodeTimeout:     {4, 504},
	CodeUnreachable: {5, 503},
	CodeRefused:     {6, 403},
	CodeInvalid:     {7, 422},
}

// ExitCode is what ccpc exits with; 1 for a code it does not know.
func (c Code) ExitCode() int {
	if e, ok := codes[c]; ok {
		return e.exit
	}
	return codes[CodeFailed].exit
}

// HTTPStatus is the response status; 500 for a code it does not know.
func (c Code) HTTPStatus() int {
	if e, ok := codes[c]; ok {
		return e.status
	}
	return codes[CodeFailed].status
}

// Error is what an operation fails with. On a channel it travels as the JSON
// text of errorDetails, over HTTP as {"error":{…}}.
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

// AsError finds the Error in err's chain or makes one: timeout for an ended
// deadline, failed for everything else. It returns nil for nil.
func AsError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, exchange.ErrTimeout):
		return &Error{Code: CodeTimeout, Message: err.Error()}
	default:
		return &Error{Code: CodeFailed, Message: err.Error()}
	}
}

// Details is err as the errorDetails of a reply.
func Details(err error) string {
	e := AsError(err)
	b, encErr := json.Marshal(e)
	if encErr != nil { // details that are no JSON
		b, _ = json.Marshal(Error{Code: e.Code, Message: e.Message})
	}
	return string(b)
}

// ReplyError is the error that a terminal reply carries, nil when it succeeded.
// Details that are not an Error's JSON become the message of a failure.
func ReplyError(r exchange.Reply) error {
	switch {
	case r.Type == exchange.TypeUnknown || r.Type == exchange.TypeNoReply:
		return Errorf(CodeNotFound, "this peer does not answer the command: %s", r.Type)
	case r.Status != exchange.Failed:
		return nil
	}
	var e Error
	if err := json.Unmarshal([]byte(r.ErrorDetails), &e); err != nil || e.Code == "" {
		return &Error{Code: CodeFailed, Message: r.ErrorDetails}
	}
	return &e
}

// Again are the details of a CodeUnreachable that asks for patience: the peer
// becomes another program. The same request, with the fields of Resume in place
// of its own, goes on where this one was left, and has no second effect.
type Again struct {
	Resume map[string]any `json:"resume"`
}

// AskAgain is the error that Again belongs to.
func AskAgain(resume map[string]any) *Error {
	if resume == nil {
		resume = map[string]any{}
	}
	return &Error{
		Code: CodeUnreachable, Message: "peerd is just being replaced by another program: ask again",
		Details: Again{resume},
	}
}

// ToAskAgain returns the fields of an Again, as JSON; ok is false for any other
// error.
func ToAskAgain(err error) (fields map[string]json.RawMessage, ok bool) {
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeUnreachable || e.Details == nil {
		return nil, false
	}
	var again struct {
		Resume map[string]json.RawMessage `json:"resume"`
	}
	raw, err := json.Marshal(e.Details)
	if err != nil || json.Unmarshal(raw, &again) != nil {
		return nil, false
	}
	return again.Resume, again.Resume != nil
}

// wireError makes the exchange put the JSON form into errorDetails.
type wireError struct{ err error }

func (w wireError) Error() string { return Details(w.err) }
func (w wireError) Unwrap() error { return w.err }
