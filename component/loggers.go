package component

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// rootLogger is the name under which the protocol knows the root logger.
const rootLogger = "root"

// process is the registry of this process; its writer is the real standard
// error, taken before anything can have replaced it.
var process = newLoggers(os.Stderr)

// Logger returns the logger of that name ("" is root); its level is changed at
// run time by SET_LOGLEVEL. A logger without a level of its own has root's. It
// writes to standard error. Safe for concurrent use; the same name gives the
// same logger.
func Logger(name string) hclog.Logger { return process.get(name) }

// loggers holds every logger by name, each with a level of its own.
type loggers struct {
	out io.Writer

	mu     sync.Mutex // guards all below; loggers themselves write under write
	write  sync.Mutex
	prefix string
	made   map[string]hclog.Logger
	levels map[string]hclog.Level // set explicitly
}

func newLoggers(out io.Writer) *loggers {
	return &loggers{
		out:    out,
		made:   make(map[string]hclog.Logger),
		levels: map[string]hclog.Level{rootLogger: hclog.Info},
	}
}

// begin names the root logger and makes the loggers known from the start.
func (l *loggers) begin(prefix string, names []string) {
	l.mu.Lock()
	l.prefix = prefix
	l.mu.Unlock()
	for _, name := range append([]string{rootLogger}, names...) {
		l.get(name)
	}
}

func (l *loggers) get(name string) hclog.Logger {
	if name == "" {
		name = rootLogger
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if logger, ok := l.made[name]; ok {
		return logger
	}
	logger := hclog.New(&hclog.LoggerOptions{
		Name: l.fullName(name), Level: l.level(name), Output: l.out, Mutex: &l.write,
	})
	l.made[name] = logger
	return logger
}

func (l *loggers) fullName(name string) string {
	switch {
	case name == rootLogger:
		return l.prefix
	case l.prefix == "":
		return name
	default:
		return l.prefix + "." + name
	}
}

// level is what name logs at; mu is held.
func (l *loggers) level(name string) hclog.Level {
	if level, ok := l.levels[name]; ok {
		return level
	}
	return l.levels[rootLogger]
}

// inForce returns the level of each named logger, of all when names is empty.
func (l *loggers) inForce(names []string) (map[string]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(names) == 0 {
		names = l.names()
	}
	levels := make(map[string]string, len(names))
	for _, name := range names {
		if l.made[name] == nil {
			return nil, l.unknown(name)
		}
		levels[name] = l.level(name).String()
	}
	return levels, nil
}

// set changes levels, all or, with an error, none, and returns those changed.
func (l *loggers) set(levels map[string]string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		if l.made[name] == nil {
			return nil, l.unknown(name)
		}
	}
	return l.apply(levels)
}

// preset is set for the levels that a configuration gives to begin with: it
// makes the loggers it names.
func (l *loggers) preset(levels map[string]string) error {
	for name := range levels {
		l.get(name)
	}
	_, err := l.set(levels)
	return err
}

// apply takes over valid levels; mu is held.
func (l *loggers) apply(levels map[string]string) (changed []string, err error) {
	parsed := make(map[string]hclog.Level, len(levels))
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		level := hclog.LevelFromString(levels[name])
		if level == hclog.NoLevel {
			return nil, fmt.Errorf("unknown level %q for logger %q; levels: trace, debug, info, warn, error, off", levels[name], name)
		}
		parsed[name] = level
	}
	before := make(map[string]hclog.Level, len(l.made))
	for name := range l.made {
		before[name] = l.level(name)
	}
	maps.Copy(l.levels, parsed)
	for name, logger := range l.made {
		if now := l.level(name); now != before[name] {
			logger.SetLevel(now)
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

func (l *loggers) names() []string { return slices.Sorted(maps.Keys(l.made)) }

func (l *loggers) unknown(name string) error {
	return fmt.Errorf("unknown logger %q; loggers: %s", name, strings.Join(l.names(), ", "))
}
