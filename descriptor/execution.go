package descriptor

import "strings"

func (r *reader) execution(e *element) *Execution {
	r.allow(e, "type subtype failover transaction",
		"ccp launchtype separate-process inmemory cps input-ports output-ports logmodules runtime-arguments")
	x := &Execution{
		Type:          Kind(r.integer(e, "type", 0, 0, 1)),
		Subtype:       attr(e, "subtype", ""),
		Failover:      r.boolean(e, "failover", true),
		Transaction:   r.boolean(e, "transaction", true),
		CCP:           r.ccp(e),
		LaunchType:    r.launchType(e),
		CPS:           r.cps(e),
		ExceptionPort: true,
	}
	r.executables(e, x)
	r.ports(e, x)
	x.LogModules = r.logModules(e)
	x.RuntimeArguments = r.arguments(e)
	return x
}

func (r *reader) ccp(parent *element) *CCPRange {
	e := r.one(parent, "ccp")
	if e == nil {
		return nil
	}
	r.allow(e, "min-version-supported max-version-supported", "")
	c := &CCPRange{Min: attr(e, "min-version-supported", "1.0"), Max: attr(e, "max-version-supported", "1.0")}
	low, err := ParseVersion(c.Min)
	if err != nil {
		r.fail(e, "min-version-supported: %v", err)
	}
	high, err := ParseVersion(c.Max)
	if err != nil {
		r.fail(e, "max-version-supported: %v", err)
	}
	if high.Less(low) {
		r.fail(e, "min-version-supported %s is above max-version-supported %s", c.Min, c.Max)
	}
	return c
}

func (r *reader) launchType(parent *element) LaunchType {
	l := LaunchType{Supported: LaunchSeparateProcess | LaunchInMemory, Preferred: LaunchSeparateProcess}
	e := r.one(parent, "launchtype")
	if e == nil {
		return l
	}
	r.allow(e, "supported preferred", "")
	all := int(LaunchSeparateProcess | LaunchInMemory | LaunchManual)
	l.Supported = LaunchKind(r.integer(e, "supported", int(l.Supported), 0, all))
	if _, said := e.attrs["preferred"]; !said && l.Supported&l.Preferred == 0 {
		l.Preferred = l.Supported.lowest()
	}
	l.Preferred = LaunchKind(r.integer(e, "preferred", int(l.Preferred), 0, int(LaunchManual)))
	if !l.Preferred.single() || l.Supported&l.Preferred != l.Preferred {
		r.fail(e, "preferred=%q is not one of the supported kinds (%s)", attr(e, "preferred", ""), l.Supported)
	}
	return l
}

// executables reads both and sees that each supported kind has its own.
func (r *reader) executables(parent *element, x *Execution) {
	if e := r.one(parent, "separate-process"); e != nil {
		r.allow(e, "executable workingDirectory", "")
		x.SeparateProcess = &SeparateProcess{Executable: r.required(e, "executable"), WorkingDirectory: attr(e, "workingDirectory", ".")}
	}
	inMemory := r.one(parent, "inmemory")
	if inMemory != nil {
		r.allow(inMemory, "executable", "")
		x.InMemory = &InMemory{Executable: r.required(inMemory, "executable")}
	}
	supported := x.LaunchType.Supported
	if supported&(LaunchSeparateProcess|LaunchManual) != 0 && x.SeparateProcess == nil {
		r.fail(parent, "launchtype supports %s, but there is no <separate-process executable=…>", supported)
	}
	if supported&LaunchInMemory != 0 && x.InMemory == nil {
		r.fail(parent, "launchtype supports inMemory, but there is no <inmemory executable=…>; say <launchtype supported=\"1\"/> where it cannot run in memory")
	}
	if supported&LaunchInMemory == 0 && inMemory != nil {
		r.warn(inMemory, "an in-memory executable is named, but launchtype does not support inMemory (%s)", supported)
	}
}

func (r *reader) cps(parent *element) *CPS {
	e := r.one(parent, "cps")
	if e == nil {
		return nil
	}
	r.allow(e, "mandatory inmemory-launchable", "launcher default-value")
	return &CPS{
		Mandatory:          r.boolean(e, "mandatory", true),
		InMemoryLaunchable: r.boolean(e, "inmemory-launchable", true),
		Launcher:           r.text(e, "launcher"),
		DefaultValue:       r.text(e, "default-value"),
	}
}

func (r *reader) ports(parent *element, x *Execution) {
	_, in := r.list(parent, "input-ports", "", "port")
	for _, e := range in {
		x.InputPorts = append(x.InputPorts, r.port(e))
	}
	box, out := r.list(parent, "output-ports", "exception-port", "port")
	if box != nil {
		x.ExceptionPort = r.boolean(box, "exception-port", true)
	}
	for _, e := range out {
		x.OutputPorts = append(x.OutputPorts, r.port(e))
	}
	name := func(e *element) string { return attr(e, "name", "") }
	r.unique(in, "input port", name)
	r.unique(out, "output port", name)
}

// logModules takes a module named twice once, with the last level: the field
// has such files and the original reads them.
func (r *reader) logModules(parent *element) []LogModule {
	_, elements := r.list(parent, "logmodules", "", "logmodule")
	var out []LogModule
	index := map[string]int{}
	for _, e := range elements {
		r.allow(e, "name level uniqueNameRequired", "")
		m := LogModule{
			Name:               r.required(e, "name"),
			Level:              strings.ToUpper(attr(e, "level", "SEVERE")),
			UniqueNameRequired: r.boolean(e, "uniqueNameRequired", true),
		}
		if _, err := NormalizeLevel(m.Level); err != nil {
			r.fail(e, "level: %v", err)
		}
		if i, twice := index[m.Name]; twice {
			r.warn(e, "the log module %q is listed twice; the last level, %s, counts", m.Name, m.Level)
			out[i] = m
			continue
		}
		index[m.Name] = len(out)
		out = append(out, m)
	}
	return out
}

func (r *reader) arguments(parent *element) []Argument {
	_, elements := r.list(parent, "runtime-arguments", "", "runtime-argument")
	var out []Argument
	for _, e := range elements {
		out = append(out, r.argument(e))
	}
	r.unique(elements, "runtime argument", func(e *element) string { return attr(e, "name", "") })
	return out
}

func (r *reader) argument(e *element) Argument {
	r.allow(e, "name type mandatory inmemory", "value")
	a := Argument{
		Name:      r.required(e, "name"),
		Mandatory: r.boolean(e, "mandatory", true),
		InMemory:  r.boolean(e, "inmemory", true),
		HasValue:  r.one(e, "value") != nil,
		Value:     r.text(e, "value"),
	}
	typ, err := parseArgumentType(attr(e, "type", "string"))
	if err != nil {
		r.fail(e, "type: %v", err)
	}
	a.Type = typ
	if a.HasValue && a.Value != "" {
		if err := a.Type.Check(a.Value); err != nil {
			r.fail(e, "the default of %q: %v", a.Name, err)
		}
	}
	return a
}
