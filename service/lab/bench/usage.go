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
	before, err := spent(pids)
	if err != nil {
		return expense{}, err
	}
	begun := time.Now()
	time.Sleep(over)
	after, err := spent(pids)
	if err != nil {
		return expense{}, err
	}
	e := expense{Processes: len(pids), CPU: 100 * float64(after-before) / float64(time.Since(begun))}
	for _, pid := range pids {
		m, err := process.ReadMemory(pid)
		if err != nil {
			return e, err
		}
		progress("  process %d: %s: %.1f MB, resident %.1f MB", pid, commandLine(pid), float64(m.Proportional)/(1<<20), float64(m.Resident)/(1<<20))
		e.Proportional += float64(m.Proportional) / (1 << 20)
	}
	return e, nil
}

func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // for people only
	return strings.Join(strings.Split(strings.TrimRight(string(text), "\x00"), "\x00"), " ")
}

// spent adds up the processor time of all threads.
func spent(pids []int) (time.Duration, error) {
	var total time.Duration
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return 0, err
		}
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
	}
	return total, nil
}
