package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"standfast/service/lab"
)

// defectVariable tells a daemon with defects which one it has. It shows at the first SIGHUP.
const defectVariable = "STANDFAST_DEFECT"

// defectSource is added to package service.
const defectSource = `package service

import (
	"os"
	"sync/atomic"
)

var tripped atomic.Bool

// trip makes the defect show.
func trip() {
	tripped.Store(true)
	switch os.Getenv("` + defectVariable + `") {
	case "deadlock":
		select {}
	case "spin":
		for {
		}
	}
}

func defective(what string) bool { return tripped.Load() && os.Getenv("` + defectVariable + `") == what }
`

// A graft is a change of one place in package service.
type graft struct{ file, place, instead string }

// grafts is how the defects come into the daemon: its loop stops or spins at a SIGHUP, its adverts do not leave, its actors
// never come back from the kernel, and whoever logs waits for the journal.
func grafts() []graft {
	return []graft{
		{"loop.go", "	if signal == syscall.SIGHUP {\n", "	if signal == syscall.SIGHUP {\n		trip()\n"},
		{"perform.go", "	err := conn.Send(a.Src, a.Dst, a.Payload)\n", "	err := errNoSocket\n	if !defective(\"mute\") {\n		err = conn.Send(a.Src, a.Dst, a.Payload)\n	}\n"},
		{"journal.go", "func (j *journal) put(l line) {\n", "func (j *journal) put(l line) {\n	if defective(\"loud\") {\n		io.WriteString(j.w, l.text)\n	}\n"},
		{"actors.go", "	err := a.perform(a.kernel, w)\n", "	if defective(\"actors\") {\n		select {}\n	}\n	err := a.perform(a.kernel, w)\n"},
	}
}

// buildProgram builds the product into a folder; with defects true a daemon that no product contains. It is run in a folder of
// the module.
func buildProgram(folder string, defects bool) (string, error) {
	program := filepath.Join(folder, "standfast")
	args := []string{"build", "-o", program}
	if defects {
		overlay, err := overlay(folder)
		if err != nil {
			return "", err
		}
		program += "-defective"
		args = []string{"build", "-overlay", overlay, "-o", program}
	}
	build := exec.Command("go", append(args, "standfast/service/standfast")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", filepath.Base(program), err, out)
	}
	return program, nil
}

// overlay writes package service with its grafts, and says to the go command which files they stand for.
func overlay(folder string) (string, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "standfast/service").Output()
	if err != nil {
		return "", fmt.Errorf("find the source of standfast, which the defects are put into: %w", err)
	}
	source := strings.TrimSpace(string(out))
	texts := map[string]string{"defect.go": defectSource}
	for _, g := range grafts() {
		text, err := os.ReadFile(filepath.Join(source, g.file))
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(text), g.place); n != 1 {
			return "", fmt.Errorf("%s has the place of a defect %d times: %q", g.file, n, g.place)
		}
		texts[g.file] = strings.Replace(string(text), g.place, g.instead, 1)
	}
	instead := map[string]string{}
	for name, text := range texts {
		graft := filepath.Join(folder, name)
		if err := os.WriteFile(graft, []byte(text), 0o644); err != nil {
			return "", err
		}
		instead[filepath.Join(source, name)] = graft
	}
	index, err := json.Marshal(map[string]any{"Replace": instead})
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "overlay.json")
	return name, os.WriteFile(name, index, 0o644)
}

// bitten sends the MASTER's service a signal that stops it from doing what it should: SIGHUP, at which its defect shows, or
// SIGSTOP. The watchdog ends it, and PID 1 starts it again; meanwhile B serves where A does not, and both never.
func bitten(by syscall.Signal) func(*stage) error {
	return func(s *stage) error {
		s.begin()
		if err := s.A.Daemon().Signal(by); err != nil {
			return err
		}
		one := s.supervisors[s.A]
		bound := s.notice + s.watchdog*4/3 + 2*time.Second // it is fed three times in its interval
		if !lab.Eventually(bound+patience, func() bool { return len(one.Report().Kills) > 0 }) {
			s.complain("the watchdog does not bite")
			return nil
		}
		took := one.Report().Kills[0].Sub(s.began)
		s.outcome.kills = 1
		s.outcome.remark("bitten after %v", took.Round(time.Millisecond))
		if took > bound {
			s.complain("the watchdog bites after %v, later than %v", took, bound)
		}
		if err := s.restarted(); err != nil {
			return err
		}
		if r := one.Report(); len(r.Kills) != 1 || r.Err != nil {
			s.complain("%d watchdog kills, %v", len(r.Kills), r.Err)
		}
		return nil
	}
}
