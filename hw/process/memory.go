package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Memory is what a process takes of the host's, in bytes.
type Memory struct {
	Resident     uint64 // pages present (VmRSS)
	Proportional uint64 // the same, with each shared page divided among those that share it (Pss)
	Locked       uint64 // address space that is locked, present or not (VmLck): far more than Resident
}

// ReadMemory reads the figures of a process from /proc. Proportional needs the
// right to look into the process (fs.ErrPermission for another user's); one that
// does not exist is fs.ErrNotExist, one that is ending unix.ESRCH.
func ReadMemory(pid int) (Memory, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return Memory{}, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
	}
	m := Memory{Resident: sum(string(status), "VmRSS:"), Locked: sum(string(status), "VmLck:")}
	// The sum over all mappings came with Linux 4.14.
	maps, err := os.ReadFile(dir + "/smaps_rollup")
	if errors.Is(err, fs.ErrNotExist) {
		maps, err = os.ReadFile(dir + "/smaps")
	}
	if err != nil {
		return m, fmt.Errorf("cannot read the mappings of process %d: %w", pid, err)
	}
	m.Proportional = sum(string(maps), "Pss:")
	return m, nil
}

// sum adds up the lines of the form "Name:   12 kB", in bytes. A line without a
// number counts for nothing.
func sum(text, name string) uint64 {
	var total uint64
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			total += kb << 10
		}
	}
	return total
}
