package profiles

// ComponentConfig is one entry of `components`, or `defaults`.
type ComponentConfig struct {
	Descriptor string   `json:"descriptor,omitempty" jsonschema_description:"A ServiceDescriptor.xml; without one, command is needed."`
	Command    []string `json:"command,omitempty" jsonschema:"minItems=1" jsonschema_description:"Program and arguments; overrides the descriptor's executable. A program with a slash is relative to this file, one without is looked up in PATH."`
	CCP        *bool    `json:"ccp,omitempty" jsonschema_description:"Whether it speaks the Component Control Protocol. Default: what the descriptor says; false without one."`
	Launch     string   `json:"launch,omitempty" jsonschema:"enum=separateProcess,enum=inMemory,enum=manual,enum=none" jsonschema_description:"Default: what the descriptor prefers; separateProcess without one. manual: it waits until ccpc attach runs it in a terminal, as under a debugger, and is never started again by itself."`
	Enabled    bool     `json:"enabled,omitempty" jsonschema:"default=true" jsonschema_description:"false: known, not started."`
	Replicas   int      `json:"replicas,omitempty" jsonschema:"default=1,minimum=1,maximum=1000" jsonschema_description:"Instances name#1, name#2, …; a single one is simply name."`
	Group      string   `json:"group,omitempty" jsonschema_description:"One of groups."`
	RunOn      string   `json:"runOn,omitempty" jsonschema:"default=any,enum=any,enum=primary" jsonschema_description:"primary: only where this peer is primary."`

	DependsOn   DependsOnConfig `json:"dependsOn,omitempty" jsonschema_description:"What must be started, healthy or completed first: a list of names (started), a map {name: condition}, or {name: {condition, soft}}. A name is a component of this application or application/component."`
	LaunchOrder int             `json:"launchOrder,omitempty" jsonschema:"default=-1,minimum=-1000000,maximum=1000000" jsonschema_description:"0 and below: independent, first. Above: ascending, equal ones in parallel, each level after all earlier ones are started."`

	Arguments        map[string]ArgumentConfig `json:"arguments,omitempty" jsonschema_description:"The descriptor's runtime arguments, checked for name, type and presence."`
	Config           map[string]any            `json:"config,omitempty" jsonschema_description:"Any YAML; a CCP component receives it as COMPONENT_CONFIGURATION."`
	Env              map[string]Text           `json:"env,omitempty" jsonschema_description:"Environment variables on top of PATH, HOME, LANG, TZ and TMPDIR; nothing else of peerd's own environment is passed on."`
	EnvFile          []string                  `json:"envFile,omitempty" jsonschema_description:"Files of NAME=value lines; env comes after them."`
	Secrets          map[string]SecretConfig   `json:"secrets,omitempty" jsonschema_description:"Values read from files at each launch and shown nowhere: an environment variable, and part of a CCP component's configuration."`
	WorkingDirectory string                    `json:"workingDirectory,omitempty" jsonschema_description:"Default: what the descriptor says, relative to it; without one the folder of this file."`
	User             Text                      `json:"user,omitempty" jsonschema_description:"User name or number to run as."`
	OSGroup          Text                      `json:"osGroup,omitempty" jsonschema_description:"Group name or number to run as; group is the supervision group."`
	Loggers          map[string]Level          `json:"loggers,omitempty" jsonschema_description:"Log levels by logger, over the descriptor's logmodules."`

	LaunchTimeout         Duration      `json:"launchTimeout,omitempty" jsonschema:"default=30s" jsonschema_description:"From launch to started."`
	ComponentStopWaitTime Duration      `json:"componentStopWaitTime,omitempty" jsonschema:"default=10s" jsonschema_description:"The whole budget of a stop; what is left after it is killed by force."`
	StopSignal            Signal        `json:"stopSignal,omitempty" jsonschema:"default=SIGTERM" jsonschema_description:"Asks a process to stop."`
	Restart               RestartConfig `json:"restart,omitempty" jsonschema_description:"What follows an end that nobody asked for."`

	Ready     *ReadyConfig    `json:"ready,omitempty" jsonschema_description:"When a plain process counts as started; one key. Default: startSeconds 1s."`
	Health    *HealthConfig   `json:"health,omitempty" jsonschema_description:"The recurring check. Default for a CCP component: {ccp: true}; for a plain process none."`
	Resources ResourcesConfig `json:"resources,omitempty" jsonschema_description:"Limits; one that the platform cannot enforce keeps the component from starting."`
	Sandbox   SandboxConfig   `json:"sandbox,omitempty" jsonschema_description:"Restrictions; one that the platform cannot enforce keeps the component from starting."`
	Checksum  Checksum        `json:"checksum,omitempty" jsonschema_description:"Of the executable that is actually run."`
	Logs      LogsConfig      `json:"logs,omitempty" jsonschema_description:"Bounds of the captured output."`

	Schedule   Cron        `json:"schedule,omitempty" jsonschema_description:"Runs as a one-shot at these times: minute hour day month weekday, or @hourly and the like; CRON_TZ=Europe/Berlin in front chooses the time zone."`
	MissedRuns string      `json:"missedRuns,omitempty" jsonschema:"default=skip,enum=skip,enum=once" jsonschema_description:"What follows runs of schedule that fell due while no peer was there, the host slept or its clock jumped ahead: nothing, or one run for all of them."`
	Forks      bool        `json:"forks,omitempty" jsonschema:"default=false" jsonschema_description:"A plain program that puts itself into the background: it ends with 0, and the process it leaves is the instance."`
	OneShot    bool        `json:"oneShot,omitempty" jsonschema:"default=false" jsonschema_description:"A task that completes: exit 0 is its success."`
	Hooks      HooksConfig `json:"hooks,omitempty" jsonschema_description:"Programs run around start and stop, inside their budgets."`
	Watch      []string    `json:"watch,omitempty" jsonschema_description:"Files and folders; a change restarts the component. For development."`
}

