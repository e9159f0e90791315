package disk

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) {
	// Disks wait for most of their time; the command line, parsed later, may say otherwise.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(hwtest.Main(m.Run))
}

// A patient is a real disk that misbehaves on command, with a helper's thread that probes it and a service that looks at it.
type patient struct {
	*hwtest.Disk
	t      *testing.T
	tree   fs.FS
	volume Volume
	sensor *Sensor
	record *Record
	hurry  bool // probe as often as the disk answers

	mu      sync.Mutex
	samples []Sample
}

// namespaced is the tree of /, with the mounts that another namespace sees.
type namespaced struct {
	fs.FS
	mounts string
}

func (n namespaced) ReadFile(name string) ([]byte, error) {
	if name == mountinfo {
		return os.ReadFile(n.mounts)
	}
	return fs.ReadFile(n.FS, name)
}

func (n namespaced) Lstat(name string) (fs.FileInfo, error)     { return fs.Lstat(n.FS, name) }
func (n namespaced) ReadLink(name string) (string, error)       { return fs.ReadLink(n.FS, name) }
func (n namespaced) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(n.FS, name) }
func (n namespaced) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(n.FS, name) }

// since is the time on the clock of samples.
func since() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// admit makes a disk, finds it as the product finds one, and begins to probe it. Limits are the product's, with a recovery that a
// test can wait for.
func admit(t *testing.T, o hwtest.DiskOptions, limits Limits) *patient {
	t.Helper()
	return admitTo(t, o, &patient{}, limits)
}

