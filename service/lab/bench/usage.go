package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"standfast/hw/hwtest"
	"standfast/hw/process"
)

// An expense is what all processes of one daemon take.
type expense struct {
	Processes    int     `json:"processes"`
	Proportional float64 `json:"pss_mb"`
	CPU          float64 `json:"cpu_percent"` // of one core, while nothing happens
}

// expenseOf adds up the processes in the router's namespace, and how much processor time they use in the time given.
func expenseOf(r *hwtest.Router, over time.Duration) (expense, error) {
	pids, err := r.Namespace().Pids()
	if err != nil {
		return expense{}, err
	}
	before := make([]time.Duration, len(pids))
	for i, pid := range pids {
		if before[i], err = spent(pid); err != nil {
			return expense{}, err
		}
	}
	begun := time.Now()
	time.Sleep(over)
	e := expense{Processes: len(pids)}
	for i, pid := range pids {
		after, err := spent(pid)
		if err != nil {
			return expense{}, err
		}
		cpu := 100 * float64(after-before[i]) / float64(time.Since(begun))
		e.CPU += cpu
		m, err := process.ReadMemory(pid)
		if err != nil {
			return e, err
		}
		progress("  process %d: %s: %.1f MB, resident %.1f MB, %.2f %% of a core", pid, commandLine(pid), float64(m.Proportional)/(1<<20), float64(m.Resident)/(1<<20), cpu)
		e.Proportional += float64(m.Proportional) / (1 << 20)
	}
	return e, nil
}

func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // for people only
	return strings.Join(strings.Split(strings.TrimRight(string(text), "\x00"), "\x00"), " ")
}

// spent adds up the processor time of all threads of a process.
func spent(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}
