package profiles

import (
	"reflect"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/descriptor"
	"github.com/seed-04209a44/peerd/lifecycle"
)

// Plan is a resolved, validated, ordered, immutable set of Specs with the
// settings of the peer that runs them.
type Plan struct {
	Hash       string // of the whole normalised plan
	Peer       PeerSettings
	Groups     map[string]Group // by application/name
	Specs      []*Spec          // in start order; replicas expanded
	Warnings   []string         // oddities of descriptors, each naming its file
	Files      []string         // every file read: what a watcher must watch
	Connector  *ConnectorSettings
	Controller *ControllerSettings
}

// PeerSettings are the `peer` section with its defaults filled in.
type PeerSettings struct {
	Name       string
	StateDir   string
	RuntimeDir string
	Socket     string
	Listen     string
	LogLevel   string
	OnPeerExit string // "stop" | "keep"
	Access     []AccessRule
}

// Equal reports whether both say the same.
func (p PeerSettings) Equal(o PeerSettings) bool { return reflect.DeepEqual(p, o) }

// AccessRule grants a role to callers of the control socket.
type AccessRule struct {
	UID  *uint32
	GID  *uint32 // of `group`, resolved
	Role string  // viewer | operator | admin
}

// ConnectorSettings are the `connector` section (used by the exchange).
type ConnectorSettings struct {
	TargetID  string
	Endpoints []string
	TLS       TLSFiles
	Role      string // viewer | operator | admin: of those who come by way of a controller
}

// ControllerSettings are the `controller` section.
type ControllerSettings struct {
	Identifier string
	Listen     string
	TLS        TLSFiles
	Access     []Pass
	Cluster    *ClusterSettings
}

// Pass is one rule of who may join which targets and send what; see PassConfig.
type Pass struct{ Names, Targets, Commands []string }

// ClusterSettings are the `controller.cluster` section. With neither Listen nor
// URL the controller is alone.
type ClusterSettings struct {
	Name, Listen string
	Routes       []string
	Replicas     int // 0: 3
	StoreDir     string
	URL          string
	TLS          TLSFiles // of the routes, or of the client of URL
	Login        LoginFiles
}

// LoginFiles name with what a client of URL says who it is: Credentials, Nkey, or
// User and PasswordFile.
type LoginFiles struct {
	Credentials, Nkey, User, PasswordFile string
}

// TLSFiles name files of certificates and keys: PEM, or PKCS12 in their place.
type TLSFiles struct {
	CA, Cert, Key        string
	KeyStore, TrustStore StoreFiles
}

// StoreFiles name a PKCS12 file and, unless that is empty, its password's.
type StoreFiles struct{ Path, PasswordFile string }

// Certified reports whether they have an own certificate.
func (f TLSFiles) Certified() bool { return f.Cert != "" || f.KeyStore.Path != "" }

// Trusting reports whether they name authorities to trust.
func (f TLSFiles) Trusting() bool { return f.CA != "" || f.TrustStore.Path != "" }

// Group is a supervision group.
type Group struct {
	Strategy  string // oneForOne | oneForAll | restForOne
	Intensity int
	Period    time.Duration
	OnFailure string // none | stopPeer
}

// Spec is one resolved instance to run: everything about it, no reference to
// YAML. Specs are immutable; two equal Specs have equal Hash.
type Spec struct {
	Application Application
	Component   string // key in `components`
	Instance    int    // 1…replicas
	Replicas    int
	Name        string // component, or component#instance when Replicas > 1
	Address     string // orders__1_0__ticker
	Hash        string // of everything that needs a restart when it changes
	LiveHash    string // of everything that can change live

	Descriptor  *descriptor.Descriptor // nil: none
	Path        string                 // executable, absolute; inMemory: the name it is linked under; none: ""
	Args        []string               // argv without the executable
	CCP         bool
	CCPMin      string // version range the descriptor announces ("1.0"); "" without
	CCPMax      string
	LaunchMode  string // separateProcess | manual | inMemory | none
	Enabled     bool
	Group       string // as written; Plan.GroupOf gives its settings
	RunOn       string // any | primary
	DependsOn   []Dependency
	LaunchOrder int

	Arguments        map[string]string // runtime arguments after defaults and type check
	Config           map[string]any    // delivered as COMPONENT_CONFIGURATION
	Env              []string          // K=V: what is added to the allow-list, env files included
	Secrets          map[string]string // name → file; read at each launch, shown nowhere
	WorkingDirectory string
	User, OSGroup    string
	Loggers          map[string]string // level (trace debug info warn error off) by logger
	LaunchTimeout    time.Duration
	StopWait         time.Duration
	StopSignal       syscall.Signal
	Restart          lifecycle.RestartPolicy
	Ready            Ready
	Health           *Health
	Resources        Resources
	Sandbox          Sandbox
	Checksum         string
	Logs             Logs
	Schedule         string
	MissedRuns       string // skip | once
	OneShot          bool
	Forks            bool // the leader ends with 0, and the process it leaves is the instance
	Hooks            Hooks
	Watch            []string
}

// Application owns the components of one file.
type Application struct {
	GUID    string
	Version string
}

// Dependency is one edge of the start order.
type Dependency struct {
	On        string // component in the same application, or app/component
	Condition string // started | healthy | completed
	Soft      bool
}

// Check is one probe; at most one field is set.
type Check struct {
	Exec []string
	HTTP string
	TCP  string
	GRPC string
}

// Ready says when a plain process counts as started; at most one is set.
type Ready struct {
	Check
	FD           int // 0: none
	Notify       bool
	LogLine      string // regular expression
	StartSeconds time.Duration
}

// Health is the recurring check of a running instance.
type Health struct {
	Check
	CCP         bool
	Interval    time.Duration
	Timeout     time.Duration
	Failures    int
	StartPeriod time.Duration
	OnFailure   string // restart | none
}

// Resources bound an instance; zero is unlimited.
type Resources struct {
	Memory           int64
	CPU              float64
	Pids             int
	NoFile           uint64
	Nice             int
	OOMScoreAdj      *int
	MaxMemoryRestart int64
}

// Sandbox restricts an instance.
type Sandbox struct {
	NoNewPrivileges     bool
	ReadOnly, ReadWrite []string
	Capabilities        *[]string
}

// Logs bound the captured output.
type Logs struct {
	MaxSize  int64
	MaxFiles int
	MaxLine  int
}

// Hooks are argv lists run around start and stop, inside their budgets.
type Hooks struct{ PreStart, PostStart, PreStop, PostStop []string }
