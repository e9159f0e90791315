package helper

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// launcherOf runs a launcher in this process whose helpers are a program of the test's, with a service that is there.
func launcherOf(t *testing.T, dir, program string, change func(*launchLimits)) (heard *noted, log *scriptLog) {
	t.Helper()
	l, err := listen(dir, Launcher)
	if err != nil {
		t.Fatal(err)
	}
	limits := defaultLaunchLimits(program)
	limits.first, limits.last = 10*time.Millisecond, 40*time.Millisecond
	change(&limits)
	heard, log = &noted{}, &scriptLog{}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := serveLauncher(ctx, l, Options{RuntimeDir: dir, Linger: time.Minute, Log: log.line}, limits); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() { (&tether{dir: dir, heard: heard.hear}).run(ctx) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
	return heard, log
}

func TestLauncherTellsWhatFails(t *testing.T) {
	for _, test := range []struct {
		name, program string
		change        func(*launchLimits)
		says          []string
	}{
		{"no program", "", func(*launchLimits) {}, []string{"cannot start the script helper: fork/exec ", "cannot start the disk helper: "}},
		{"ends at once", "#!/bin/sh\nexit 3\n", func(*launchLimits) {},
			[]string{"the disk helper ended: exit status 3", "the disk helper was gone and is started again"}},
		{"does not answer", "#!/bin/sh\nexec sleep 60\n", func(l *launchLimits) { l.start = 100 * time.Millisecond },
			[]string{"the disk helper does not answer 100ms after its start and is killed", "the disk helper ended: signal: killed"}},
		{"cannot be ended", "#!/bin/sh\nexit 3\n", func(l *launchLimits) { l.unreaped = 0 },
			[]string{"the disk helper is not started again: 0 of its processes hang in the kernel"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := scriptFolder(t)
			program := filepath.Join(dir, "nowhere")
			if test.program != "" {
				program = script(t, dir, "program", test.program)
			}
			heard, _ := launcherOf(t, dir, program, test.change)
			for _, line := range test.says {
				soonIs(t, fmt.Sprintf("it says %q", line), heard.said(line))
			}
		})
	}
}

// Helpers that a unit has started are nobody else's business, for as long as they answer.
func TestLauncherLeavesUnitsAlone(t *testing.T) {
	dir := scriptFolder(t)
	scripts, disks := greeter(t, dir, Scripts), greeter(t, dir, Disk)
	ran := filepath.Join(dir, "ran")
	launcherOf(t, dir, script(t, dir, "program", "#!/bin/sh\n: > "+ran+"\n"), func(l *launchLimits) { l.start = 50 * time.Millisecond })
	soonIs(t, "it is there", func() bool { return greets(dir, Launcher, answerPatience) == nil })
	if endsWithin(nil, time.Second) || exists(ran)() {
		t.Error("it has started what is there")
	}
	_ = scripts.Close()
	soonIs(t, "it starts what is not there", exists(ran))
	_ = disks.Close()
}

// A process that starts programs does not collect while it starts one.
func TestNothingIsCollectedDuringAStart(t *testing.T) {
	var f forks
	begun, gate, collected := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		_ = f.start(func() error {
			close(begun)
			<-gate
			return nil
		})
	}()
	<-begun
	if f.collect() {
		t.Error("it collects during a start")
	}
	close(gate)
	go func() {
		for !f.collect() {
			time.Sleep(time.Millisecond)
		}
		close(collected)
	}()
	if !endsWithin(collected, scriptPatience) {
		t.Error("it does not collect after the start")
	}
}