// SecretConfig is one entry of `secrets`.
type SecretConfig struct {
	File string `json:"file" jsonschema:"required" jsonschema_description:"Holds the value; a final newline is dropped."`
}

// RestartConfig is the `restart` section.
type RestartConfig struct {
	Policy     string      `json:"policy,omitempty" jsonschema:"enum=always,enum=onFailure,enum=never" jsonschema_description:"Default: always; onFailure for a one-shot; never for a scheduled one."`
	ExitCodes  []int       `json:"exitCodes,omitempty" jsonschema_description:"onFailure: the codes (0 to 255) that count as failure. With signals empty too: all but 0."`
	Signals    []Signal    `json:"signals,omitempty" jsonschema_description:"onFailure: the signals that count as failure."`
	Delay      Duration    `json:"delay,omitempty" jsonschema:"default=1s" jsonschema_description:"Before the first restart."`
	Factor     float64     `json:"factor,omitempty" jsonschema:"default=2,minimum=1,maximum=100" jsonschema_description:"Each following delay is this many times longer."`
	MaxDelay   Duration    `json:"maxDelay,omitempty" jsonschema:"default=1m" jsonschema_description:"No delay is longer."`
	Jitter     float64     `json:"jitter,omitempty" jsonschema:"default=0.2,minimum=0,maximum=1" jsonschema_description:"The share of the delay that varies by chance."`
	ResetAfter Duration    `json:"resetAfter,omitempty" jsonschema:"default=1m" jsonschema_description:"A run this long starts the delays over."`
	Limit      LimitConfig `json:"limit,omitempty" jsonschema_description:"This many ends within that time, and it stays failed."`
}

// LimitConfig is the `restart.limit` section.
type LimitConfig struct {
	Count  int      `json:"count,omitempty" jsonschema:"default=5,minimum=0,maximum=1000000" jsonschema_description:"0: no limit."`
	Within Duration `json:"within,omitempty" jsonschema:"default=30s" jsonschema_description:"The window of count."`
}

// ReadyConfig is the `ready` section.
type ReadyConfig struct {
	Exec         []string `json:"exec,omitempty" jsonschema:"minItems=1" jsonschema_description:"A program; exit 0 passes."`
	HTTP         HTTPURL  `json:"http,omitempty" jsonschema_description:"A URL; 2xx and 3xx pass."`
	TCP          HostPort `json:"tcp,omitempty" jsonschema_description:"host:port; a connection passes."`
	GRPC         GRPCHost `json:"grpc,omitempty" jsonschema_description:"host:port or host:port/service; grpc.health.v1 SERVING passes."`
	FD           int      `json:"fd,omitempty" jsonschema:"minimum=3,maximum=255" jsonschema_description:"A newline on this file descriptor passes."`
	Notify       bool     `json:"notify,omitempty" jsonschema_description:"READY=1 on NOTIFY_SOCKET passes."`
	LogLine      Pattern  `json:"logLine,omitempty" jsonschema_description:"A line of output that matches this regular expression passes."`
	StartSeconds Duration `json:"startSeconds,omitempty" jsonschema_description:"Being alive this long passes."`
}

