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
	// patience is how many times the usual time on a processor a test may take with a mutation, and grace what is added
	// to it. What takes longer goes on for ever, or might as well. A process that does nothing at all is given up after idle.
	patience = 5
	grace    = 2 * time.Second
	idle     = 5 * time.Minute
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
	suite  time.Duration // all tests, one after the other, without a mutation, on a processor
	tests  []test        // the quickest first

	killers killers
}

// test is one test of the package: how long it takes, and which mutations it reaches.
type test struct {
	name    string
	took    time.Duration // on a processor
	reaches map[int]bool
}

// prepare compiles the tests into a folder and runs each of them once without a mutation.
func prepare(s *schema, folder string) (*trial, error) {
	t := &trial{
		schema: s, binary: filepath.Join(folder, "tests"), flags: []string{"-test.short", "-test.failfast"},
		killers: killers{last: map[string][]string{}},
	}
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
	r := t.run(time.Minute, nil, "^(Test|Fuzz|Example)")
	if r.err != nil {
		return nil, fmt.Errorf("the tests of %s fail without any mutation: %w\n%s", s.name, r.err, r.said)
	}
	t.suite = r.took
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
		r := t.run(time.Minute, []string{"MUTANT_TRACE=" + file}, exactly(name))
		if r.err != nil {
			return fmt.Errorf("%s of %s fails when it runs alone: %w\n%s", name, t.name, r.err, r.said)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		x := test{name: name, took: r.took, reaches: map[int]bool{}}
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

// result is what became of a run of tests.
type result struct {
	said []byte
	took time.Duration // on a processor, so that a busy machine makes nobody slow
	err  error         // some test failed, or there was no end to it
}

// run runs some of the tests, for some time on a processor.
func (t *trial) run(limit time.Duration, env []string, pattern string) result {
	ctx, cancel := context.WithTimeout(context.Background(), idle)
	defer cancel()
	command := exec.CommandContext(ctx, t.binary, append(slices.Clone(t.flags), "-test.run", pattern)...)
	command.Dir, command.WaitDelay = t.dir, time.Second
	command.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOGC=400"), env...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return result{err: err}
	}
	limited := errors.Join(
		restrict(command.Process.Pid, unix.RLIMIT_AS, memory),
		restrict(command.Process.Pid, unix.RLIMIT_CPU, uint64((limit+time.Second-1)/time.Second)))
	if limited != nil {
		return result{err: errors.Join(limited, command.Process.Kill(), command.Wait())}
	}
	err := command.Wait()
	return result{out.Bytes(), command.ProcessState.UserTime() + command.ProcessState.SystemTime(), err}
}

// restrict limits what a process may take. One that is over already needs no limit.
func restrict(pid, what int, most uint64) error {
	err := unix.Prlimit(pid, what, &unix.Rlimit{Cur: most, Max: most}, nil)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// outcome is what became of a mutation.
type outcome uint8

const (
	killed     outcome = iota
	survived           // no test that reached it failed
	notReached         // no test reaches it
)

// try runs the tests that reach a mutation: first those that have killed its neighbours, then the quick ones, then the rest.
func (t *trial) try(m mutation) outcome {
	var stages [3][]string
	var took [3]time.Duration
	likely := t.killers.of(m.function)
	reached := false
	for _, x := range t.tests {
		if !x.reaches[m.id] {
			continue
		}
		stage := 1
		switch {
		case slices.Contains(likely, x.name):
			stage = 0
		case x.took > quick:
			stage = 2
		}
		reached = true
		stages[stage] = append(stages[stage], x.name)
		took[stage] += x.took
	}
	for k, names := range stages {
		if len(names) == 0 {
			continue
		}
		r := t.run(patience*took[k]+grace, []string{"MUTANT=" + strconv.Itoa(m.id)}, exactly(names...))
		if r.err != nil {
			t.killers.add(m.function, r.failed())
			return killed
		}
	}
	if reached {
		return survived
	}
	return notReached
}

// failed is the name of the test that failed; empty if it never came to an end.
func (r result) failed() string {
	_, after, _ := strings.Cut(string(r.said), "--- FAIL: ")
	name, _, _ := strings.Cut(after, " ")
	name, _, _ = strings.Cut(name, "/")
	return name
}

// killers remembers by function which tests killed a mutation last; they are the likeliest to do so again.
type killers struct {
	sync.Mutex
	last map[string][]string
}

func (k *killers) of(function string) []string {
	k.Lock()
	defer k.Unlock()
	return slices.Clone(k.last[function])
}

func (k *killers) add(function, name string) {
	const remembered = 4
	k.Lock()
	defer k.Unlock()
	if name == "" || slices.Contains(k.last[function], name) {
		return
	}
	list := slices.Insert(k.last[function], 0, name)
	k.last[function] = list[:min(len(list), remembered)]
}

// tryAll tries mutations and tells what became of each, in no order, one at a time.
func (t *trial) tryAll(list []mutation, tell func(mutation, outcome)) {
	next := make(chan mutation)
	var workers sync.WaitGroup
	var telling sync.Mutex
	for range jobs {
		workers.Go(func() {
			for m := range next {
				o := t.try(m)
				telling.Lock()
				tell(m, o)
				telling.Unlock()
			}
		})
	}
	for _, m := range list {
		next <- m
	}
	close(next)
	workers.Wait()
}
