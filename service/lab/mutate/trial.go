package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// quick is how long a test may take to be among those that are tried first: most mutations fall to them.
	quick = 100 * time.Millisecond
	// patience is how many times as long as usual a test may take with a mutation, and grace what is added to it. What
	// takes longer goes on for ever, or might as well.
	patience = 10
	grace    = 2 * time.Second
	// memory is what a test may take; a mutation that makes a loop endless may ask for all there is.
	memory = 4 << 30
	// jobs are how many mutations are tried at a time.
	jobs = 2
)

// trial is the tests of one package, compiled with all of its mutations.
type trial struct {
	*schema
	binary string
	flags  []string
	suite  time.Duration // all tests, one after the other, without a mutation
	tests  []test        // the quickest first
}

// test is one test of the package: how long it takes, and which mutations it reaches.
type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool
}

// prepare compiles the tests into a folder and runs each of them once without a mutation.
func prepare(s *schema, folder string) (*trial, error) {
	t := &trial{schema: s, binary: filepath.Join(folder, "tests"), flags: []string{"-test.short", "-test.failfast"}}
	if s.rapid {
		t.flags = append(t.flags, "-rapid.nofailfile", "-rapid.seed=1", "-rapid.shrinktime=0s")
	}
	overlay, err := overlay(folder, s.texts())
	if err != nil {
		return nil, err
	}
	if out, err := gotool("test", "-c", "-vet=off", "-overlay", overlay, "-o", t.binary, s.dir); err != nil {
		return nil, fmt.Errorf("%s does not compile with its mutations: %w\n%s", s.name, err, out)
	}
	begin := time.Now()
	if out, err := t.run(time.Minute, nil, "^(Test|Fuzz|Example)"); err != nil {
		return nil, fmt.Errorf("the tests of %s fail without any mutation: %w\n%s", s.name, err, out)
	}
	t.suite = time.Since(begin)
	return t, t.trace(filepath.Join(folder, "trace"))
}

// overlay writes files and says to the go command which ones they stand for.
func overlay(folder string, texts map[string]string) (string, error) {
	instead := map[string]string{}
	for path, text := range texts {
		instead[path] = filepath.Join(folder, strconv.Itoa(len(instead))+"_"+filepath.Base(path))
		if err := os.WriteFile(instead[path], []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	index, err := json.Marshal(map[string]any{"Replace": instead})
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "overlay.json")
	return name, os.WriteFile(name, index, 0o644)
}

func gotool(args ...string) ([]byte, error) {
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	return command.CombinedOutput()
}

// trace runs every test by itself and learns which mutations it reaches.
func (t *trial) trace(file string) error {
	list, err := exec.Command(t.binary, "-test.list", "^(Test|Fuzz|Example)").Output()
	if err != nil {
		return fmt.Errorf("the tests of %s cannot be listed: %w", t.name, err)
	}
	for _, name := range strings.Fields(string(list)) {
		begin := time.Now()
		if out, err := t.run(time.Minute, []string{"MUTANT_TRACE=" + file}, exactly(name)); err != nil {
			return fmt.Errorf("%s of %s fails when it runs alone: %w\n%s", name, t.name, err, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		x := test{name: name, took: time.Since(begin), reaches: map[int]bool{}}
		for _, id := range strings.Fields(string(text)) {
			number, err := strconv.Atoi(id)
			if err != nil {
				return err
			}
			x.reaches[number] = true
		}
		t.tests = append(t.tests, x)
	}
	slices.SortStableFunc(t.tests, func(a, b test) int { return int(a.took - b.took) })
	return nil
}

func exactly(names ...string) string {
	for k := range names {
		names[k] = regexp.QuoteMeta(names[k])
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// run runs some of the tests. An error means that one of them failed, or that there was no end to them.
func (t *trial) run(limit time.Duration, env []string, pattern string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, t.binary, append(slices.Clone(t.flags), "-test.run", pattern)...)
	command.Dir, command.WaitDelay = t.dir, time.Second
	command.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOGC=400"), env...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return nil, err
	}
	most := unix.Rlimit{Cur: memory, Max: memory}
	if err := unix.Prlimit(command.Process.Pid, unix.RLIMIT_AS, &most, nil); err != nil && !errors.Is(err, unix.ESRCH) {
		return nil, errors.Join(err, command.Process.Kill(), command.Wait())
	}
	return out.Bytes(), command.Wait()
}

// outcome is what became of a mutation.
type outcome uint8

const (
	killed     outcome = iota
	survived           // no test that reached it failed
	notReached         // no test reaches it
)

// try runs the tests that reach a mutation, the quick ones first.
func (t *trial) try(id int) outcome {
	var stages [2][]string
	var took [2]time.Duration
	for _, x := range t.tests {
		if !x.reaches[id] {
			continue
		}
		stage := 0
		if x.took > quick {
			stage = 1
		}
		stages[stage] = append(stages[stage], x.name)
		took[stage] += x.took
	}
	for k, names := range stages {
		if len(names) == 0 {
			continue
		}
		if _, err := t.run(patience*took[k]+grace, []string{"MUTANT=" + strconv.Itoa(id)}, exactly(names...)); err != nil {
			return killed
		}
	}
	if len(stages[0])+len(stages[1]) == 0 {
		return notReached
	}
	return survived
}

// tryAll tries every mutation; the outcomes are in their order.
func (t *trial) tryAll() []outcome {
	outcomes := make([]outcome, len(t.mutations))
	next := make(chan int)
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for k := range next {
				outcomes[k] = t.try(t.mutations[k].id)
			}
		})
	}
	for k := range t.mutations {
		next <- k
	}
	close(next)
	workers.Wait()
	return outcomes
}
