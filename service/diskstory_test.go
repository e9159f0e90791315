package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	"standfast/service/helper"
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

// asHelper in the environment makes the test binary the program whose helpers are launched.
const asHelper = "STANDFAST_TEST_AS_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(asHelper) != "" && len(os.Args) > 2 && os.Args[1] == "helper" {
		os.Exit(helperMain(os.Args[2:]))
	}
	os.Exit(hwtest.Main(m.Run))
}

// helperMain is a helper that was launched: "helper KIND --runtime-dir DIR --linger TIME --launched".
func helperMain(args []string) int {
	linger, err := time.ParseDuration(args[4])
	if err != nil {
		return 2
	}
	o := helper.Options{RuntimeDir: args[2], Linger: linger, Launched: true, Log: func(string) {}}
	if err := helper.Run(context.Background(), helper.Kind(args[0]), o); err != nil {
		return 1
	}
	return 0
}

// launched launches helpers in a new runtime directory, and sees to their end.
func launched(t *testing.T) (dir string) {
	t.Helper()
	t.Setenv(asHelper, "1")
	dir, err := os.MkdirTemp("", "disks") // short, for the names of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := helper.Launch(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, k := range []helper.Kind{helper.Launcher, helper.Scripts, helper.Disk} {
			if pid := peerOf(dir, k); pid != 0 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	})
	return dir
}

// attend is a service that only wants the launcher to be there, until stop.
func attend(t *testing.T, dir string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { helper.NewLauncherEnd(clock.Now, func(string) {}).Run(ctx, dir) })
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// peerOf is the process that listens in the runtime directory as a helper; 0 where none does.
func peerOf(dir string, k helper.Kind) (pid int) {
	conn, err := net.Dial("unix", filepath.Join(dir, string(k)+".sock"))
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}

// soonIs waits for what must come.
func soonIs(t *testing.T, what string, condition func() bool) {
	t.Helper()
	const patience = 30 * time.Second
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
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
	leave := attend(t, dir)
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
	helpers := []int{peerOf(dir, helper.Disk)}
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
		pid := peerOf(dir, helper.Disk)
		return pid != 0 && pid != helpers[0]
	})
	helpers = append(helpers, peerOf(dir, helper.Disk))
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
	if err := helper.Launch(dir); err != nil {
		t.Errorf("the next service: %v", err)
	}
	leave = attend(t, dir)
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
