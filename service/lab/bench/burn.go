package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// roleVariable makes this program one of the processes beside the measured one.
const roleVariable = "STANDFAST_BENCH_ROLE"

// The roles.
const (
	burnRole  = "burn"
	floorRole = "floor"
)

// burn is busy for ever, and makes garbage: it never waits for anything, and has threads that collect.
func burn() {
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

// burners are busy processes.
type burners []*exec.Cmd

// startBurners starts n of them; they end with this process at the latest. The thread that calls must live as long.
func startBurners(n int) (burners, error) {
	var all burners
	for range n {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), roleVariable+"="+burnRole, "GOMAXPROCS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return nil, errors.Join(fmt.Errorf("start a busy process: %w", err), all.stop())
		}
		all = append(all, cmd)
	}
	return all, nil
}

func (b burners) stop() error {
	var errs []error
	for _, cmd := range b {
		errs = append(errs, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
	}
	return errors.Join(errs...)
}
