package process

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"testing"
)

func TestMemoryOfThisProcess(t *testing.T) {
	m, err := ReadMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.Resident < 1<<20 || m.Proportional == 0 || m.Proportional > m.Resident+8<<20 {
		t.Errorf("memory %+v", m)
	}
	if _, err := ReadMemory(math.MaxInt32); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no process: %v", err)
	}
}

func TestSum(t *testing.T) {
	const smaps = "Rss:   8 kB\nPss:                   4 kB\nPss_Dirty: 100 kB\nLocked: 1 kB\nPss:  16 kB\nPss: what kB\nPss:\n"
	for name, want := range map[string]uint64{"Pss:": 20 << 10, "Rss:": 8 << 10, "Swap:": 0} {
		if got := sum(smaps, name); got != want {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
}
