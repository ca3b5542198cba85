package profiles_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-04209a44/peerd/profiles"
)

func Example() {
	dir, err := os.MkdirTemp("", "profile")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "shop.yaml")
	load := func(text string) *profiles.Plan {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			fmt.Println(err)
		}
		plan, err := profiles.Load(file, profiles.LoadOptions{UID: os.Getuid()})
		if err != nil {
			fmt.Println(err)
		}
		return plan
	}
	running := load("components: {web: {command: [/bin/sleep, '60'], dependsOn: [db]}, db: {command: [/bin/sleep, '60']}}")
	wanted := load("components: {web: {command: [/bin/sleep, '90'], launchTimeout: 5s}}")
	for _, change := range profiles.Diff(running, wanted) {
		spec := change.New
		if spec == nil {
			spec = change.Old
		}
		fmt.Println(change.Kind, spec.Address, change.Fields)
	}
	// Output:
	// stop shop__1_0__db []
	// restart shop__1_0__web [command dependsOn launchTimeout]
}
