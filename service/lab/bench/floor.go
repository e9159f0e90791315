package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/process"
)

const (
	// floorEvery is how often the bare process wants to be woken.
	floorEvery = 2 * time.Millisecond
	// floorPriority is above those of the daemons.
	floorPriority = 60
)

// A floor is a process that measures how late this machine wakes it, real-time and with nothing else to do: no daemon can be more
// punctual than its machine, which may be a virtual one that waits for its own turn.
type floor struct{ *companion }

func startFloor() (floor, error) {
	c, err := startCompanion(floorRole)
	return floor{c}, err
}

// close ends the measuring and returns what came of it.
func (f floor) close() (l lateness, err error) {
	if err := f.stdin.Close(); err != nil {
		return l, err
	}
	err = json.NewDecoder(f.out).Decode(&l)
	if err = errors.Join(err, f.cmd.Wait()); err != nil {
		return l, fmt.Errorf("the bare process: %w", err)
	}
	return l, nil
}

// beFloor is the process: it measures until its standard input ends, and prints.
func beFloor() error {
	debug.SetGCPercent(-1)
	if err := process.SetSchedule(process.Schedule{Policy: process.FIFO, Priority: floorPriority}); err != nil {
		return err
	}
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	late, err := wakeups(&stop)
	if err != nil {
		return err
	}
	slices.Sort(late)
	sum := quantiles(late)
	sum.Daemon, sum.RealTime = "this machine alone", true
	return json.NewEncoder(os.Stdout).Encode(sum)
}

// wakeups measures each until stop is set.
func wakeups(stop *atomic.Bool) ([]time.Duration, error) {
	late := make([]time.Duration, 0, 1<<20)
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return nil, err
	}
	for due := now.Nano() + int64(floorEvery); !stop.Load(); due = max(due, now.Nano()) + int64(floorEvery) {
		until := unix.NsecToTimespec(due)
		for errors.Is(unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil), unix.EINTR) {
		}
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return nil, err
		}
		late = append(late, time.Duration(now.Nano()-due))
	}
	return late, nil
}
