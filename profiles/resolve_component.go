package profiles

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/descriptor"
)

// loadedDescriptor is a descriptor read once, however many components use it.
type loadedDescriptor struct {
	d   *descriptor.Descriptor
	err error
}

// describe reads the component's descriptor, if it names one.
func (l *loader) describe(c *component) *descriptor.Descriptor {
	if c.cfg.Descriptor == "" {
		return nil
	}
	path := c.doc.abs(c.cfg.Descriptor)
	loaded, known := l.descriptors[path]
	if !known {
		loaded = l.readDescriptor(path, c.doc.shown(c.cfg.Descriptor))
		l.descriptors[path] = loaded
	}
	if loaded.err != nil {
		c.complain("descriptor", "%v", loaded.err)
		return nil
	}
	if os := loaded.d.Deployment.OS; !os.Allows(l.opts.GOOS) {
		c.complain("descriptor", "%s is for %s; this is %s", loaded.d.GUID, os, l.opts.GOOS)
	}
	return loaded.d
}

func (l *loader) readDescriptor(path, shown string) loadedDescriptor {
	data, err := l.read(path)
	if err != nil {
		return loadedDescriptor{err: err}
	}
	d, warnings, err := descriptor.Parse(bytes.NewReader(data), shown)
	l.warnings = append(l.warnings, warnings...)
	return loadedDescriptor{d: d, err: err}
}

// specs resolves one component into its instances; with a fault, into none.
func (l *loader) specs(c *component, p *Plan) []*Spec {
	before := len(c.doc.errs)
	s := l.spec(c, p)
	if s == nil || !c.ok || len(c.doc.errs) > before {
		return nil
	}
	return s.instances(c.cfg.Replicas)
}

// spec resolves everything but the instance's own name.
func (l *loader) spec(c *component, p *Plan) *Spec {
	d := l.describe(c)
	if c.cfg.Descriptor != "" && d == nil {
		return nil
	}
	cfg := c.cfg
	s := &Spec{
		Application: c.doc.app, Component: c.name, Replicas: cfg.Replicas, Descriptor: d,
		Enabled: cfg.Enabled, Group: cfg.Group, RunOn: cfg.RunOn, LaunchOrder: cfg.LaunchOrder,
		Config: cfg.Config, User: string(cfg.User), OSGroup: string(cfg.OSGroup),
		LaunchTimeout: time.Duration(cfg.LaunchTimeout), StopWait: time.Duration(cfg.ComponentStopWaitTime),
		StopSignal: syscall.Signal(cfg.StopSignal), Checksum: string(cfg.Checksum),
		Schedule: string(cfg.Schedule), MissedRuns: cfg.MissedRuns, OneShot: cfg.OneShot || cfg.Schedule != "", Forks: cfg.Forks,
		Watch: c.absAll(cfg.Watch),
		Hooks: Hooks{PreStart: cfg.Hooks.PreStart, PostStart: cfg.Hooks.PostStart, PreStop: cfg.Hooks.PreStop, PostStop: cfg.Hooks.PostStop},
	}
	c.protocol(s)
	c.launchMode(s)
	l.environment(c, s)
	c.arguments(s)
	l.command(c, s)
	c.workingDirectory(s)
	c.loggers(s)
	c.supervision(s, p)
	c.checks(s)
	c.limits(s)
	return s
}

// protocol decides whether the component speaks CCP, and in which versions.
func (c *component) protocol(s *Spec) {
	var announced *descriptor.CCPRange
	if s.Descriptor != nil {
		announced = s.Descriptor.CCP()
	}
	s.CCP = announced != nil
	if c.cfg.CCP != nil {
		s.CCP = *c.cfg.CCP
	}
	if s.CCP && announced != nil {
		s.CCPMin, s.CCPMax = announced.Min, announced.Max
	}
}

func (c *component) launchMode(s *Spec) {
	s.LaunchMode = c.cfg.Launch
	if s.Descriptor == nil {
		s.LaunchMode = orElse(s.LaunchMode, "separateProcess")
	} else if s.Descriptor.Execution == nil {
		c.complain("descriptor", "%s describes a library (no <execution>); there is nothing to run", s.Descriptor.GUID)
		return
	} else {
		launch := s.Descriptor.Execution.LaunchType
		s.LaunchMode = orElse(s.LaunchMode, launch.Preferred.String())
		if !s.Descriptor.Supports(s.LaunchMode) {
			c.complain("launch", "%s is not supported by %s; its descriptor allows %s", s.LaunchMode, s.Descriptor.GUID, launch.Supported)
		}
	}
	if !s.CCP && (s.LaunchMode == "inMemory" || s.LaunchMode == "manual") {
		c.complain("launch", "%s is for CCP components; a plain process is launched as separateProcess", s.LaunchMode)
	}
}

