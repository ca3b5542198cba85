package descriptor

import (
	"fmt"
	"strings"
)

// Levels are the log levels of peerd in rising order of silence.
var Levels = []string{"trace", "debug", "info", "warn", "error", "off"}

// javaLevels are the words of the original's files.
var javaLevels = map[string]string{
	"all": "trace", "finest": "trace", "finer": "trace", "fine": "debug", "config": "debug",
	"info": "info", "warning": "warn", "severe": "error", "off": "off",
}

// NormalizeLevel gives the peerd level for a level's name in either
// vocabulary, in any case: WARNING and warn are both "warn".
func NormalizeLevel(s string) (string, error) {
	low := strings.ToLower(strings.TrimSpace(s))
	if contains(Levels, low) {
		return low, nil
	}
	if level, ok := javaLevels[low]; ok {
		return level, nil
	}
	return "", fmt.Errorf("%q is no log level; one of %s is expected (or of OFF SEVERE WARNING INFO CONFIG FINE FINER FINEST ALL)",
		clip(s), strings.Join(Levels, ", "))
}

// Loggers are the component's log modules with their starting levels, in
// peerd's words.
func (d *Descriptor) Loggers() map[string]string {
	if d.Execution == nil {
		return nil
	}
	loggers := make(map[string]string, len(d.Execution.LogModules))
	for _, m := range d.Execution.LogModules {
		if level, err := NormalizeLevel(m.Level); err == nil {
			loggers[m.Name] = level
		}
	}
	return loggers
}
