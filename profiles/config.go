package profiles

// The types of this file and of config_component.go are the profile as it is
// written. Their tags are the single source of the decoder's checks, the
// defaults, the published JSON Schema and the reference in docs/profile.md.

// ProfileConfig is one profile file.
type ProfileConfig struct {
	Application ApplicationConfig           `json:"application,omitempty" jsonschema_description:"What this file's components belong to."`
	Peer        *PeerConfig                 `json:"peer,omitempty" jsonschema_description:"The daemon itself; in one file of a folder only."`
	Defaults    *ComponentConfig            `json:"defaults,omitempty" jsonschema_description:"Any component key; holds for every component of this file that does not say otherwise. Sections and maps are merged key by key, lists are replaced."`
	Connector   *ConnectorConfig            `json:"connector,omitempty" jsonschema_description:"Join a fleet; in one file of a folder only."`
	Controller  *ControllerConfig           `json:"controller,omitempty" jsonschema_description:"Be a controller; in one file of a folder only."`
	Groups      map[string]GroupConfig      `json:"groups,omitempty" jsonschema_description:"Supervision groups by name."`
	Components  map[string]*ComponentConfig `json:"components,omitempty" jsonschema_description:"The components by name. The order of the file is the order of the start where nothing else decides."`
}

// ApplicationConfig is the `application` section.
type ApplicationConfig struct {
	GUID    string `json:"guid,omitempty" jsonschema_description:"Default: the file's name. Letters, digits, '.', '-' and single '_'."`
	Version string `json:"version,omitempty" jsonschema:"default=1.0" jsonschema_description:"In quotes, for YAML takes 1.0 for a number."`
}

// PeerConfig is the `peer` section.
type PeerConfig struct {
	Name       string         `json:"name,omitempty" jsonschema_description:"Default: the host's name."`
	StateDir   string         `json:"stateDir,omitempty" jsonschema_description:"What must survive: journal, captured output. Default: /var/lib/peerd for root, else the XDG state folder."`
	RuntimeDir string         `json:"runtimeDir,omitempty" jsonschema_description:"Sockets and FIFOs. Default: /run/peerd for root, else the XDG runtime folder."`
	Socket     string         `json:"socket,omitempty" jsonschema_description:"The control API, a unix socket. Default: peerd.sock in runtimeDir."`
	Listen     string         `json:"listen,omitempty" jsonschema_description:"A loopback host:port for API, web page and metrics; empty: none."`
	LogLevel   Level          `json:"logLevel,omitempty" jsonschema:"default=info" jsonschema_description:"Of peerd's own log."`
	OnPeerExit string         `json:"onPeerExit,omitempty" jsonschema:"default=stop,enum=stop,enum=keep" jsonschema_description:"What SIGTERM to peerd does to the components. A crash always keeps them."`
	Access     []AccessConfig `json:"access,omitempty" jsonschema_description:"Who may use the control socket besides root and peerd's own user."`
}

// AccessConfig is one rule of `peer.access`: one of uid, gid, user and group.
type AccessConfig struct {
	UID   *uint32 `json:"uid,omitempty" jsonschema_description:"A user by number."`
	GID   *uint32 `json:"gid,omitempty" jsonschema_description:"A group by number."`
	User  string  `json:"user,omitempty" jsonschema_description:"A user by name."`
	Group string  `json:"group,omitempty" jsonschema_description:"A group by name."`
	Role  string  `json:"role" jsonschema:"required,enum=viewer,enum=operator,enum=admin" jsonschema_description:"viewer reads; operator starts and stops; admin changes the plan."`
}

// ConnectorConfig is the `connector` section.
type ConnectorConfig struct {
	TargetID  string    `json:"targetId" jsonschema:"required" jsonschema_description:"The address of this peer, or of several that stand in for each other."`
	Endpoints []string  `json:"endpoints" jsonschema:"required,minItems=1" jsonschema_description:"ws:// or wss:// URLs of controllers, tried in order."`
	TLS       TLSConfig `json:"tls,omitempty" jsonschema_description:"Certificates for wss."`
	Role      string    `json:"role,omitempty" jsonschema:"default=admin,enum=viewer,enum=operator,enum=admin" jsonschema_description:"What those may do here who come by way of a controller; the roles are those of peer.access."`
}