func admitTo(t *testing.T, o hwtest.DiskOptions, p *patient, limits Limits) *patient {
	t.Helper()
	d, err := hwtest.New(t).Disk(nil, o)
	if errors.Is(err, hwtest.ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Disk, p.t, p.tree = d, t, namespaced{os.DirFS("/"), d.MountInfo()}
	volumes, skipped, err := FindIn(p.tree, []string{d.Path() + "/probe"})
	if err != nil || len(volumes) != 1 {
		t.Fatal(volumes, skipped, err)
	}
	p.volume = volumes[0]
	p.sensor = openSensor(p.tree, p.volume)
	if statWithoutDisk(p.volume.Type) {
		p.sensor.folder, err = unix.Open(d.Outside(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
	}
	p.record = NewRecord(p.volume, limits)
	probe, err := OpenProbe(p.volume, filepath.Join(d.Outside(), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	for op := range numOps {
		if err := probe.Missing(op); err != nil {
			t.Fatal(err)
		}
	}
	discharge, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		defer probe.Close()
		p.probe(probe, discharge)
	}()
	t.Cleanup(func() { // before the laboratory closes
		if err := d.Heal(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		close(discharge)
		<-gone
		p.sensor.Close()
	})
	p.await(Healthy, 20*time.Second)
	return p
}

// probe is what a helper does.
func (p *patient) probe(probe *Probe, discharge <-chan struct{}) {
	var plan Plan
	for {
		op, at, _ := plan.Next()
		if p.hurry {
			at = since() + 5*time.Millisecond
		}
		select {
		case <-discharge:
			return
		case <-time.After(at - since()):
		}
		s := Sample{Op: op, Began: since()}
		s.Seq = uint64(s.Began)
		p.tell(s)
		s.Errno = Errno(probe.Do(op))
		s.Ended = since()
		p.tell(s)
		plan.Done(s)
	}
}

func (p *patient) tell(s Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, s)
}

// look is what a service does every now and then.
func (p *patient) look() (Grade, string) {
	p.mu.Lock()
	samples := p.samples
	p.samples = nil
	p.mu.Unlock()
	for _, s := range samples {
		p.record.Add(s)
	}
	p.record.Observe(since(), p.sensor.Read())
	return p.record.Grade(since())
}

// await looks until the grade is as wanted, and returns what it took, and the sentence.
func (p *patient) await(want Grade, within time.Duration) (time.Duration, string) {
	p.t.Helper()
	for began := since(); ; time.Sleep(100 * time.Millisecond) {
		got, why := p.look()
		took := since() - began
		if got == want {
			return took, why
		}
		if took > within {
			p.t.Fatalf("not %v within %v but %v: %s; %+v", want, within, got, why, p.sensor.Read())
		}
	}
}

// fails looks for a while and wants the disk to stay failed.
func (p *patient) fails(period time.Duration) {
	p.t.Helper()
	for began := since(); since()-began < period; time.Sleep(100 * time.Millisecond) {
		if got, why := p.look(); got != Failed {
			p.t.Fatalf("not failed but %v: %s", got, why)
		}
	}
}

// spared looks for a while and wants the disk never to be called failed. A machine under load may make it slow, and that is true then.
func (p *patient) spared(period time.Duration) {
	p.t.Helper()
	for began := since(); since()-began < period; time.Sleep(100 * time.Millisecond) {
		if got, why := p.look(); got != Healthy && got != Slow {
			p.t.Fatalf("%v: %s", got, why)
		}
	}
}

// quick are the product's limits, but that a recovery does not take half a minute.
func quick() Limits {
	l := DefaultLimits()
	l.Recover, l.Calm = 2*time.Second, 2*time.Second
	return l
}

// remember writes the tree of this moment to testdata where the test runs with -record.kernel.
func (p *patient) remember(name string) {
	p.t.Helper()
	if !*recordKernel {
		return
	}
	s := spy{p.tree, map[string]string{}}
	volumes, _, err := FindIn(s, []string{p.Path()})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, v := range volumes {
		openSensor(s, v).Read()
	}
	record(p.t, s, name, "go test ./hw/disk -run "+p.t.Name()+" -record.kernel")
}

func TestRealDiskHangs(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	check(t, p.Hang())
	took, why := p.await(Failed, 8*time.Second)
	p.remember("loop-hangs")
	t.Logf("failed %v after it hung: %s", took, why)
	if took < 5*time.Second-100*time.Millisecond || !strings.Contains(why, "has not been answered for") || !strings.Contains(why, "in flight on "+p.Name()) {
		t.Errorf("failed after %v: %s", took, why)
	}
	p.fails(2 * time.Second)
	check(t, p.Heal())
	took, _ = p.await(Healthy, 20*time.Second)
	t.Logf("healthy %v after it came back", took)
	if took < 2*time.Second {
		t.Errorf("believed after %v", took)
	}
	if h := p.record.Histogram(OpRead); h.Count() < 2 || h.Max() == 0 {
		t.Errorf("reads: %d, at most %v", h.Count(), h.Max())
	}
}

// TestRealWritesHang hangs writes and answers reads, as a disk does that collects garbage without end. With one thread that probes,
// reads stop too; the device shows the writes.
func TestRealWritesHang(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	check(t, p.Suffer(hwtest.Trouble{}, hwtest.Trouble{Hang: true}))
	took, why := p.await(Failed, 8*time.Second)
	t.Logf("failed after %v: %s", took, why)
	if !strings.Contains(why, "a write has not been answered for") {
		t.Error(why)
	}
}

func TestRealDiskFails(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ext4", "xfs", "btrfs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admit(t, hwtest.DiskOptions{FileSystem: name}, quick())
			check(t, p.Fail())
			took, why := p.await(Failed, 3*time.Second)
			t.Logf("failed after %v: %s", took, why)
			p.fails(3 * time.Second)
		})
	}
}

// TestRealReadOnly is what errors=remount-ro does: the file system makes itself read-only, and says so in one place only.
func TestRealReadOnly(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	check(t, p.FailWrites())
	took, why := p.await(Failed, 3*time.Second)
	t.Logf("failed after %v: %s", took, why)
	check(t, os.WriteFile(filepath.Join(p.Outside(), "file"), []byte("to be committed"), 0o600))
	for deadline := time.Now().Add(20 * time.Second); p.sensor.Read().Mount != MountErrorsRead; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(p.MountInfo())
			t.Fatalf("ext4 does not make itself read-only:\n%s", text)
		}
	}
	p.remember("loop-read-only-after-errors")
	check(t, p.Heal()) // the disk is well again, and the file system stays as it is
	_, why = p.await(Failed, time.Second)
	if !strings.Contains(why, "ext4 has made itself read-only after errors") {
		t.Error(why)
	}
	p.fails(4 * time.Second)
}

