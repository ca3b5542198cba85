package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-04209a44/peerd/control"
)

func TestSift(t *testing.T) {
	gone, unknown := errors.New("gone"), control.Errorf(control.CodeNotFound, "no instance")
	for name, c := range map[string]struct {
		all  []said[int]
		want []said[int]
		err  error
	}{
		"by peer":                    {[]said[int]{{"b", 2, nil}, {"a", 1, nil}}, []said[int]{{"a", 1, nil}, {"b", 2, nil}}, nil},
		"a silent one stays":         {[]said[int]{{"b", 0, gone}, {"a", 1, nil}}, []said[int]{{"a", 1, nil}, {"b", 0, gone}}, nil},
		"one that does not know it":  {[]said[int]{{"b", 0, unknown}, {"a", 1, nil}}, []said[int]{{"a", 1, nil}}, nil},
		"nobody knows it":            {[]said[int]{{"b", 0, unknown}, {"a", 0, unknown}}, nil, unknown},
		"the old channel of a peer":  {[]said[int]{{"a", 0, gone}, {"a", 1, nil}}, []said[int]{{"a", 1, nil}}, nil},
		"who knows it may be silent": {[]said[int]{{"b", 0, unknown}, {"a", 0, gone}}, []said[int]{{"a", 0, gone}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sift(c.all)
			if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestLastThePrimary(t *testing.T) {
	got := lastThePrimary([]fleetChannel{
		{ID: "1", Connector: "a", Primary: true},
		{ID: "2", Connector: "c"},
		{ID: "3", Connector: "b"},
		{ID: "4", Connector: "c"},
		{ID: "5"},
	})
	if !slices.Equal(got, []string{"5", "b", "c", "a"}) {
		t.Errorf("%v", got)
	}
}
