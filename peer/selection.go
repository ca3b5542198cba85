package peer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/supervisor"
)

// pick returns the views that sel names, in the order of Views. A component's
// name stands for all of its replicas.
func (p *Peer) pick(sel control.Selection) ([]*supervisor.View, error) {
	all := p.sup.Views()
	if sel.Application != "" {
		inApp := slices.DeleteFunc(slices.Clone(all), func(v *supervisor.View) bool { return v.Application != sel.Application })
		if len(inApp) == 0 {
			return nil, control.Errorf(control.CodeNotFound, "no application %q; there is %s", sel.Application, applications(all))
		}
		all = inApp
	}
	switch {
	case sel.Group != "":
		group := slices.DeleteFunc(all, func(v *supervisor.View) bool { return v.Spec.Group != sel.Group })
		if len(group) == 0 {
			return nil, control.Errorf(control.CodeNotFound, "no instance belongs to a group %q", sel.Group)
		}
		return group, nil
	case len(sel.Names) == 0 && (sel.All || sel.Application != ""):
		return all, nil
	case len(sel.Names) == 0:
		return nil, control.Errorf(control.CodeUsage, "name an instance, or use --all, --app or --group")
	}
	var out []*supervisor.View
	for _, name := range sel.Names {
		found, err := match(all, name)
		if err != nil {
			return nil, err
		}
		for _, v := range found {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// match finds what one name stands for.
func match(all []*supervisor.View, name string) ([]*supervisor.View, error) {
	app, plain, qualified := strings.Cut(name, "/")
	if !qualified {
		app, plain = "", name
	}
	var out []*supervisor.View
	apps := map[string]bool{}
	for _, v := range all {
		if (v.Name == plain || v.Spec.Component == plain) && (app == "" || v.Application == app) {
			out = append(out, v)
			apps[v.Application] = true
		}
	}
	switch {
	case len(out) == 0:
		return nil, control.Errorf(control.CodeNotFound, "no instance %q; there is %s", name, names(all))
	case len(apps) > 1:
		return nil, control.Errorf(control.CodeUsage, "%q is in several applications; name one of %s", name, names(out))
	}
	return out, nil
}

// one returns the only instance that a request names.
func (p *Peer) one(r control.NameRequest) (*supervisor.View, error) {
	found, err := p.pick(control.Selection{Names: []string{r.Name}, Application: r.Application})
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, control.Errorf(control.CodeUsage, "%q has several instances; name one of %s", r.Name, names(found))
	}
	return found[0], nil
}

// maxNamed bounds how many names an error lists.
const maxNamed = 12

func names(views []*supervisor.View) string {
	list := make([]string, 0, maxNamed)
	for _, v := range views {
		if len(list) == maxNamed {
			list = append(list, fmt.Sprintf("… (%d in all)", len(views)))
			break
		}
		list = append(list, v.Key.String())
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func applications(views []*supervisor.View) string {
	var list []string
	for _, v := range views {
		if !slices.Contains(list, v.Application) {
			list = append(list, v.Application)
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
