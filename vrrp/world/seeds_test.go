package world

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// TestSeeds runs worlds as the sim program does, though few.
func TestSeeds(t *testing.T) {
	const first, groups, each = 600, 10, 10
	var faults, heals atomic.Int64
	t.Run("groups", func(t *testing.T) {
		for g := range uint64(groups) {
			t.Run(fmt.Sprint(g), func(t *testing.T) {
				t.Parallel()
				seeds := uint64(each)
				if testing.Short() {
					seeds = 2
				}
				for k := range seeds {
					r := Run(first + g*each + k)
					faults.Add(int64(r.Faults()))
					heals.Add(int64(r.Heals))
					if r.Violation != nil {
						t.Errorf("violated %s; ./build.sh sim -seed %#x tells how", r.Violation, r.Seed)
					}
				}
			})
		}
	})
	t.Logf("%d faults, %d heals", faults.Load(), heals.Load())
	if !testing.Short() && faults.Load() < 2000 {
		t.Errorf("only %d faults; a test of so few shows little", faults.Load())
	}
}
