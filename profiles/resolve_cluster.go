package profiles

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// cluster resolves the `controller.cluster` section.
func (l *loader) cluster(doc *document, cfg *ClusterConfig, p *Plan) *ClusterSettings {
	c := &ClusterSettings{
		Name: orElse(cfg.Name, p.Controller.Identifier), Listen: cfg.Listen, Routes: cfg.Routes, Replicas: cfg.Replicas, URL: cfg.URL,
		StoreDir: orElse(doc.abs(cfg.StoreDir), filepath.Join(p.Peer.StateDir, "cluster")),
		TLS:      doc.tls("controller.cluster.tls", cfg.TLS), Login: doc.login(cfg),
	}
	if err := checkName(c.Name); err != nil && cfg.Name != "" {
		doc.complain("controller.cluster.name", "%v", err)
	}
	doc.address("controller.cluster.listen", c.Listen)
	for i, route := range c.Routes {
		doc.address(fmt.Sprintf("controller.cluster.routes[%d]", i), route)
	}
	if !slices.Contains([]int{0, 1, 3, 5}, c.Replicas) {
		doc.complain("controller.cluster.replicas", "%d is not allowed: 3 or 5, or with url 1", c.Replicas)
	}
	switch {
	case c.URL != "":
		doc.elsewhere(c)
	case c.Login != (LoginFiles{}):
		key := c.Login.keys()[0]
		doc.complain("controller.cluster."+key, "%s needs url; controllers that are a cluster know each other by their certificates", key)
	case len(c.Routes) > 0 && c.Listen == "":
		doc.complain("controller.cluster.routes", "routes need listen, where the other controllers reach this one")
	case c.Listen != "" && len(c.Routes) == 0:
		doc.complain("controller.cluster.listen", "listen needs routes, where this controller reaches the others")
	case c.Listen != "":
		if c.TLS == (TLSFiles{}) {
			c.TLS = p.Controller.TLS
		}
		l.routeTLS(doc, c)
	}
	return c
}

// login resolves who this controller is to servers elsewhere: one of three ways.
func (doc *document) login(cfg *ClusterConfig) LoginFiles {
	in := LoginFiles{
		Credentials: doc.abs(cfg.Credentials), Nkey: doc.abs(cfg.Nkey),
		User: cfg.User, PasswordFile: doc.abs(cfg.PasswordFile),
	}
	switch keys := in.keys(); {
	case (in.User == "") != (in.PasswordFile == ""):
		doc.complain("controller.cluster."+keys[len(keys)-1], "user and passwordFile go together")
	case len(keys) > 1 && keys[0] != "user":
		doc.complain("controller.cluster."+keys[1], "%s is in the place of %s: leave one of them out", keys[1], keys[0])
	}
	return in
}

// keys are those that are set.
func (in LoginFiles) keys() (keys []string) {
	for _, one := range []struct{ key, value string }{
		{"credentials", in.Credentials}, {"nkey", in.Nkey}, {"user", in.User}, {"passwordFile", in.PasswordFile},
	} {
		if one.value != "" {
			keys = append(keys, one.key)
		}
	}
	return keys
}

// elsewhere checks what uses an existing cluster. A password is not to be quoted.
func (doc *document) elsewhere(c *ClusterSettings) {
	for one := range strings.SplitSeq(c.URL, ",") {
		if strings.Contains(one, "@") {
			doc.complain("controller.cluster.url", "a user or password in a URL is seen wherever the URL is; use user and passwordFile, nkey or credentials")
		} else if err := checkURL(one, "nats", "tls"); err != nil {
			doc.complain("controller.cluster.url", "%v", err)
		}
	}
	if c.Listen != "" || len(c.Routes) > 0 {
		doc.complain("controller.cluster.url", "url uses an existing cluster; listen and routes are for an own one")
	}
}

// routeTLS warns of routes in the clear, and refuses certificates that nobody
// could check.
func (l *loader) routeTLS(doc *document, c *ClusterSettings) {
	switch {
	case c.TLS.Certified() && !c.TLS.Trusting():
		doc.complain("controller.cluster", "the routes need a ca that the certificates of the other controllers descend from: set ca in controller.cluster.tls or controller.tls")
	case !c.TLS.Certified() && checkLoopback(c.Listen) != nil:
		at := doc.at("controller.cluster.listen")
		l.warnings = append(l.warnings, fmt.Sprintf("%s:%d:%d: controller.cluster.listen: %s is reachable from the network, and without tls anyone there can join the controllers and act on all peers", doc.file, at.line, at.column, c.Listen))
	}
}