// command finds what is executed. A program that is not there is a warning: it
// may be built or installed before it is started.
func (l *loader) command(c *component, s *Spec) {
	switch {
	case s.LaunchMode == "none":
		return
	case s.LaunchMode == "inMemory":
		s.Path = c.name
		if s.Descriptor != nil && s.Descriptor.Execution != nil && s.Descriptor.Execution.InMemory != nil {
			s.Path = s.Descriptor.Execution.InMemory.Executable
		}
		return
	}
	found := true
	switch {
	case len(c.cfg.Command) > 0:
		s.Path, found = l.program(c, s, c.cfg.Command[0])
		s.Args = append([]string(nil), c.cfg.Command[1:]...)
	case s.Descriptor == nil:
		c.complain("", "neither descriptor nor command is given; one of them says what to run")
		return
	case s.Descriptor.Execution == nil || s.Descriptor.Execution.SeparateProcess == nil:
		return
	default:
		x := s.Descriptor.Execution
		if x.Type == descriptor.Java {
			c.complain("command", "%s describes a Java class (execution type 0); say how to run it: command: [java, -cp, …, %s]", s.Descriptor.GUID, x.SeparateProcess.Executable)
			return
		}
		s.Path = filepath.Join(c.descriptorDir(), x.SeparateProcess.Executable)
		if filepath.IsAbs(x.SeparateProcess.Executable) {
			s.Path = x.SeparateProcess.Executable
		}
	}
	if err := l.disk.executable(s.Path); found && err != nil {
		l.warn(c, "command", "%s %v", s.Path, err)
	}
	if !s.CCP {
		s.Args = append(s.Args, argumentPairs(s)...)
	}
}

func (l *loader) warn(c *component, field, format string, args ...any) {
	path := c.field(field)
	at := c.doc.at(path)
	l.warnings = append(l.warnings, fmt.Sprintf("%s:%d:%d: %s: %s", c.doc.file, at.line, at.column, path, fmt.Sprintf(format, args...)))
}

// program resolves command[0]: relative to the profile when it has a slash,
// else in the component's PATH.
func (l *loader) program(c *component, s *Spec, name string) (path string, found bool) {
	if name == "" || strings.ContainsRune(name, 0) {
		c.complain("command[0]", "%q is no program", name)
		return name, false
	}
	if strings.Contains(name, "/") {
		return c.doc.abs(name), true
	}
	search, _ := l.opts.Env("PATH")
	for _, kv := range s.Env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = value
		}
	}
	for _, dir := range filepath.SplitList(search) {
		if filepath.IsAbs(dir) && l.disk.executable(filepath.Join(dir, name)) == nil {
			return filepath.Join(dir, name), true
		}
	}
	l.warn(c, "command[0]", "%s is not in PATH (%s)", name, clip(search))
	return name, false
}

// argumentPairs hand a plain process its runtime arguments as the original
// does: -name value. JVM_PARAMS is for the launcher, never for the program.
func argumentPairs(s *Spec) []string {
	var pairs []string
	if s.Descriptor == nil {
		return nil
	}
	for _, a := range s.Descriptor.Arguments() {
		if value, ok := s.Arguments[a.Name]; ok && a.Name != "JVM_PARAMS" {
			pairs = append(pairs, "-"+a.Name, value)
		}
	}
	return pairs
}

func (c *component) descriptorDir() string { return filepath.Dir(c.doc.abs(c.cfg.Descriptor)) }

func (c *component) absAll(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, c.doc.abs(p))
	}
	return out
}

func (c *component) workingDirectory(s *Spec) {
	s.WorkingDirectory = c.doc.dir
	if d := s.Descriptor; d != nil && d.Execution != nil && d.Execution.SeparateProcess != nil {
		s.WorkingDirectory = d.Execution.SeparateProcess.WorkingDirectory
		if !filepath.IsAbs(s.WorkingDirectory) {
			s.WorkingDirectory = filepath.Join(c.descriptorDir(), s.WorkingDirectory)
		}
	}
	if c.cfg.WorkingDirectory != "" {
		s.WorkingDirectory = c.doc.abs(c.cfg.WorkingDirectory)
	}
}

// arguments holds the runtime arguments against the descriptor.
func (c *component) arguments(s *Spec) {
	if s.Descriptor == nil {
		if len(c.cfg.Arguments) > 0 {
			c.complain("arguments", "arguments are the runtime arguments of a descriptor, and none is given; put them into command or config")
		}
		return
	}
	given := make(map[string]string, len(c.cfg.Arguments))
	for name, value := range c.cfg.Arguments {
		given[name] = string(value)
	}
	out, faults := s.Descriptor.CheckArguments(given)
	for _, fault := range faults {
		c.complain("arguments."+fault.Name, "%s", fault.Message)
	}
	s.Arguments = out
}

// loggers are the descriptor's, with the profile's levels over them.
func (c *component) loggers(s *Spec) {
	s.Loggers = map[string]string{}
	if s.Descriptor != nil {
		for name, level := range s.Descriptor.Loggers() {
			s.Loggers[name] = level
		}
	}
	for name, level := range c.cfg.Loggers {
		s.Loggers[name] = string(level)
	}
}