// TestRealShutdown shuts a file system down, as a driver does whose device has gone.
func TestRealShutdown(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{"ext4": "ext4 has shut itself down", "xfs": `xfs answers "input/output error" to everything`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admit(t, hwtest.DiskOptions{FileSystem: name}, quick())
			check(t, shutdown(p.Outside()))
			took, why := p.await(Failed, time.Second)
			p.remember("loop-shutdown-" + name)
			t.Logf("failed after %v: %s", took, why)
			if !strings.Contains(why, says) {
				t.Errorf("got %s, want %s", why, says)
			}
		})
	}
}

func TestRealDiskIsFull(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ext4", "xfs", "btrfs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admit(t, hwtest.DiskOptions{FileSystem: name}, quick())
			check(t, p.Fill())
			if err := os.WriteFile(filepath.Join(p.Outside(), "more"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("it is not full: %v", err)
			}
			p.spared(4 * time.Second)
		})
	}
}

func TestRealAdministratorRemounts(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	p.remember("loop-well")
	check(t, p.Remount(true))
	if m := p.sensor.Read().Mount; m != MountReadOnly {
		t.Errorf("the mount is %v", m)
	}
	p.remember("loop-read-only-by-administrator")
	p.spared(4 * time.Second)
	check(t, p.Remount(false))
	p.spared(time.Second)
}

// TestRealFreeze freezes the file system as a snapshot does: its writes wait, and the disk is well.
func TestRealFreeze(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	check(t, freeze(p.Outside(), true))
	defer freeze(p.Outside(), false)
	p.spared(9 * time.Second)
	check(t, freeze(p.Outside(), false))
	p.spared(3 * time.Second)
	if h := p.record.Histogram(OpWrite); h.Max() > 3*time.Second {
		t.Errorf("the freeze was counted: %v", h.Max())
	}
}

func TestRealDiskIsSlow(t *testing.T) {
	t.Parallel()
	limits := quick()
	limits.Slow = [2]time.Duration{100 * time.Millisecond, 200 * time.Millisecond}
	p := admitTo(t, hwtest.DiskOptions{}, &patient{hurry: true}, limits)
	check(t, p.Slow(150*time.Millisecond))
	took, why := p.await(Slow, 30*time.Second)
	t.Logf("slow after %v: %s", took, why)
	check(t, p.Heal())
	took, _ = p.await(Healthy, 60*time.Second)
	t.Logf("healthy after %v", took)
}

// TestRealDiskIsLate stops the disk for a moment that is too short to be a hang.
func TestRealDiskIsLate(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	check(t, p.Hang())
	_, why := p.await(Slow, 5*time.Second)
	check(t, p.Heal())
	if !strings.Contains(why, "has not been answered for 3.") {
		t.Error(why)
	}
	p.await(Healthy, 10*time.Second)
}

