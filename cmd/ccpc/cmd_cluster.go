package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// clusterCommand is about what controllers keep: their batches and primaries.
func (p *program) clusterCommand() *cli.Command {
	return &cli.Command{
		Name: "cluster", Usage: "look after what controllers keep", Action: p.cluster,
		ArgsUsage: "status [DIR] | snapshot FILE | migrate DIR | restore FILE DIR",
		Description: describe("A controller keeps its batches in a folder, alone or as a node of a cluster. A folder of one mode does not start in another. "+
			"status shows what DIR is or, without it, the running peer's controller. snapshot has the running peer write FILE on its own host, which disturbs nobody; with --dir it is of the folder of a controller that was alone and does not run. "+
			"migrate makes DIR, of a controller that was alone and does not run, one of another mode: its next start, as the profile says, restores every batch with its status, and the store as it was stays in DIR. "+
			"restore does so with a snapshot; of a cluster all controllers must be stopped, one restores, and the folders of the others have to be new.",
			"ccpc cluster snapshot /backup/east.snapshot",
			"ccpc cluster migrate --to clustered --name east --node controller-1 /var/lib/peerd/cluster",
			"ccpc cluster restore --to clustered --name east --node controller-1 /backup/east.snapshot /var/lib/peerd/cluster"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "`MODE` that the folder is to be of: standalone, clustered or external"},
			&cli.StringFlag{Name: "node", Usage: "`NAME` of the peer whose folder it is"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the cluster, with --to clustered"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` of a controller that does not run"},
		},
	}
}

func (p *program) cluster(c *cli.Context) error {
	if err := wantArgs(c, 1, 3); err != nil {
		return err
	}
	for _, verb := range []struct {
		name        string
		least, most int
		run         func(*cli.Context, []string) error
	}{
		{"status", 0, 1, p.clusterStatus},
		{"snapshot", 1, 1, p.clusterSnapshot},
		{"migrate", 1, 1, p.clusterMigrate},
		{"restore", 2, 2, p.clusterRestore},
	} {
		args := c.Args().Tail()
		switch {
		case verb.name != c.Args().First():
		case len(args) < verb.least || len(args) > verb.most:
			return usagef("cluster is one of %s: `ccpc cluster --help` shows examples", c.Command.ArgsUsage)
		default:
			return verb.run(c, args)
		}
	}
	return usagef("cluster knows no %q: it is one of %s", c.Args().First(), c.Command.ArgsUsage)
}

func (p *program) clusterStatus(c *cli.Context, args []string) error {
	if len(args) == 0 {
		return p.runningCluster(c)
	}
	f, err := cluster.Inspect(args[0])
	if err != nil {
		return control.Errorf(control.CodeNotFound, "%v", err)
	}
	return p.out.value(f, func() error {
		return p.out.rows(nil, [][]string{
			{"Mode", dash(f.Mode)},
			{"Cluster", dash(f.Cluster)},
			{"Node", dash(f.Node)},
			{"In use", yesNo(f.InUse)},
			{"To restore", dash(f.Pending)},
		})
	})
}

// runningCluster shows the cluster of the running peer's controller.
func (p *program) runningCluster(c *cli.Context) error {
	var s control.PeerStatus
	if err := call(c, control.OpStatus, nil, &s); err != nil {
		return err
	}
	if s.Controller == nil {
		return control.Errorf(control.CodeNotFound, "peer %s is no controller: its profile has no controller section", s.Peer)
	}
	return p.out.value(s.Controller, func() error {
		facts := [][]string{{"Controller", s.Controller.Identifier}}
		if cl := s.Controller.Cluster; cl != nil {
			facts = append(facts, []string{"Mode", cl.Mode}, []string{"Cluster", dash(cl.Name)}, []string{"Node", cl.Node}, []string{"There", strings.Join(cl.There, ", ")})
			for _, b := range cl.Buckets {
				facts = append(facts, []string{"Bucket " + b.Name, ledBy(b)})
			}
		}
		return p.out.rows(nil, append(facts, []string{"Trouble", dash(escape(s.Controller.Error, false))}))
	})
}

// ledBy tells who leads a bucket, and whose copies lag behind.
func ledBy(b control.BucketStatus) string {
	switch {
	case b.Leader == "":
		return "has no leader"
	case len(b.Behind) > 0:
		return "led by " + b.Leader + "; behind: " + strings.Join(b.Behind, ", ")
	}
	return "led by " + b.Leader
}

func (p *program) clusterSnapshot(c *cli.Context, args []string) error {
	file, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	var r control.SnapshotReply
	if dir := c.String("dir"); dir != "" {
		m, err := cluster.SnapshotFolder(c.Context, dir, file)
		if err != nil {
			return control.Errorf(control.CodeFailed, "%v", err)
		}
		r = control.SnapshotReply{Path: file, ID: m.ID, Taken: m.Taken, Buckets: m.Buckets}
	} else if err := call(c, control.OpSnapshot, control.SnapshotRequest{Path: file}, &r); err != nil {
		return err
	}
	return p.out.value(r, func() error {
		return p.out.printf("%s has %d buckets as of %s\n", r.Path, len(r.Buckets), r.Taken.Format(time.RFC3339))
	})
}

func (p *program) clusterMigrate(c *cli.Context, args []string) error {
	as, err := asOf(c)
	if err != nil {
		return err
	}
	kept, err := cluster.Migrate(c.Context, args[0], as)
	return p.moved(as, args[0], kept, err)
}

func (p *program) clusterRestore(c *cli.Context, args []string) error {
	as, err := asOf(c)
	if err != nil {
		return err
	}
	kept, err := cluster.Restore(args[0], args[1], as)
	return p.moved(as, args[1], kept, err)
}

// asOf is what the flags say that a folder is to be.
func asOf(c *cli.Context) (cluster.As, error) {
	as := cluster.As{Mode: c.String("to"), Cluster: c.String("name"), Node: c.String("node")}
	if as.Mode == "" || as.Node == "" {
		return as, usagef("%s needs --to MODE and --node NAME: `ccpc cluster --help` shows an example", c.Args().First())
	}
	return as, nil
}

// moved tells what became of a folder.
func (p *program) moved(as cluster.As, dir, kept string, err error) error {
	if err != nil {
		return control.Errorf(control.CodeFailed, "%v", err)
	}
	f, err := cluster.Inspect(dir)
	if err != nil {
		return err
	}
	return p.out.value(f, func() error {
		text := fmt.Sprintf("%s is %s now, and restores what it had at its next start", dir, as.Mode)
		if kept != "" {
			text += "; the store as it was is in " + kept
		}
		return p.out.printf("%s\n", text)
	})
}
