package helper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"standfast/hw/disk"
)

// twinDisk is what a probe tries: it answers at once, errs, or hangs.
type twinDisk struct {
	mu      sync.Mutex
	opened  int
	tried   int
	err     error
	refuse  error // opening
	missing map[disk.Op]error
	hang    chan struct{} // an attempt waits for its end
	stuck   int           // attempts that wait
}

func (d *twinDisk) open(disk.Volume, string) (diskProbe, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	if d.refuse != nil {
		return nil, d.refuse
	}
	return twinProbing{d, d.missing}, nil
}

// twinProbing lacks what it lacked when it was opened.
type twinProbing struct {
	*twinDisk
	missing map[disk.Op]error
}

func (p twinProbing) Missing(op disk.Op) error { return p.missing[op] }
func (twinProbing) Close()                     {}

func (d *twinDisk) Do(disk.Op) error {
	d.mu.Lock()
	d.tried++
	hang, err := d.hang, d.err
	if hang != nil {
		d.stuck++
	}
	d.mu.Unlock()
	if hang == nil {
		time.Sleep(time.Millisecond)
		return err
	}
	<-hang
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck--
	return err
}

// freeze has attempts wait until thaw.
func (d *twinDisk) freeze() (thaw func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hang := make(chan struct{})
	d.hang = hang
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hang = nil
		close(hang)
	})
}

func (d *twinDisk) openings() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened
}

func (d *twinDisk) attempts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tried
}

func (d *twinDisk) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stuck
}

func sda(paths ...string) disk.Volume {
	return disk.Volume{Paths: paths, Mount: "/", Type: "ext4", Source: "/dev/sda1", Device: "8:1", Name: "sda1", Leaves: []string{"sda"}}
}

// helperOf is a disk helper in a bubble's time, whose runtime directory is dir.
func helperOf(t *testing.T, dir string, d *twinDisk) *diskServer {
	t.Helper()
	born := time.Now()
	now := func() time.Duration { return time.Hour + time.Since(born) }
	s := newDiskServer(Options{RuntimeDir: dir, Log: func(string) {}}, now, d.open)
	t.Cleanup(func() {
		s.follow(DiskOrder{})
		time.Sleep(2 * time.Second) // what is being tried ends
	})
	return s
}

func orderOf(volumes ...disk.Volume) DiskOrder {
	var o DiskOrder
	for _, v := range volumes {
		o.Watch = append(o.Watch, DiskTask{Volume: v, File: "/probe"})
	}
	return o
}

// runs are the attempts of a report that have not ended, and ended those that have.
func (w DiskWord) runs() (all []DiskSample) {
	for _, s := range w.Samples {
		if s.Sample.Ended == 0 {
			all = append(all, s)
		}
	}
	return all
}

func TestDiskIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &twinDisk{}
		s := helperOf(t, t.TempDir(), d)
		s.follow(orderOf(sda("/")))
		time.Sleep(10*time.Second + 500*time.Millisecond)
		synctest.Wait()
		w := s.report()
		kinds := map[disk.Op]int{}
		for i, x := range w.Samples {
			kinds[x.Sample.Op]++
			if x.Device != "8:1" || x.Sample.Ended-x.Sample.Began != time.Millisecond || x.Sample.Errno != 0 {
				t.Errorf("sample %+v", x)
			}
			if i > 0 && x.Sample.Seq <= w.Samples[i-1].Sample.Seq {
				t.Errorf("sample %d comes after %d", x.Sample.Seq, w.Samples[i-1].Sample.Seq)
			}
		}
		if kinds[disk.OpRead] < 9 || kinds[disk.OpWrite] < 4 || d.opened != 1 {
			t.Errorf("in ten seconds %v, opened %d times", kinds, d.opened)
		}
		s.follow(DiskOrder{})
		time.Sleep(2 * time.Second)
		tried := d.attempts()
		time.Sleep(10 * time.Second)
		if d.attempts() != tried {
			t.Error("it is tried although nobody wants to know")
		}
	})
}

// However long the disk hangs, however often helper and order change meanwhile, one task hangs on it; the
// next helper knows since when, and goes on when it is over.
func TestOneTaskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, d := t.TempDir(), &twinDisk{}
		first := helperOf(t, dir, d)
		first.follow(orderOf(sda("/")))
		time.Sleep(2 * time.Second)
		first.report()
		thaw := d.freeze()
		defer thaw()
		var began time.Duration
		for range 60 {
			time.Sleep(time.Second)
			synctest.Wait()
			if runs := first.report().runs(); len(runs) == 1 {
				began = runs[0].Sample.Began
			}
		}
		if began == 0 || first.now()-began < 55*time.Second {
			t.Fatalf("running since %v at %v", began, first.now())
		}
		// The operator changes what is looked at, again and again.
		for i := range 5 {
			first.follow(orderOf(sda("/"), disk.Volume{Device: fmt.Sprintf("8:%d", i+2), Leaves: []string{"sda"}}))
			time.Sleep(5 * time.Second)
		}
		// The helper is replaced, again and again. (That it was killed changes nothing: what hangs keeps its lock.)
		last := first
		for range 3 {
			last.follow(DiskOrder{})
			last = helperOf(t, dir, d)
			last.now = first.now
			last.follow(orderOf(sda("/")))
			time.Sleep(5 * time.Second)
			synctest.Wait()
			w := last.report()
			runs := w.runs()
			if len(runs) != 1 || runs[0].Device != "8:1" || runs[0].Sample.Began != began || len(w.Trouble) != 1 {
				t.Fatalf("the next helper reports %+v, want one that runs since %v", w, began)
			}
			if n := d.waiting(); n != 1 {
				t.Fatalf("%d tasks hang", n)
			}
		}
		thaw()
		time.Sleep(10*time.Second + 500*time.Millisecond)
		synctest.Wait()
		w := last.report()
		if len(w.runs()) > 0 || len(w.Trouble) > 0 || len(w.Samples) == 0 || w.Samples[0].Sample.Errno != unix.ECANCELED {
			t.Errorf("after the end %+v", w)
		}
		good := 0
		for _, x := range w.Samples {
			if x.Sample.Errno == 0 {
				good++
			}
		}
		if good < 5 {
			t.Errorf("%d attempts in ten seconds after the end", good)
		}
	})
}

