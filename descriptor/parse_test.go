package descriptor

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSharedFixturesLoad(t *testing.T) {
	files, _ := filepath.Glob("../../shared/fixtures/descriptors/*.xml")
	more, _ := filepath.Glob("../../../shared/fixtures/descriptors/*.xml")
	if files = append(files, more...); len(files) == 0 {
		t.Skip("the real descriptors are not beside this repository")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d, warnings, err := Parse(f, filepath.Base(file))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s ccp=%v warnings=%q", d.GUID, d.Version, d.CCP(), warnings)
		})
	}
}