// ControllerConfig is the `controller` section.
type ControllerConfig struct {
	Identifier string         `json:"identifier,omitempty" jsonschema:"default=exchange" jsonschema_description:"Names this exchange in its management paths."`
	Listen     string         `json:"listen" jsonschema:"required" jsonschema_description:"host:port that connectors reach."`
	TLS        TLSConfig      `json:"tls,omitempty" jsonschema_description:"Certificates; without an own one the port speaks plain WebSocket."`
	Access     []PassConfig   `json:"access,omitempty" jsonschema_description:"Who may join and send what. Without a rule everybody whose certificate is trusted may do all; with any, only what one of them allows."`
	Cluster    *ClusterConfig `json:"cluster,omitempty" jsonschema_description:"Several controllers as one."`
}

// PassConfig is one rule of `controller.access`. A pattern is a literal, or ends
// in * and matches what begins like it.
type PassConfig struct {
	Names    []string `json:"names" jsonschema:"required,minItems=1" jsonschema_description:"Patterns of the common names of certificates."`
	Targets  []string `json:"targets" jsonschema:"required,minItems=1" jsonschema_description:"Patterns of targets that they may join as a connector, and send to."`
	Commands []string `json:"commands,omitempty" jsonschema_description:"Patterns of command types that they may send; none without."`
}

// ClusterConfig is the `controller.cluster` section.
type ClusterConfig struct {
	Name         string    `json:"name,omitempty" jsonschema_description:"The cluster's name, the same on all of its controllers. Default: the controller's identifier."`
	Listen       string    `json:"listen,omitempty" jsonschema_description:"host:port where the other controllers reach this one. Without it, and without url, the controller is alone."`
	Routes       []string  `json:"routes,omitempty" jsonschema_description:"host:port of the other controllers, two or four of them; this one's own may be among them."`
	Replicas     int       `json:"replicas,omitempty" jsonschema:"enum=1,enum=3,enum=5" jsonschema_description:"On how many servers all is kept. Default 3. With five controllers 5 lets any two of them fail; each durable write then waits for three disks instead of two."`
	StoreDir     string    `json:"storeDir,omitempty" jsonschema_description:"Where batches are kept. Default: cluster in stateDir."`
	URL          string    `json:"url,omitempty" jsonschema_description:"Use an existing NATS cluster instead: nats://host:4222, or tls://; several separated by commas."`
	TLS          TLSConfig `json:"tls,omitempty" jsonschema_description:"Certificates. With listen: of the routes; default those of controller.tls. The others must show a certificate of a server that descends from ca. With url: of the client."`
	Credentials  string    `json:"credentials,omitempty" jsonschema_description:"With url: file with the credentials of a NATS user (.creds)."`
	Nkey         string    `json:"nkey,omitempty" jsonschema_description:"With url, in the place of credentials: file with the seed of a NATS user's key."`
	User         string    `json:"user,omitempty" jsonschema_description:"With url, in the place of credentials: the NATS user that passwordFile is of."`
	PasswordFile string    `json:"passwordFile,omitempty" jsonschema_description:"File with the password of user; read at each connection."`
}

// TLSConfig names files of certificates and keys.
type TLSConfig struct {
	CA         string      `json:"ca,omitempty" jsonschema_description:"PEM: certificates that the other side must descend from."`
	Cert       string      `json:"cert,omitempty" jsonschema_description:"PEM: own certificate; needs key."`
	Key        string      `json:"key,omitempty" jsonschema_description:"PEM: own private key; needs cert."`
	KeyStore   StoreConfig `json:"keyStore,omitempty" jsonschema_description:"PKCS12: own certificate and key, in the place of cert and key."`
	TrustStore StoreConfig `json:"trustStore,omitempty" jsonschema_description:"PKCS12: in the place of ca."`
}

// StoreConfig names a PKCS12 file.
type StoreConfig struct {
	Path         string `json:"path,omitempty" jsonschema_description:"The file, of type PKCS12."`
	PasswordFile string `json:"passwordFile,omitempty" jsonschema_description:"File with its password; read each time the store is. None: the password is empty."`
}

// GroupConfig is one entry of `groups`.
type GroupConfig struct {
	Strategy  string   `json:"strategy,omitempty" jsonschema:"default=oneForOne,enum=oneForOne,enum=oneForAll,enum=restForOne" jsonschema_description:"Who restarts when one member ends: it alone, all, or it and those after it."`
	Intensity int      `json:"intensity,omitempty" jsonschema:"default=5,minimum=1,maximum=10000" jsonschema_description:"More restarts than this within period, and the group fails."`
	Period    Duration `json:"period,omitempty" jsonschema:"default=10s" jsonschema_description:"The window of intensity."`
	OnFailure string   `json:"onFailure,omitempty" jsonschema:"default=none,enum=none,enum=stopPeer" jsonschema_description:"What a failed group does to the peer."`
}
