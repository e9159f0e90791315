package lab

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"standfast/hw/hwtest"
)

// programVariable names the standfast under test; without it the one of this tree is built.
const programVariable = "STANDFAST"

// together is how many parallel tests run at once unless -parallel says otherwise. A story waits for timers of the protocol
// most of its time, so several fit on one core.
const together = "6"

var (
	scratch string // a folder that goes with the tests

	// built builds the program once, when the first test asks for it.
	built = sync.OnceValues(func() (string, error) {
		file := filepath.Join(scratch, "standfast")
		build := exec.Command("go", "build", "-o", file, "standfast/service/standfast")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build standfast, or name one in $%s: %w\n%s", programVariable, err, out)
		}
		return file, nil
	})
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", together) // before the command line is parsed, which may set it again
	os.Exit(hwtest.Main(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "standfast-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		return m.Run()
	}))
}

// product returns the standfast under test.
func product(t *testing.T) string {
	t.Helper()
	if program := os.Getenv(programVariable); program != "" {
		return program
	}
	program, err := built()
	check(t, err)
	return program
}