// A helper that was killed in the first second of the hang has written nothing down.
func TestHangThatNobodyWroteDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := os.Create(filepath.Join(dir, "disk.sda.lock"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		d := &twinDisk{}
		s := helperOf(t, dir, d)
		came := s.now()
		s.follow(orderOf(sda("/")))
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if w := s.report(); len(w.Samples) > 0 {
			t.Errorf("at once it reports %+v: whoever holds the lock may be about to let go", w)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if runs := s.report().runs(); len(runs) != 1 || runs[0].Sample.Began != came || d.opened != 0 {
			t.Errorf("it reports %+v, opened %d times", runs, d.opened)
		}
	})
}

// Volumes that share a device are tried by one task, others each by its own.
func TestTasksFollowDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &twinDisk{}
		s := helperOf(t, t.TempDir(), d)
		thaw := d.freeze()
		defer thaw()
		s.follow(orderOf(
			disk.Volume{Device: "8:1", Leaves: []string{"sda"}}, disk.Volume{Device: "8:2", Leaves: []string{"sda"}},
			disk.Volume{Device: "9:0", Leaves: []string{"sda", "sdb"}}, disk.Volume{Device: "8:32", Leaves: []string{"sdc"}},
		))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := d.waiting(); n != 2 {
			t.Errorf("%d tasks hang on three disks of which two belong together, want 2", n)
		}
	})
}

func TestTroubleOfADisk(t *testing.T) {
	full := fmt.Errorf("fill /probe: %w", unix.ENOSPC)
	for _, test := range []struct {
		name  string
		disk  *twinDisk
		dir   string // of the locks
		want  []string
		errno map[unix.Errno]bool // of the samples
	}{
		{"well", &twinDisk{}, "", nil, map[unix.Errno]bool{0: true}},
		{"errs", &twinDisk{err: fmt.Errorf("read: %w", unix.EIO)}, "", nil, map[unix.Errno]bool{unix.EIO: true}},
		{"full", &twinDisk{missing: map[disk.Op]error{disk.OpWrite: full}}, "",
			[]string{"no write is tried: fill /probe: no space left on device"}, map[unix.Errno]bool{0: true}},
		{"cannot be opened", &twinDisk{refuse: fmt.Errorf("open: %w", unix.EACCES)}, "", []string{"open: permission denied"}, map[unix.Errno]bool{unix.EACCES: true}},
		{"nowhere to lock", &twinDisk{}, "nowhere", []string{"nothing is tried: the device cannot be locked"}, map[unix.Errno]bool{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), test.dir)
			synctest.Test(t, func(t *testing.T) {
				s := helperOf(t, dir, test.disk)
				s.follow(orderOf(sda("/")))
				time.Sleep(10*time.Second + 300*time.Millisecond)
				synctest.Wait()
				w := s.report()
				errno := map[unix.Errno]bool{}
				for _, x := range w.Samples {
					errno[x.Sample.Errno] = true
				}
				if diff := cmp.Diff(test.errno, errno); diff != "" {
					t.Errorf("error numbers (-want +got):\n%s", diff)
				}
				if len(w.Trouble) != len(test.want) || len(test.want) > 0 && !strings.Contains(w.Trouble[0].Text, test.want[0]) {
					t.Errorf("trouble %+v, want %q", w.Trouble, test.want)
				}
			})
		})
	}
	// What could not be made because the disk was full is made when it is not.
	synctest.Test(t, func(t *testing.T) {
		d := &twinDisk{missing: map[disk.Op]error{disk.OpWrite: errors.New("full")}}
		s := helperOf(t, t.TempDir(), d)
		s.follow(orderOf(sda("/")))
		time.Sleep(proberReopen - time.Second)
		synctest.Wait()
		if len(s.report().Trouble) != 1 {
			t.Error("no word about what is missing")
		}
		d.mu.Lock()
		d.missing = nil
		d.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if w := s.report(); len(w.Trouble) != 0 || w.Samples[len(w.Samples)-1].Sample.Errno != 0 {
			t.Errorf("after it was made: %+v", w)
		}
	})
}
