// Command ccpcomponent is a component: peerd launches it. README.md beside this
// file says how to watch it work.
package main

import "github.com/seed-04209a44/peerd/component"

func main() {
	component.Main(component.Info{
		Name:    "ccpcomponent",
		Version: "1.0",
		Loggers: []string{"ticker"},
	}, newTicker())
}
