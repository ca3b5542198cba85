package logs

import (
	"encoding/json"
	"unicode/utf8"
)

// plainLine is Line without its methods.
type plainLine Line

// rawLine is the JSON of a line whose text JSON cannot hold.
type rawLine struct {
	plainLine
	Raw []byte `json:"raw,omitempty"` // the text's bytes, base64
}

// MarshalJSON adds the bytes as "raw" where they are no UTF-8: JSON has text
// only, and "text" then is the nearest there is.
func (l Line) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(l.Text) {
		return json.Marshal(plainLine(l))
	}
	return json.Marshal(rawLine{plainLine(l), []byte(l.Text)})
}

// UnmarshalJSON is the inverse of MarshalJSON: Text has the very bytes again.
func (l *Line) UnmarshalJSON(b []byte) error {
	var r rawLine
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	*l = Line(r.plainLine)
	if r.Raw != nil {
		l.Text = string(r.Raw)
	}
	return nil
}
