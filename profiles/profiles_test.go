package profiles

import (
	"testing"
)

func TestQuick(t *testing.T) {
	p, err := Load("quickstart.yaml", LoadOptions{UID: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Specs {
		t.Logf("%s %s %s %v %+v", s.Name, s.Address, s.Path, s.Args, s)
	}
	t.Log(p.Warnings, p.Files, p.Peer)
	if d := Diff(nil, p); len(d) != 3 {
		t.Fatal(d)
	}
	if d := Diff(p, p); len(d) != 0 {
		t.Fatal(d)
	}
}
