package profiles

import (
	"fmt"
	"path/filepath"
	"strings"
)

// cluster resolves the `controller.cluster` section.
func (l *loader) cluster(doc *document, cfg *ClusterConfig, p *Plan) *ClusterSettings {
	c := &ClusterSettings{
		Name: orElse(cfg.Name, p.Controller.Identifier), Listen: cfg.Listen, Routes: cfg.Routes, URL: cfg.URL,
		StoreDir: orElse(doc.abs(cfg.StoreDir), filepath.Join(p.Peer.StateDir, "cluster")),
		TLS:      doc.tls("controller.cluster.tls", cfg.TLS), Credentials: doc.abs(cfg.Credentials),
	}
	if err := checkName(c.Name); err != nil && cfg.Name != "" {
		doc.complain("controller.cluster.name", "%v", err)
	}
	doc.address("controller.cluster.listen", c.Listen)
	for i, route := range c.Routes {
		doc.address(fmt.Sprintf("controller.cluster.routes[%d]", i), route)
	}
	switch {
	case c.URL != "":
		doc.elsewhere(c)
	case c.Credentials != "":
		doc.complain("controller.cluster.credentials", "credentials are for url; controllers that are a cluster know each other by their certificates")
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

// elsewhere checks what uses an existing cluster.
func (doc *document) elsewhere(c *ClusterSettings) {
	for _, one := range strings.Split(c.URL, ",") {
		if err := checkURL(one, "nats", "tls"); err != nil {
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
