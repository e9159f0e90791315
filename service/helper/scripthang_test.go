package helper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startingServer is a script server whose programs are started by start.
func startingServer(limits scriptLimits, start func(*exec.Cmd) error) *scriptServer {
	return &scriptServer{
		scriptLimits: limits, log: func(string) {}, begin: start, kill: make(chan struct{}),
		queues: map[string]*scriptQueue{}, hanging: map[string]*scriptProcess{},
	}
}

// A program that cannot be read is never "run"; nothing else of its queue is tried while the kernel hangs on it, other
// queues go on, and what is started too late is ended before it does anything.
func TestScriptThatCannotBeStarted(t *testing.T) {
	dir := scriptFolder(t)
	late := filepath.Join(dir, "late")
	gate := make(chan struct{})
	starts := make(chan string, 16)
	limits := quickLimits()
	limits.start = 50 * time.Millisecond
	s := startingServer(limits, func(c *exec.Cmd) error {
		starts <- c.Path
		if c.Path == "/bin/sh" {
			<-gate
		}
		return c.Start()
	})
	hung := []string{"/bin/sh", "-c", "sleep 0.2; : > " + late}
	result, why := s.run("VI_0", hung)
	if result != ScriptNotRun || !strings.Contains(why, "could not be started within 50ms: it cannot be read, likely because a disk hangs") {
		t.Errorf("%s: %s", result, why)
	}
	for range 10 {
		result, why := s.run("VI_0", []string{"/bin/true"})
		if result != ScriptNotRun || !strings.Contains(why, "an earlier one, /bin/sh, still hangs in the kernel") {
			t.Errorf("behind it: %s: %s", result, why)
		}
	}
	if result, why := s.run("VI_1", []string{"/bin/true"}); result != ScriptSucceeded {
		t.Errorf("of another queue: %s: %s", result, why)
	}
	if n := len(starts); n != 2 {
		t.Errorf("%d programs were started, want 2", n)
	}
	close(gate)
	soonIs(t, "the queue goes on", func() bool { return s.hangs("VI_0") == nil })
	if result, why := s.run("VI_0", []string{"/bin/true"}); result != ScriptSucceeded {
		t.Errorf("after the hang: %s: %s", result, why)
	}
	if exists(late)() {
		t.Error("what was started too late has run")
	}
}

// One process that cannot be ended is left behind for each queue, however many scripts are posted.
func TestScriptThatCannotBeEnded(t *testing.T) {
	s := startingServer(quickLimits(), (*exec.Cmd).Start)
	stuck := &scriptProcess{cmd: exec.Command("/etc/stuck"), exited: make(chan struct{})}
	s.hang("VI_0", stuck)
	for range 100 {
		if result, why := s.run("VI_0", []string{"/bin/true"}); result != ScriptNotRun || !strings.Contains(why, "/etc/stuck, still hangs") {
			t.Fatalf("%s: %s", result, why)
		}
	}
	close(stuck.exited)
	if result, why := s.run("VI_0", []string{"/bin/true"}); result != ScriptSucceeded {
		t.Errorf("after its end: %s: %s", result, why)
	}
}

// Status names what could not be run until something of its queue can.
func TestScriptTroubleIsRemembered(t *testing.T) {
	dir := scriptFolder(t)
	c := startClient(t, dir)
	soonIs(t, "the helper is missed", func() bool { return c.end.Report().State() == "gone" })
	c.Post("VI_0", []string{"/bin/true"})
	if got := c.end.Report().Waiting; got != 1 {
		t.Errorf("%d scripts wait", got)
	}
	startHelper(t, dir, 0, quickLimits())
	c.wait(t, 1)
	if got := c.end.Report(); got.State() != "there" || got.Waiting != 0 || len(got.Trouble) != 0 {
		t.Errorf("all is well: %+v", got)
	}
	noExec := filepath.Join(dir, "no-exec")
	if err := os.WriteFile(noExec, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	posted := 1
	for _, test := range []struct {
		queue, program string
		trouble        int
		says           string
	}{
		{"VI_0", noExec, 1, fmt.Sprintf("notify script %q of VI_0 could not run: it may not be executed", noExec)},
		{"VI_1", "/no/such/script", 2, `notify script "/no/such/script" of VI_1 could not run: it does not exist`},
		{"VI_0", "/bin/false", 1, "of VI_1 could not run"},
		{"VI_1", "/bin/true", 0, ""},
	} {
		c.Post(test.queue, []string{test.program})
		posted++
		c.wait(t, posted)
		if got := c.end.Report().Trouble; len(got) != test.trouble || !strings.Contains(strings.Join(got, "\n"), test.says) {
			t.Errorf("after %s of %s: %q, want %d with %q", test.program, test.queue, got, test.trouble, test.says)
		}
	}
}
