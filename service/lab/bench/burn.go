package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
)

// roleVariable makes this program one of the processes beside the measured one.
const roleVariable = "STANDFAST_BENCH_ROLE"

// The roles.
const (
	burnRole  = "burn"
	floorRole = "floor"
)

// burn is busy until its standard input ends, and makes garbage: it never waits for anything, and has threads that collect.
func burn() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	kept := make([][]byte, 1024)
	for i := 0; ; i++ {
		b := make([]byte, 4<<10)
		for j := range b {
			b[j] = byte(i + j)
		}
		kept[i%len(kept)] = b
		if i%len(kept) == 0 {
			runtime.Gosched()
		}
	}
}

// A companion is a process of this program that plays a role, until its standard input ends: at the latest when this process does.
type companion struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   io.ReadCloser
}

func startCompanion(role string) (*companion, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GOMAXPROCS=1")
	c := &companion{cmd: cmd}
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a companion, %s: %w", role, err)
	}
	return c, nil
}

// burners are busy processes.
type burners []*companion

// startBurners starts n of them.
func startBurners(n int) (burners, error) {
	var all burners
	for range n {
		c, err := startCompanion(burnRole)
		if err != nil {
			return nil, errors.Join(err, all.stop())
		}
		all = append(all, c)
	}
	return all, nil
}

// stop ends them. One that has ended before was not busy, and what was measured is worth nothing.
func (b burners) stop() error {
	var errs []error
	for _, c := range b {
		errs = append(errs, c.stdin.Close())
		if err := c.cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("a busy process: %w", err))
		}
	}
	return errors.Join(errs...)
}
