package houserules

const module = "github.com/seed-04209a44/peerd"

// floors says on which floor each room is. A room may import the rooms of the
// floors below its own; a package belongs to the room with the longest name
// that is a prefix of its path.
var floors = map[string]int{
	"cmd/peerd": 5, "cmd/peerd-keeper": 5, "cmd/ccpc": 5, "cmd/internal": 5, "samples": 5, "acceptance": 5,

	"peer": 4, "component": 4, "api": 4,

	"supervisor": 3, "controller": 3, "handshake": 3,

	"ccp": 2, "profiles": 2, "descriptor": 2, "control": 2, "probe": 2, "keeper": 2, "scaffold": 2, "standin": 2,
	"exchange/stream": 2, "exchange/websocket": 2, "exchange/unix": 2, "exchange/cluster": 2,

	"lifecycle": 1, "exchange": 1, "journal": 1, "process": 1, "logs": 1, "notify": 1, "internal/version": 1, "internal/loopback": 1,
}

// neighbours are the imports allowed on one floor, each with its reason.
var neighbours = map[[2]string]string{
	{"profiles", "descriptor"}:    "a profile names descriptors, and resolving it reads them",
	{"keeper", "exchange/unix"}:   "the keeper's two sides talk over it, and over nothing else",
	{"peer", "api"}:               "the composition root serves its own API",
	{"cmd/peerd", "cmd/internal"}: "what both programs share",
	{"cmd/ccpc", "cmd/internal"}:  "what both programs share",
}

// confined says which libraries only some rooms may import, and why.
var confined = []struct {
	library string
	rooms   []string
	why     string
}{
	{
		"github.com/hashicorp/go-plugin",
		[]string{"handshake"},
		"its policies (kill, logging, reading of stdout) are not ours, see docs/adr/0002",
	},
	{
		"gopkg.in/yaml.v3",
		[]string{"profiles", "cmd/ccpc"},
		"beyond the profile everything is typed; ccpc prints YAML",
	},
	{
		"go.yaml.in/yaml/v4",
		[]string{"profiles", "cmd/ccpc"},
		"beyond the profile everything is typed; ccpc prints YAML",
	},
	{
		"go.etcd.io/bbolt",
		[]string{"journal"},
		"one room knows how durable things are stored, see docs/adr/0004",
	},
	{
		"github.com/nats-io",
		[]string{"exchange/cluster"},
		"the engine sits behind one small interface, see docs/adr/0005",
	},
	{
		"github.com/urfave/cli/v2",
		[]string{"cmd/peerd", "cmd/ccpc", "cmd/internal", "samples"},
		"a command line is the edge of the house",
	},
	{
		"google.golang.org/grpc",
		[]string{"handshake", "exchange/stream", "component", "probe"},
		"what is said on a channel does not depend on the transport; probes speak grpc.health",
	},
	{
		"golang.org/x/sys/unix",
		[]string{"process", "journal", "logs", "keeper", "probe", "notify", "handshake", "profiles", "peer", "api", "standin"},
		"syscalls have few doors; peer credentials and file locks are asked for where the socket or file is",
	},
}

// small is what the programs that must stay small are made of, beside the
// standard library: rooms and libraries.
var small = map[string][]string{
	"cmd/peerd-keeper": {"keeper", "process", "logs", "exchange", "exchange/unix", "notify", "internal/version", "golang.org/x/sys"},
}

// pure rooms import these packages and nothing else: no clock to read, no
// goroutine to start, nothing to log to.
var pure = map[string][]string{
	"lifecycle": {"fmt", "math", "slices", "strings", "time"},
}

// ground is what rooms of floor 1 may import beside the standard library.
var ground = []string{"golang.org/x/sys", "go.etcd.io/bbolt"}
