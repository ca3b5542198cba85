package profiles

// effect says how a changed field reaches a running instance.
type effect uint8

const (
	needsRestart effect = iota // it is given to the process when it starts
	changesLive                // peerd itself acts on it, or can set it on what runs
)

// specField ties a profile key to its part of a Spec.
type specField struct {
	key    string
	effect effect
	get    func(*Spec) any
}

// specFields are all keys of a component, with what they resolve to: the one
// table behind Hash, LiveHash and Change.Fields.
var specFields = []specField{
	{"application", needsRestart, func(s *Spec) any { return s.Application }},
	{"descriptor", needsRestart, descriptorIdentity},
	{"command", needsRestart, func(s *Spec) any { return []any{s.Path, s.Args} }},
	{"ccp", needsRestart, func(s *Spec) any { return []any{s.CCP, s.CCPMin, s.CCPMax} }},
	{"launch", needsRestart, func(s *Spec) any { return s.LaunchMode }},
	{"arguments", needsRestart, func(s *Spec) any { return s.Arguments }},
	{"config", needsRestart, func(s *Spec) any { return s.Config }},
	{"env", needsRestart, func(s *Spec) any { return s.Env }},
	{"secrets", needsRestart, func(s *Spec) any { return s.Secrets }},
	{"workingDirectory", needsRestart, func(s *Spec) any { return s.WorkingDirectory }},
	{"user", needsRestart, func(s *Spec) any { return s.User }},
	{"osGroup", needsRestart, func(s *Spec) any { return s.OSGroup }},
	{"ready", needsRestart, func(s *Spec) any { return s.Ready }},
	{"forks", needsRestart, func(s *Spec) any { return s.Forks }},
	{"oneShot", needsRestart, func(s *Spec) any { return s.OneShot }},
	{"sandbox", needsRestart, func(s *Spec) any { return s.Sandbox }},
	{"checksum", needsRestart, func(s *Spec) any { return s.Checksum }},
	{"logs", needsRestart, func(s *Spec) any { return s.Logs }},
	{"resources.nofile", needsRestart, func(s *Spec) any { return s.Resources.NoFile }},
	{"resources.nice", needsRestart, func(s *Spec) any { return s.Resources.Nice }},
	{"resources.oomScoreAdj", needsRestart, func(s *Spec) any { return s.Resources.OOMScoreAdj }},

	{"resources.memory", changesLive, func(s *Spec) any { return s.Resources.Memory }},
	{"resources.cpu", changesLive, func(s *Spec) any { return s.Resources.CPU }},
	{"resources.pids", changesLive, func(s *Spec) any { return s.Resources.Pids }},
	{"resources.maxMemoryRestart", changesLive, func(s *Spec) any { return s.Resources.MaxMemoryRestart }},
	{"enabled", changesLive, func(s *Spec) any { return s.Enabled }},
	{"replicas", changesLive, func(s *Spec) any { return s.Replicas }},
	{"group", changesLive, func(s *Spec) any { return s.Group }},
	{"runOn", changesLive, func(s *Spec) any { return s.RunOn }},
	{"dependsOn", changesLive, func(s *Spec) any { return s.DependsOn }},
	{"launchOrder", changesLive, func(s *Spec) any { return s.LaunchOrder }},
	{"loggers", changesLive, func(s *Spec) any { return s.Loggers }},
	{"launchTimeout", changesLive, func(s *Spec) any { return s.LaunchTimeout }},
	{"componentStopWaitTime", changesLive, func(s *Spec) any { return s.StopWait }},
	{"stopSignal", changesLive, func(s *Spec) any { return s.StopSignal }},
	{"restart", changesLive, func(s *Spec) any { return s.Restart }},
	{"health", changesLive, func(s *Spec) any { return s.Health }},
	{"schedule", changesLive, func(s *Spec) any { return s.Schedule }},
	{"missedRuns", changesLive, func(s *Spec) any { return s.MissedRuns }},
	{"hooks", changesLive, func(s *Spec) any { return s.Hooks }},
	{"watch", changesLive, func(s *Spec) any { return s.Watch }},
}

// descriptorIdentity is what of a descriptor the process itself is given; its
// other parts show up in the fields they resolve to, or only describe.
func descriptorIdentity(s *Spec) any {
	d := s.Descriptor
	if d == nil {
		return nil
	}
	id := []any{d.GUID, d.Version}
	if d.Execution != nil {
		id = append(id, d.Execution.InputPorts, d.Execution.OutputPorts)
	}
	return id
}

// fields are the values of one effect in the order of the table.
func (s *Spec) fields(e effect) []any {
	var out []any
	for _, f := range specFields {
		if f.effect == e {
			out = append(out, f.get(s))
		}
	}
	return out
}
