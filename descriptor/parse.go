package descriptor

import (
	"io"
	"strings"
	"time"
)

// Parse reads one descriptor; name is used in errors and warnings. The error
// is an *Error unless reading itself failed. Warnings name what is odd but has
// always been accepted, each with its place.
func Parse(r io.Reader, name string) (d *Descriptor, warnings []string, err error) {
	root, err := readTree(r, name)
	if err != nil {
		return nil, nil, err
	}
	in := &reader{file: name}
	d = in.service(root)
	if in.err != nil {
		return nil, in.warnings, in.err
	}
	return d, in.warnings, nil
}

func (r *reader) service(e *element) *Descriptor {
	if e.name != "service" {
		r.fail(e, "the document's element is <%s>; <service> is expected", e.name)
		return nil
	}
	r.allow(e, "guid version licensed", "display icon creation short-description long-description deployment execution")
	d := &Descriptor{
		GUID:             r.required(e, "guid"),
		Version:          r.required(e, "version"),
		Licensed:         r.boolean(e, "licensed", false),
		Icon:             r.icon(e),
		ShortDescription: r.text(e, "short-description"),
		LongDescription:  r.text(e, "long-description"),
	}
	if v, err := ParseVersion(d.Version); d.Version != "" && (err != nil || v == (Version{})) {
		r.fail(e, "version=%q: a decimal number above 0, such as 1.0, is expected", clip(d.Version))
	}
	d.Display = r.display(e)
	d.Creation = r.creation(e)
	d.Deployment = r.deployment(e)
	if child := r.one(e, "execution"); child != nil {
		d.Execution = r.execution(child)
	}
	return d
}

func (r *reader) display(parent *element) Display {
	e := r.one(parent, "display")
	if e == nil {
		r.warn(parent, "no <display>; the guid is shown instead")
		return Display{Name: attr(parent, "guid", "")}
	}
	r.allow(e, "name categories", "")
	return Display{Name: r.required(e, "name"), Categories: commaList(r.required(e, "categories"))}
}

func (r *reader) icon(parent *element) *Icon {
	e := r.one(parent, "icon")
	if e == nil {
		return nil
	}
	r.allow(e, "small large", "")
	return &Icon{Small: attr(e, "small", ""), Large: attr(e, "large", "")}
}

func (r *reader) creation(parent *element) Creation {
	e := r.one(parent, "creation")
	if e == nil {
		r.warn(parent, "no <creation>")
		return Creation{}
	}
	r.allow(e, "date last-modified authors", "")
	c := Creation{
		Date:         r.required(e, "date"),
		LastModified: r.required(e, "last-modified"),
		Authors:      commaList(attr(e, "authors", "")),
	}
	for _, name := range []string{"date", "last-modified"} {
		if v := attr(e, name, ""); v != "" && !isDate(v) {
			r.warn(e, "%s=%q is not of the form 31-12-2006 23:59:59", name, clip(v))
		}
	}
	return c
}

func isDate(s string) bool {
	_, err := time.Parse("02-01-2006 15:04:05", s)
	return err == nil
}

func (r *reader) deployment(parent *element) Deployment {
	e := r.one(parent, "deployment")
	if e == nil {
		r.warn(parent, "no <deployment>")
		return Deployment{AutoInstallable: true}
	}
	r.allow(e, "label os auto-installable", "resources servicerefs")
	d := Deployment{
		Label:           r.required(e, "label"),
		OS:              OS(r.integer(e, "os", 0, 0, int(AllOS))),
		AutoInstallable: r.boolean(e, "auto-installable", true),
	}
	_, resources := r.list(e, "resources", "", "resource")
	for _, child := range resources {
		d.Resources = append(d.Resources, r.resource(child))
	}
	_, refs := r.list(e, "servicerefs", "", "serviceref")
	for _, child := range refs {
		r.allow(child, "guid version", "")
		d.ServiceRefs = append(d.ServiceRefs, ServiceRef{GUID: r.required(child, "guid"), Version: r.required(child, "version")})
	}
	r.unique(resources, "resource", func(e *element) string { return attr(e, "name", "") })
	r.unique(refs, "serviceref", func(e *element) string { return attr(e, "guid", "") + " " + attr(e, "version", "") })
	return d
}

func (r *reader) resource(e *element) Resource {
	r.allow(e, "name transfer-mode os", "required")
	res := Resource{
		Name:                     r.required(e, "name"),
		TransferMode:             r.integer(e, "transfer-mode", 1, 0, 1<<16),
		OS:                       OS(r.integer(e, "os", 0, 0, int(AllOS))),
		RequiredForConfiguration: true,
		RequiredForExecution:     true,
	}
	if need := r.one(e, "required"); need != nil {
		r.allow(need, "configuration execution", "")
		res.RequiredForConfiguration = r.boolean(need, "configuration", true)
		res.RequiredForExecution = r.boolean(need, "execution", true)
	}
	return res
}

func (r *reader) port(e *element) Port {
	r.allow(e, "name request-reply", "description schema")
	p := Port{
		Name:         r.required(e, "name"),
		RequestReply: r.boolean(e, "request-reply", false),
		Description:  strings.Join(strings.Fields(r.text(e, "description")), " "),
	}
	if s := r.one(e, "schema"); s != nil {
		p.Schema = r.schema(s)
	}
	return p
}

// schema holds either a file's name or the schema itself as text.
func (r *reader) schema(e *element) *Schema {
	s := &Schema{Root: attr(e, "root", "")}
	if len(e.children) == 0 {
		r.allow(e, "root", "")
		s.Text = strings.TrimSpace(e.text.String())
		return s
	}
	r.allow(e, "root", "file")
	s.File = r.text(e, "file")
	return s
}
