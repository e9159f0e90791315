package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/clock"
	"standfast/hw/disk"
	"standfast/hw/hwtest"
	"standfast/vrrp/node"
)

// labStorage is a disk that misbehaves, and the helper that tries it.
type labStorage struct {
	hostStorage
	volume disk.Volume
}

func (s labStorage) Find([]string) ([]disk.Volume, []disk.Skipped, error) {
	return []disk.Volume{s.volume}, nil, nil
}

// labSensor does not see the mount, which is another namespace's.
type labSensor struct{ diskSensor }

func (s labSensor) Read() disk.Signals {
	now := s.diskSensor.Read()
	now.Mount = disk.MountWell
	return now
}

func (s labStorage) Sensor(v disk.Volume) (diskSensor, error) {
	sensor, err := s.hostStorage.Sensor(v)
	return labSensor{sensor}, err
}

// diskLab makes a disk that misbehaves, or skips the test.
func diskLab(t *testing.T) (*hwtest.Disk, disk.Volume) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may read devices")
	}
	d, err := hwtest.New(t).Disk(nil, hwtest.DiskOptions{Size: 16 << 20})
	if errors.Is(err, hwtest.ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	number, err := os.ReadFile("/sys/class/block/" + d.Name() + "/dev")
	if err != nil {
		t.Fatal(err)
	}
	return d, disk.Volume{
		Paths: []string{d.Outside()}, Mount: "/", Type: "ext4", Source: d.Node(), Name: d.Name(),
		Device: strings.TrimSpace(string(number)), Leaves: []string{d.Name()},
	}
}

// watchDisk looks at the disk as the service does, until stop.
func watchDisk(t *testing.T, dir string, v disk.Volume) (s *storage, state func() node.Storage, stop func()) {
	t.Helper()
	e := edges{now: clock.Now, storage: labStorage{hostStorage{dir}, v}}
	s = newStorage(e, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { s.run(ctx) })
	all.Go(func() { s.converse(ctx) })
	all.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-s.news:
			case <-ctx.Done():
			}
		}
	})
	s.wanted.put(watched{paths: v.Paths})
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(stop)
	return s, func() node.Storage { return s.report.Load().State }, stop
}

// programOn writes a script on the disk that is not in memory when it is run.
func programOn(t *testing.T, d *hwtest.Disk, text string) string {
	t.Helper()
	name := filepath.Join(d.Outside(), "script")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close(), d.Forget()); err != nil {
		t.Fatal(err)
	}
	return name
}

// hangingTasks are the threads of a process that wait for the kernel and cannot be interrupted.
func hangingTasks(pid int) (n int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		if _, rest, ok := strings.Cut(string(text), ") "); ok && strings.HasPrefix(rest, "D") {
			n++
		}
	}
	return n
}

// The disk hangs: the service hears of it in time, one task hangs, neither its end nor that of the helper is held up by it, and
// whoever comes after them knows.
func TestDiskThatHangs(t *testing.T) {
	bad, volume := diskLab(t)
	dir := launched(t)
	_, leave := attend(t, dir)
	s, state, stop := watchDisk(t, dir, volume)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v", *s.report.Load())
		}
	})
	soonIs(t, "storage is healthy", func() bool { return state() == node.StorageHealthy })
	if r := s.report.Load().Volumes[0]; r.Trouble != "" || r.Reads.Count == 0 {
		t.Errorf("volume %+v", r)
	}
	soonIs(t, "it is written as well", func() bool { return s.report.Load().Volumes[0].Writes.Count > 0 })
	helpers := []int{peerOf(dir, HelperDisk)}
	stuck := func() (n int) {
		for _, pid := range helpers {
			n += hangingTasks(pid)
		}
		return n
	}
	if err := bad.Hang(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	soonIs(t, "storage has failed", func() bool { return state() == node.StorageFailed })
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %v until storage had failed", took)
	}
	if n := stuck(); n != 1 {
		t.Errorf("%d tasks hang", n)
	}
	// Killed, the helper stays as long as the disk hangs, and another takes its place.
	if err := unix.Kill(helpers[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	soonIs(t, "the disk helper is replaced", func() bool {
		pid := peerOf(dir, HelperDisk)
		return pid != helpers[0] && helperAnswers(dir, HelperDisk, helperAnswer) == nil
	})
	helpers = append(helpers, peerOf(dir, HelperDisk))
	soonIs(t, "the next helper says what hangs", func() bool {
		v := s.report.Load().Volumes[0]
		return strings.Contains(v.Trouble, "an earlier attempt still hangs on "+bad.Name())
	})
	if got := state(); got != node.StorageFailed {
		t.Errorf("storage is %v", got)
	}
	if n := stuck(); n != 1 {
		t.Errorf("%d tasks hang after the helper was replaced", n)
	}
	ended := time.Now()
	stop()
	leave()
	if took := time.Since(ended); took > 3*time.Second {
		t.Errorf("the end of the service took %v", took)
	}
	if err := launchHelpers(selfProgram, dir); err != nil {
		t.Errorf("the next service: %v", err)
	}
	_, leave = attend(t, dir)
	defer leave()
	s, state, stop = watchDisk(t, dir, volume)
	defer stop()
	soonIs(t, "the next service hears what hangs", func() bool { return state() == node.StorageFailed })
	if n := stuck(); n != 1 {
		t.Errorf("%d tasks hang after the service was replaced", n)
	}
	if err := bad.Heal(); err != nil {
		t.Fatal(err)
	}
	soonIs(t, "what hung has ended", func() bool { return stuck() == 0 })
	soonIs(t, "the disk is tried again", func() bool {
		v := s.report.Load().Volumes[0]
		return v.Trouble == "" && v.Reads.Count > 0
	})
}

// A script on a disk that hangs could not be run, and holds up no other: the helper goes on to speak, and to run what it can.
func TestScriptOnADiskThatHangs(t *testing.T) {
	bad, _ := diskLab(t)
	dir := launched(t)
	heard, leave := attend(t, dir)
	defer leave()
	soonIs(t, "the script helper answers", func() bool { return helperAnswers(dir, HelperScripts, helperAnswer) == nil })
	helper := peerOf(dir, HelperScripts)
	c := startClient(t, dir)
	out := filepath.Join(dir, "ran")
	name := programOn(t, bad, "#!/bin/sh\n: > "+out+"\n")
	if err := bad.Hang(); err != nil {
		t.Fatal(err)
	}
	c.Post("VI_0", []string{name})
	soonIs(t, "it hangs", func() bool { n, err := bad.Held(); return err == nil && n > 0 })
	c.Post("VI_0", []string{"/bin/true"})
	got := c.wait(t, 2)
	if got[0].Result != scriptNotRun || !strings.Contains(got[0].Detail, "it could not be started within 10s") {
		t.Errorf("the script on the disk: %v", got[0])
	}
	if got[1].Result != scriptNotRun || !strings.Contains(got[1].Detail, name+", still hangs in the kernel") {
		t.Errorf("the one behind it: %v", got[1])
	}
	if peerOf(dir, HelperScripts) != helper || c.end.Report().word() != "there" {
		t.Errorf("the helper is another, or silent; the launcher said %q", heard.notes)
	}
	if err := bad.Heal(); err != nil {
		t.Fatal(err)
	}
	soonIs(t, "its queue goes on", func() bool {
		n := len(c.told())
		c.Post("VI_0", []string{"/bin/true"})
		return c.wait(t, n+1)[n].Result == scriptSucceeded
	})
	if exists(out)() {
		t.Error("what was started too late has run")
	}
}
