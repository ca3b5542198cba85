package descriptor

import "fmt"

// Error is why a descriptor was refused, and where. Line and Column count
// from 1; Element is the path of the element, such as service/execution/ccp.
type Error struct {
	File    string
	Line    int
	Column  int
	Element string
	Message string
}

// Error gives "file:line:column: element: message".
func (e *Error) Error() string {
	if e.Element == "" {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Element, e.Message)
}
