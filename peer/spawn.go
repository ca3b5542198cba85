package peer

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/standin"
	"github.com/seed-04209a44/peerd/supervisor"
)

// treeName is the name of an instance's process tree on this host: no other
// peer's.
func (l *launcher) treeName(k supervisor.Key) string {
	return l.tag + "-" + k.Application + "-" + k.Name
}

// allowed are the peer's own variables that a component gets.
var allowed = []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR"}

// environment is what every process of the instance gets: the allow-list and
// what the profile adds.
func (g *generation) environment() []string {
	env := make([]string, 0, len(allowed)+len(g.spec.Env)+4)
	for _, name := range allowed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, g.spec.Env...)
}

// processSpec is how the component is spawned. extra are further variables.
func (g *generation) processSpec(ready *readiness, dir string) (process.Spec, error) {
	env := g.environment()
	s := g.spec
	if s.CCP {
		host := handshake.Host{Dir: dir}
		if err := host.Check(); err != nil {
			return process.Spec{}, err
		}
		env = append(env, host.Env()...)
	} else {
		secrets, err := readSecrets(s)
		if err != nil {
			return process.Spec{}, err
		}
		for _, name := range slices.Sorted(maps.Keys(secrets)) {
			env = append(env, name+"="+secrets[name])
		}
		env = append(env, ready.env()...)
	}
	path, argv := s.Path, append([]string{s.Path}, s.Args...)
	if g.isManual() {
		path, argv = g.l.program, standin.Args(dir, s.Path, s.Args)
	}
	return process.Spec{
		Path: path, Args: argv, Env: env, Dir: s.WorkingDirectory,
		Name: g.l.treeName(supervisor.KeyOf(s)), User: s.User, Group: s.OSGroup,
		Limits: limitsOf(s),
		Sandbox: process.Sandbox{
			NoNewPrivileges: s.Sandbox.NoNewPrivileges, ReadOnly: s.Sandbox.ReadOnly,
			ReadWrite: s.Sandbox.ReadWrite, Capabilities: s.Sandbox.Capabilities,
		},
		Checksum: s.Checksum,
	}, nil
}

func limitsOf(s *profiles.Spec) process.Limits {
	r := s.Resources
	return process.Limits{Memory: r.Memory, CPU: r.CPU, Pids: r.Pids, NoFile: r.NoFile, Nice: r.Nice, OOMScoreAdj: r.OOMScoreAdj}
}

// descriptorGate is the first version gate: what the descriptor announces must
// meet what this peer speaks.
func descriptorGate(s *profiles.Spec) error {
	if !s.CCP || s.CCPMin == "" {
		return nil
	}
	theirs, err := handshake.Parse(s.CCPMin, s.CCPMax)
	if err != nil {
		return fmt.Errorf("the descriptor's ccp element: %w", err)
	}
	_, err = handshake.Agree(handshake.GateDescriptor, handshake.Supported(), theirs)
	return err
}

// maxSecret bounds a secret's file.
const maxSecret = 64 << 10

// readSecrets reads the files of the instance's secrets, now: a changed secret
// is met by the next launch.
func readSecrets(s *profiles.Spec) (map[string]string, error) {
	out := make(map[string]string, len(s.Secrets))
	for name, file := range s.Secrets {
		b, err := os.ReadFile(file)
		switch {
		case err != nil:
			return nil, fmt.Errorf("cannot read secret %s: %w", name, err)
		case len(b) > maxSecret:
			return nil, fmt.Errorf("cannot use secret %s: %s has %d bytes, at most %d are allowed", name, file, len(b), maxSecret)
		}
		out[name] = strings.TrimSuffix(string(b), "\n")
	}
	return out, nil
}

// portsOf are the ports that the descriptor declares.
func portsOf(s *profiles.Spec) ccp.Ports {
	ports := ccp.Ports{Input: []ccp.Port{}, Output: []ccp.Port{}}
	if s.Descriptor == nil || s.Descriptor.Execution == nil {
		return ports
	}
	for _, p := range s.Descriptor.Execution.InputPorts {
		ports.Input = append(ports.Input, ccp.Port{Name: p.Name, RequestReply: p.RequestReply, Description: p.Description})
	}
	for _, p := range s.Descriptor.Execution.OutputPorts {
		ports.Output = append(ports.Output, ccp.Port{Name: p.Name, RequestReply: p.RequestReply, Description: p.Description})
	}
	return ports
}

// propertiesOf are the runtime arguments as manageable properties.
func propertiesOf(s *profiles.Spec) []ccp.Property {
	props := []ccp.Property{}
	for _, name := range slices.Sorted(maps.Keys(s.Arguments)) {
		props = append(props, ccp.Property{Name: name, Value: s.Arguments[name], Type: "string", ConfigType: "runtime-argument"})
	}
	return props
}

func join(sentences []string) string { return strings.Join(sentences, "; ") }

// describeMembers names what is left of a tree.
func describeMembers(left []process.Member) string {
	words := make([]string, len(left))
	for i, m := range left {
		words[i] = fmt.Sprintf("pid %d (%s, state %s)", m.Pid, m.Command, m.State)
	}
	return strings.Join(words, ", ")
}
