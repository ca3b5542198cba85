package logs

import (
	"encoding/json"
	"strconv"
	"strings"
)

// parse fills Level, Logger and Message of a line in a structured form it
// knows: hclog's text and JSON, other JSON with the usual keys, logfmt. Any
// other line keeps them empty. It never changes Text.
func parse(l *Line) {
	text := strings.TrimRight(l.Text, "\r ")
	switch {
	case l.Partial || len(text) < 4:
	case text[0] == '{' && text[len(text)-1] == '}':
		parseJSON(l, text)
	case text[0] >= '0' && text[0] <= '9' && parseHclog(l, text):
	case strings.Contains(text, "="):
		parseLogfmt(l, text)
	}
}

// parseHclog reads `TIME [LEVEL] name: message: key=value`; the name and the
// pairs may be missing.
func parseHclog(l *Line, text string) bool {
	_, rest, ok := strings.Cut(text, " [")
	if !ok {
		return false
	}
	word, rest, ok := strings.Cut(rest, "]")
	level := known(word)
	if !ok || level == "" {
		return false
	}
	rest = strings.TrimLeft(rest, " ")
	l.Level = level
	if name, after, ok := strings.Cut(rest, ": "); ok && !strings.ContainsAny(name, " \t=") && !beginsWithPair(after) {
		l.Logger, rest = name, after
	}
	l.Message = withoutPairs(rest)
	return true
}

// withoutPairs cuts `: key=value…` off a message.
func withoutPairs(s string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], ": ")
		if i < 0 {
			return s
		}
		if i += from; beginsWithPair(s[i+2:]) {
			return s[:i]
		}
		from = i + 2
	}
}

func beginsWithPair(s string) bool {
	i := strings.IndexByte(s, '=')
	return i > 0 && strings.IndexFunc(s[:i], notKey) < 0
}

func notKey(r rune) bool {
	return r <= ' ' || r == '"' || r == ':' || r == '=' || r == 0x7f
}

// The keys under which loggers put what we show, in order of preference.
var (
	levelKeys   = []string{"@level", "level", "lvl", "severity", "log.level"}
	loggerKeys  = []string{"@module", "logger", "log.logger", "component", "module"}
	messageKeys = []string{"@message", "msg", "message"}
)

func parseJSON(l *Line, text string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		return
	}
	get := func(keys []string) string {
		for _, k := range keys {
			var s string
			if raw, ok := fields[k]; ok && json.Unmarshal(raw, &s) == nil {
				return s
			} else if ok && k != "message" {
				return string(raw)
			}
		}
		return ""
	}
	set(l, get)
}

func parseLogfmt(l *Line, text string) {
	fields := make(map[string]string)
	for text != "" {
		text = strings.TrimLeft(text, " \t")
		i := strings.IndexFunc(text, notKey)
		if i <= 0 || text[i] != '=' { // a word that is no pair
			_, text, _ = strings.Cut(text, " ")
			continue
		}
		key := text[:i]
		value, rest := logfmtValue(text[i+1:])
		if _, ok := fields[key]; !ok {
			fields[key] = value
		}
		text = rest
	}
	get := func(keys []string) string {
		for _, k := range keys {
			if v, ok := fields[k]; ok {
				return v
			}
		}
		return ""
	}
	if known(get(levelKeys)) != "" { // else it is prose with an equals sign
		set(l, get)
	}
}

func logfmtValue(s string) (value, rest string) {
	if quoted, err := strconv.QuotedPrefix(s); err == nil && s[0] == '"' {
		value, _ = strconv.Unquote(quoted)
		return value, s[len(quoted):]
	}
	value, rest, _ = strings.Cut(s, " ")
	return value, rest
}

func set(l *Line, get func(keys []string) string) {
	word := get(levelKeys)
	if l.Level = known(word); l.Level == "" && len(word) <= 32 {
		l.Level = strings.ToLower(word)
	}
	l.Logger, l.Message = get(loggerKeys), get(messageKeys)
}

// known returns the usual name of a level, "" for what is none.
func known(word string) string {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "trace", "10":
		return "trace"
	case "debug", "dbg", "20":
		return "debug"
	case "info", "information", "notice", "30":
		return "info"
	case "warn", "warning", "40":
		return "warn"
	case "error", "err", "50":
		return "error"
	case "fatal", "critical", "panic", "60":
		return "fatal"
	}
	return ""
}
