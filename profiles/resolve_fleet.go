package profiles

import (
	"fmt"
	"net"
	"net/url"
)

func (l *loader) connector(p *Plan) {
	doc := l.section("connector")
	if doc == nil || doc.cfg.Connector == nil {
		return
	}
	cfg := doc.cfg.Connector
	if cfg.TargetID != "" {
		if err := checkName(cfg.TargetID); err != nil {
			doc.complain("connector.targetId", "%v", err)
		}
	}
	for i, endpoint := range cfg.Endpoints {
		if err := checkURL(endpoint, "wss", "ws"); err != nil {
			doc.complain(fmt.Sprintf("connector.endpoints[%d]", i), "%v", err)
			continue
		}
		l.warnPlain(doc, fmt.Sprintf("connector.endpoints[%d]", i), endpoint)
	}
	p.Connector = &ConnectorSettings{
		TargetID: cfg.TargetID, Endpoints: cfg.Endpoints, TLS: doc.tls("connector.tls", cfg.TLS),
		Role: orElse(cfg.Role, "admin"),
	}
}

// warnPlain warns of a controller that is reached over the network without TLS.
func (l *loader) warnPlain(doc *document, path, endpoint string) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "ws" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
		return
	}
	at := doc.at(path)
	l.warnings = append(l.warnings, fmt.Sprintf("%s:%d:%d: %s: %s is not encrypted, and whoever is on the way can act on this peer: use wss with tls", doc.file, at.line, at.column, path, endpoint))
}

func (l *loader) controller(p *Plan) {
	doc := l.section("controller")
	if doc == nil || doc.cfg.Controller == nil {
		return
	}
	cfg := doc.cfg.Controller
	if err := checkName(orElse(cfg.Identifier, "exchange")); err != nil {
		doc.complain("controller.identifier", "%v", err)
	}
	doc.address("controller.listen", cfg.Listen)
	p.Controller = &ControllerSettings{Identifier: orElse(cfg.Identifier, "exchange"), Listen: cfg.Listen, TLS: doc.tls("controller.tls", cfg.TLS)}
	for _, r := range cfg.Access {
		p.Controller.Access = append(p.Controller.Access, Pass(r))
	}
	if !p.Controller.TLS.Certified() && cfg.Listen != "" && checkLoopback(cfg.Listen) != nil {
		at := doc.at("controller.listen")
		l.warnings = append(l.warnings, fmt.Sprintf("%s:%d:%d: controller.listen: %s is reachable from the network and without tls anyone there can read and change what passes", doc.file, at.line, at.column, cfg.Listen))
	}
	if cfg.Cluster != nil {
		p.Controller.Cluster = l.cluster(doc, cfg.Cluster, p)
	}
}

// address checks a host:port that may be empty.
func (doc *document) address(path, address string) {
	if address == "" {
		return
	}
	if err := checkHostPort(address); err != nil {
		doc.complain(path, "%v", err)
	}
}

func (doc *document) tls(path string, cfg TLSConfig) TLSFiles {
	if (cfg.Cert == "") != (cfg.Key == "") {
		doc.complain(path, "cert and key go together")
	}
	if cfg.KeyStore.Path != "" && cfg.Cert != "" {
		doc.complain(path+".keyStore", "keyStore is in the place of cert and key: leave one of them out")
	}
	if cfg.TrustStore.Path != "" && cfg.CA != "" {
		doc.complain(path+".trustStore", "trustStore is in the place of ca: leave one of them out")
	}
	return TLSFiles{
		CA: doc.abs(cfg.CA), Cert: doc.abs(cfg.Cert), Key: doc.abs(cfg.Key),
		KeyStore: doc.store(path+".keyStore", cfg.KeyStore), TrustStore: doc.store(path+".trustStore", cfg.TrustStore),
	}
}

func (doc *document) store(path string, cfg StoreConfig) StoreFiles {
	if cfg.Path == "" && cfg.PasswordFile != "" {
		doc.complain(path, "passwordFile is the password of what? path is missing")
	}
	return StoreFiles{Path: doc.abs(cfg.Path), PasswordFile: doc.abs(cfg.PasswordFile)}
}
