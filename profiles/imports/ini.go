package imports

import (
	"fmt"
	"strings"
)

// setting is one `key = value` of a file in sections.
type setting struct {
	line       int
	key, value string
}

// iniSection is one [section] with its settings in order.
type iniSection struct {
	line     int
	name     string
	settings []setting
}

// get is the last value of a key.
func (s *iniSection) get(key string) (setting, bool) {
	for i := len(s.settings) - 1; i >= 0; i-- {
		if s.settings[i].key == key {
			return s.settings[i], true
		}
	}
	return setting{}, false
}

// iniDialect is how the two formats in sections differ.
type iniDialect struct {
	inlineComments bool // " ;" ends a value
	indented       bool // an indented line continues the value above
	backslash      bool // a backslash at the end continues the line
	lower          bool // keys in lower case
}

// parseIni reads sections. Repeated keys are kept, in order.
func parseIni(data []byte, d iniDialect) ([]*iniSection, error) {
	var sections []*iniSection
	var current *iniSection
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		number, raw := i+1, lines[i]
		text := strings.TrimSpace(raw)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		for d.backslash && strings.HasSuffix(text, `\`) && i+1 < len(lines) {
			i++
			text = strings.TrimSuffix(text, `\`) + " " + strings.TrimSpace(lines[i])
		}
		if d.inlineComments {
			if at := strings.Index(text, " ;"); at >= 0 {
				text = strings.TrimSpace(text[:at])
			}
		}
		if text[0] == '[' {
			if !strings.HasSuffix(text, "]") {
				return nil, fmt.Errorf("line %d: %q is no section", number, clip(text))
			}
			current = &iniSection{line: number, name: text[1 : len(text)-1]}
			sections = append(sections, current)
			continue
		}
		if current == nil {
			return nil, fmt.Errorf("line %d: %q stands before any [section]", number, clip(text))
		}
		if n := len(current.settings); d.indented && n > 0 && (raw[0] == ' ' || raw[0] == '\t') {
			current.settings[n-1].value += "\n" + text
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("line %d: %q is not of the form key = value", number, clip(text))
		}
		if key = strings.TrimSpace(key); d.lower {
			key = strings.ToLower(key)
		}
		current.settings = append(current.settings, setting{line: number, key: key, value: strings.TrimSpace(value)})
	}
	return sections, nil
}