// HealthConfig is the `health` section.
type HealthConfig struct {
	Exec        []string `json:"exec,omitempty" jsonschema:"minItems=1" jsonschema_description:"A program; exit 0 passes."`
	HTTP        HTTPURL  `json:"http,omitempty" jsonschema_description:"A URL; 2xx and 3xx pass."`
	TCP         HostPort `json:"tcp,omitempty" jsonschema_description:"host:port; a connection passes."`
	GRPC        GRPCHost `json:"grpc,omitempty" jsonschema_description:"host:port or host:port/service; grpc.health.v1 SERVING passes."`
	CCP         *bool    `json:"ccp,omitempty" jsonschema_description:"HEALTH_CHECK on the component's channel; default where it is a CCP component and nothing else is named. false: no check."`
	Interval    Duration `json:"interval,omitempty" jsonschema:"default=10s" jsonschema_description:"Between the end of one check and the next."`
	Timeout     Duration `json:"timeout,omitempty" jsonschema:"default=2s" jsonschema_description:"Of each check."`
	Failures    int      `json:"failures,omitempty" jsonschema:"default=3,minimum=1,maximum=1000" jsonschema_description:"Consecutive ones until it is unhealthy."`
	StartPeriod Duration `json:"startPeriod,omitempty" jsonschema:"default=10s" jsonschema_description:"Failures this early do not count."`
	OnFailure   string   `json:"onFailure,omitempty" jsonschema:"default=restart,enum=restart,enum=none" jsonschema_description:"What being unhealthy leads to."`
}

// ResourcesConfig is the `resources` section; 0 is unlimited.
type ResourcesConfig struct {
	Memory           Size    `json:"memory,omitempty" jsonschema_description:"Of the whole tree; beyond it the kernel ends it."`
	CPU              float64 `json:"cpu,omitempty" jsonschema:"minimum=0,maximum=4096" jsonschema_description:"In CPUs: 0.5 is half of one."`
	Pids             int     `json:"pids,omitempty" jsonschema:"minimum=0,maximum=4194304" jsonschema_description:"Processes and threads of the whole tree."`
	NoFile           uint64  `json:"nofile,omitempty" jsonschema:"minimum=0,maximum=1073741816" jsonschema_description:"Open files of each process."`
	Nice             int     `json:"nice,omitempty" jsonschema:"minimum=-20,maximum=19" jsonschema_description:"Scheduling priority; higher yields more."`
	OOMScoreAdj      *int    `json:"oomScoreAdj,omitempty" jsonschema:"minimum=-1000,maximum=1000" jsonschema_description:"Who goes first when memory runs out; higher goes earlier."`
	MaxMemoryRestart Size    `json:"maxMemoryRestart,omitempty" jsonschema_description:"Restart in order when the tree uses more."`
}

// SandboxConfig is the `sandbox` section.
type SandboxConfig struct {
	NoNewPrivileges bool          `json:"noNewPrivileges,omitempty" jsonschema_description:"No set-user-id program gives more rights."`
	ReadOnly        []string      `json:"readOnly,omitempty" jsonschema_description:"With readWrite: the only paths it sees; these cannot be written."`
	ReadWrite       []string      `json:"readWrite,omitempty" jsonschema_description:"Paths it may write."`
	Capabilities    *[]Capability `json:"capabilities,omitempty" jsonschema_description:"All it keeps; [] is none."`
}

// LogsConfig is the `logs` section.
type LogsConfig struct {
	MaxSize  Size `json:"maxSize,omitempty" jsonschema:"default=10MiB" jsonschema_description:"Of one file; then it is rotated."`
	MaxFiles int  `json:"maxFiles,omitempty" jsonschema:"default=4,minimum=1,maximum=1000" jsonschema_description:"Files kept for each stream."`
	MaxLine  Size `json:"maxLine,omitempty" jsonschema:"default=64KiB" jsonschema_description:"A longer line is split and marked."`
}

// HooksConfig is the `hooks` section; each is a program with its arguments.
type HooksConfig struct {
	PreStart  []string `json:"preStart,omitempty" jsonschema:"minItems=1" jsonschema_description:"Before the launch; a failure fails the start."`
	PostStart []string `json:"postStart,omitempty" jsonschema:"minItems=1" jsonschema_description:"After it is started."`
	PreStop   []string `json:"preStop,omitempty" jsonschema:"minItems=1" jsonschema_description:"Before it is asked to stop."`
	PostStop  []string `json:"postStop,omitempty" jsonschema:"minItems=1" jsonschema_description:"After it is gone."`
}