func TestRealProbe(t *testing.T) {
	t.Parallel()
	p := admit(t, hwtest.DiskOptions{}, quick())
	file := filepath.Join(p.Outside(), "other")
	elsewhere := filepath.Join(t.TempDir(), "probe")
	probe, err := OpenProbe(p.volume, elsewhere)
	check(t, err)
	if err := probe.Missing(OpWrite); !errors.Is(err, unix.EXDEV) {
		t.Errorf("a file on another disk: %v", err)
	}
	if err := probe.Do(OpRead); err != nil {
		t.Error(err)
	}
	probe.Close()
	probe.Close()
	if err := probe.Read(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}

	check(t, os.Symlink("probe", file))
	probe, err = OpenProbe(p.volume, file)
	check(t, err)
	if err := probe.Missing(OpWrite); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	probe.Close()

	// Where the device cannot be opened, or there are several and none of the volume's own, the file is read.
	unopenable, several := p.volume, p.volume
	unopenable.Leaves = []string{"nosuchdevice"}
	several.Name, several.Leaves = "", []string{"sda", "sdb"}
	for _, v := range []Volume{unopenable, several} {
		probe, err = OpenProbe(v, filepath.Join(p.Outside(), "probe"))
		check(t, err)
		if probe.reads.name != filepath.Join(p.Outside(), "probe") {
			t.Errorf("reads %s", probe.reads.name)
		}
		for op := range numOps {
			if err := probe.Do(op); err != nil {
				t.Error(err)
			}
		}
		probe.Close()
	}

	// With several devices and one of the volume's own, that one is read.
	several.Name = p.Name()
	probe, err = OpenProbe(several, "")
	check(t, err)
	if probe.reads.name != p.Node() {
		t.Errorf("reads %s", probe.reads.name)
	}
	if err := probe.Do(OpWrite); !errors.Is(err, unix.ENOENT) {
		t.Errorf("without a file: %v", err)
	}
	probe.Close()

	if _, err = OpenProbe(unopenable, ""); !errors.Is(err, unix.ENOENT) {
		t.Errorf("nothing to probe: %v", err)
	}
	unwritten := p.volume
	unwritten.ReadOnly = true
	probe, err = OpenProbe(unwritten, filepath.Join(p.Outside(), "probe"))
	check(t, err)
	if err := probe.Missing(OpWrite); !errors.Is(err, unix.EROFS) {
		t.Errorf("read-only: %v", err)
	}
	if err := probe.Do(numOps); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an unknown operation: %v", err)
	}
	probe.Close()

	probe, err = OpenProbe(p.volume, filepath.Join(p.Outside(), "third"))
	check(t, err)
	check(t, os.Remove(filepath.Join(p.Outside(), "third")))
	if err := probe.Write(); err != nil {
		t.Errorf("after the file was removed: %v", err)
	}
	check(t, os.Truncate(filepath.Join(p.Outside(), "third"), 100))
	if err := probe.Write(); err != nil {
		t.Errorf("after the file was cut: %v", err)
	}
	if info, err := os.Stat(filepath.Join(p.Outside(), "third")); err != nil || info.Size() != fileSize {
		t.Errorf("it was not made again: %v", err)
	}
	probe.Close()

	check(t, p.Fill())
	probe, err = OpenProbe(p.volume, filepath.Join(p.Outside(), "late"))
	check(t, err)
	if err := probe.Missing(OpWrite); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("full: %v", err)
	}
	probe.Close()

	// A disk that fails already is probed, so that it is found to fail.
	check(t, p.FailWrites())
	probe, err = OpenProbe(p.volume, filepath.Join(p.Outside(), "probe"))
	check(t, err)
	if err := probe.Missing(OpWrite); err != nil {
		t.Errorf("failing: %v", err)
	}
	if err := probe.Do(OpWrite); !errors.Is(err, unix.EIO) {
		t.Errorf("failing: %v", err)
	}
	probe.Close()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fsIoctl makes a call on the file system of a folder.
func fsIoctl(folder string, number uint, value int) error {
	fd, err := unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlSetPointerInt(fd, number, value)
}

// shutdown is FS_IOC_SHUTDOWN without a flush of the journal.
func shutdown(folder string) error { return fsIoctl(folder, 0x8004587d, 2) }

// freeze is FIFREEZE and FITHAW.
func freeze(folder string, frozen bool) error {
	if frozen {
		return fsIoctl(folder, 0xc0045877, 0)
	}
	return fsIoctl(folder, 0xc0045878, 0)
}
