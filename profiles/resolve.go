package profiles

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$`)
	versionForm = regexp.MustCompile(`^[A-Za-z0-9]+([.-][A-Za-z0-9]+)*$`)
)

const maxName = 64

// checkName keeps names usable in addresses (which join with two underscores),
// in paths and on command lines.
func checkName(s string) error {
	if len(s) > maxName || !nameForm.MatchString(s) {
		return fmt.Errorf("%q is no name; letters and digits, with single '.', '-' or '_' between them, at most %d characters", clip(s), maxName)
	}
	return nil
}

func checkVersion(s string) error {
	if len(s) > maxName || !versionForm.MatchString(s) {
		return fmt.Errorf("%q is no version; letters and digits with single '.' or '-' between them are expected, such as \"1.0\"", clip(s))
	}
	return nil
}

// address is the CCP address of an instance: orders__1_0__ticker.
func address(app Application, instance string) string {
	return app.GUID + "__" + strings.ReplaceAll(app.Version, ".", "_") + "__" + instance
}

// application settles what a document's components belong to.
func (l *loader) application(doc *document) {
	doc.app = Application{GUID: doc.cfg.Application.GUID, Version: doc.cfg.Application.Version}
	if doc.app.GUID == "" {
		base := filepath.Base(doc.file)
		doc.app.GUID = strings.TrimSuffix(base, filepath.Ext(base))
	}
	if doc.app.Version == "" {
		doc.app.Version = "1.0"
	}
	if err := checkName(doc.app.GUID); err != nil {
		doc.complain("application.guid", "%v; it is the file's name unless application.guid is given", err)
	}
	if err := checkVersion(doc.app.Version); err != nil {
		doc.complain("application.version", "%v", err)
	}
}

// resolve turns the documents into a plan. Faults are left in the documents;
// the plan counts only when there are none.
func (l *loader) resolve() *Plan {
	p := &Plan{Groups: map[string]Group{}}
	l.single()
	l.sameVersion()
	l.peer(p)
	l.connector(p)
	l.controller(p)
	l.groups(p)
	var all []*component
	for _, doc := range l.documents {
		all = append(all, doc.components...)
	}
	all = l.unique(all)
	order := l.order(all)
	instances := 0
	for _, c := range order {
		if n, ok := l.opts.Replicas[c.doc.app.GUID+"/"+c.name]; ok {
			c.cfg.Replicas = n
		}
		if instances += c.cfg.Replicas; instances > maxInstances {
			c.complain("replicas", "the plan has more than %d instances", maxInstances)
			break
		}
		p.Specs = append(p.Specs, l.specs(c, p)...)
	}
	l.conditions(order, p)
	return p
}

// maxInstances bounds a plan.
const maxInstances = 10_000

// single sees that the sections of the peer itself stand in one file only.
func (l *loader) single() {
	for _, section := range []string{"peer", "connector", "controller"} {
		var first *document
		for _, doc := range l.documents {
			if !doc.has(section) {
				continue
			}
			if first != nil {
				doc.complain(section, "the section stands in %s:%d already; one file of a folder may have it", first.file, first.at(section).line)
				continue
			}
			first = doc
		}
	}
}

// sameVersion sees that files of one application agree on its version.
func (l *loader) sameVersion() {
	seen := map[string]*document{}
	for _, doc := range l.documents {
		first, known := seen[doc.app.GUID]
		if known && first.app.Version != doc.app.Version {
			doc.complain("application.version", "the application %q has version %q here and %q in %s; a peer runs one version of it", doc.app.GUID, doc.app.Version, first.app.Version, first.file)
		}
		if !known {
			seen[doc.app.GUID] = doc
		}
	}
}

// unique refuses a component that its application has twice.
func (l *loader) unique(all []*component) []*component {
	seen := map[string]*component{}
	var out []*component
	for _, c := range all {
		if first := seen[c.key]; first != nil {
			c.doc.failAt(c.place, c.path, "the application %q has this component already, at %s:%d", c.doc.app.GUID, first.doc.file, first.place.line)
			continue
		}
		seen[c.key] = c
		out = append(out, c)
	}
	return out
}

// section finds the document that has the section, if any.
func (l *loader) section(name string) *document {
	for _, doc := range l.documents {
		if doc.has(name) {
			return doc
		}
	}
	return nil
}

// abs makes a path absolute, relative to the document's folder.
func (doc *document) abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(doc.dir, path)
}

// shown is how messages name a file that this document names.
func (doc *document) shown(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(doc.file), path)
}

func (l *loader) peer(p *Plan) {
	state, run := l.defaultFolders()
	s := PeerSettings{Name: l.opts.Hostname, StateDir: state, RuntimeDir: run, LogLevel: "info", OnPeerExit: "stop"}
	doc := l.section("peer")
	if doc != nil && doc.cfg.Peer != nil {
		cfg := doc.cfg.Peer
		s.Name = orElse(cfg.Name, s.Name)
		s.StateDir = orElse(doc.abs(cfg.StateDir), s.StateDir)
		s.RuntimeDir = orElse(doc.abs(cfg.RuntimeDir), s.RuntimeDir)
		s.Socket = doc.abs(cfg.Socket)
		s.Listen = cfg.Listen
		s.LogLevel = orElse(string(cfg.LogLevel), s.LogLevel)
		s.OnPeerExit = orElse(cfg.OnPeerExit, s.OnPeerExit)
		s.Access = l.access(doc)
		if err := checkLoopback(s.Listen); err != nil {
			doc.complain("peer.listen", "%v", err)
		}
	}
	s.Socket = orElse(s.Socket, filepath.Join(s.RuntimeDir, socketName))
	if len(s.Socket) > maxSocketPath && len(l.documents) > 0 {
		if doc == nil {
			doc = l.documents[0]
		}
		doc.complain("peer.socket", "the path %s has %d bytes; a unix socket allows %d: give a shorter peer.runtimeDir or peer.socket", s.Socket, len(s.Socket), maxSocketPath)
	}
	p.Peer = s
}

// maxSocketPath is the length of sockaddr_un's path without its final zero.
const maxSocketPath = 107

// socketName is the control socket's name in the runtime folder.
const socketName = "peerd.sock"

// checkLoopback admits a TCP address of this machine only: the control API on
// TCP has no authentication.
func checkLoopback(listen string) error {
	if listen == "" {
		return nil
	}
	if err := checkHostPort(listen); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%q is not a loopback address; 127.0.0.1:PORT or [::1]:PORT is expected", listen)
}

// defaultFolders follow the XDG base directories for ordinary users.
func (l *loader) defaultFolders() (state, run string) {
	run = defaultRuntimeDir(l.opts.UID, l.opts.Env)
	if l.opts.UID == 0 {
		return "/var/lib/peerd", run
	}
	home, _ := l.opts.Env("HOME")
	state, _ = l.opts.Env("XDG_STATE_HOME")
	if state == "" {
		state = filepath.Join(orElse(home, "/"), ".local", "state")
	}
	return filepath.Join(state, "peerd"), run
}

// defaultRuntimeDir is where sockets and FIFOs lie unless a profile says
// otherwise; env looks up a variable.
func defaultRuntimeDir(uid int, env func(string) (string, bool)) string {
	if uid == 0 {
		return "/run/peerd"
	}
	if run, _ := env("XDG_RUNTIME_DIR"); run != "" {
		return filepath.Join(run, "peerd")
	}
	return filepath.Join("/tmp", "peerd-"+strconv.Itoa(uid))
}

// DefaultSocket is the control socket of a peer of this user whose profile
// names none, for those that call it without reading its profile. env looks up
// a variable, as os.LookupEnv does.
func DefaultSocket(uid int, env func(string) (string, bool)) string {
	return filepath.Join(defaultRuntimeDir(uid, env), socketName)
}

func (l *loader) access(doc *document) []AccessRule {
	var rules []AccessRule
	for i, a := range doc.cfg.Peer.Access {
		path := fmt.Sprintf("peer.access[%d]", i)
		rule, err := l.accessRule(a)
		if err != nil {
			doc.complain(path, "%v", err)
			continue
		}
		rules = append(rules, rule)
	}
	return rules
}

func (l *loader) accessRule(a AccessConfig) (AccessRule, error) {
	named := 0
	for _, given := range []bool{a.UID != nil, a.GID != nil, a.User != "", a.Group != ""} {
		if given {
			named++
		}
	}
	if named != 1 {
		return AccessRule{}, errors.New("exactly one of uid, gid, user and group is expected")
	}
	rule := AccessRule{UID: a.UID, GID: a.GID, Role: a.Role}
	if a.User != "" {
		id, err := l.opts.LookupUser(a.User)
		if err != nil {
			return rule, fmt.Errorf("the user %q is not known here: %v", a.User, err)
		}
		rule.UID = &id
	}
	if a.Group != "" {
		id, err := l.opts.LookupGroup(a.Group)
		if err != nil {
			return rule, fmt.Errorf("the group %q is not known here: %v", a.Group, err)
		}
		rule.GID = &id
	}
	return rule, nil
}

func (l *loader) groups(p *Plan) {
	seen := map[string]*document{}
	for _, doc := range l.documents {
		names := make([]string, 0, len(doc.cfg.Groups))
		for name := range doc.cfg.Groups {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			path := "groups." + name
			if err := checkName(name); err != nil {
				doc.complain(path, "%v", err)
			}
			key := doc.app.GUID + "/" + name
			if first := seen[key]; first != nil {
				doc.complain(path, "the application %q has this group already, at %s:%d", doc.app.GUID, first.file, first.at(path).line)
				continue
			}
			seen[key] = doc
			g := doc.cfg.Groups[name]
			p.Groups[key] = Group{Strategy: g.Strategy, Intensity: g.Intensity, Period: time.Duration(g.Period), OnFailure: g.OnFailure}
		}
	}
}

func orElse(s, fallback string) string {
	if s != "" {
		return s
	}
	return fallback
}
