package hwtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newDisk makes a disk, or skips the test where none can be made.
func newDisk(t *testing.T, lab *Lab, in *Namespace) *Disk {
	t.Helper()
	d, err := lab.Disk(in, DiskOptions{Size: 16 << 20})
	if errors.Is(err, ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eventually polls a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// put writes a file through to the disk.
func put(d *Disk, name, text string) error {
	f, err := os.OpenFile(filepath.Join(d.Outside(), name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// peek reads a device past every cache.
func peek(d *Disk) error {
	fd, err := unix.Open(d.Node(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buffer, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer unix.Munmap(buffer)
	_, err = unix.Pread(fd, buffer, 4096)
	return err
}

func TestDiskIsPrivateAndGoes(t *testing.T) {
	lab := New(t)
	router, err := lab.Router("r1")
	if err != nil {
		t.Fatal(err)
	}
	d := newDisk(t, lab, router.Namespace())
	if err := put(d, "file", "text"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(d.Outside(), "file")); err != nil || string(got) != "text" {
		t.Errorf("the file says %q, %v", got, err)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(mounts, []byte(d.Name())) {
		t.Errorf("everybody sees the mount (%v):\n%s", err, mounts)
	}
	if mounts, err := os.ReadFile(d.MountInfo()); err != nil || !bytes.Contains(mounts, []byte(d.Path())) {
		t.Errorf("its namespace does not see the mount (%v):\n%s", err, mounts)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the loop device lets go of its file", func() bool {
		_, err := os.Stat("/sys/block/" + d.Name() + "/loop")
		return errors.Is(err, os.ErrNotExist)
	})
	if err := d.Hang(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed disk obeys: %v", err)
	}
}

func TestDiskHangsAndRecovers(t *testing.T) {
	d := newDisk(t, New(t), nil)
	if err := d.Hang(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- peek(d) }()
	eventually(t, "a request hangs", func() bool {
		n, err := d.Held()
		return err == nil && n > 0
	})
	select {
	case err := <-done:
		t.Fatalf("the read returned: %v", err)
	default:
	}
	if err := d.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the disk came back: %v", err)
	}
}

func TestDiskIsReleasedWhenItHangs(t *testing.T) {
	lab := New(t)
	d := newDisk(t, lab, nil)
	if err := d.Hang(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- peek(d) }()
	go func() { done <- put(d, "file", "text") }()
	eventually(t, "both hang, each by itself", func() bool {
		n, err := d.Held()
		return err == nil && n > 1
	})
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	<-done
	<-done
}

func TestDiskWhoseProcessIsKilledFails(t *testing.T) {
	d := newDisk(t, New(t), nil)
	if err := d.Hang(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- peek(d) }()
	eventually(t, "the request hangs", func() bool {
		n, err := d.Held()
		return err == nil && n > 0
	})
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, unix.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
}

func TestDiskFails(t *testing.T) {
	d := newDisk(t, New(t), nil)
	if err := d.FailWrites(); err != nil {
		t.Fatal(err)
	}
	if err := peek(d); err != nil {
		t.Errorf("a read: %v", err)
	}
	if err := put(d, "file", "text"); !errors.Is(err, unix.EIO) {
		t.Errorf("a write: got %v, want EIO", err)
	}
	eventually(t, "ext4 is read-only", func() bool { return errors.Is(put(d, "other", "text"), unix.EROFS) })
	if err := d.Fail(); err != nil {
		t.Fatal(err)
	}
	if err := peek(d); !errors.Is(err, unix.EIO) {
		t.Errorf("a read: got %v, want EIO", err)
	}
}

func TestDiskFileSystems(t *testing.T) {
	lab := New(t)
	for _, name := range []string{"", "ext4", "xfs", "btrfs"} {
		t.Run(name, func(t *testing.T) {
			d, err := lab.Disk(nil, DiskOptions{FileSystem: name})
			if errors.Is(err, ErrNoDisk) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := put(d, "file", "text"); err != nil {
				t.Error(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := lab.Disk(nil, DiskOptions{FileSystem: "fat"}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("unknown: %v", err)
	}
}

func TestDiskIsFull(t *testing.T) {
	d := newDisk(t, New(t), nil)
	if err := d.Fill(); err != nil {
		t.Fatal(err)
	}
	if err := put(d, "file", "text"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
}

func TestDiskIsSlow(t *testing.T) {
	d := newDisk(t, New(t), nil)
	const delay = 50 * time.Millisecond
	if err := d.Slow(delay); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := peek(d); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < delay {
		t.Errorf("a read took %v", took)
	}
}

func TestDiskIsRemounted(t *testing.T) {
	d := newDisk(t, New(t), nil)
	if err := d.Remount(true); err != nil {
		t.Fatal(err)
	}
	if err := put(d, "file", "text"); !errors.Is(err, unix.EROFS) {
		t.Errorf("got %v, want EROFS", err)
	}
	if err := d.Remount(false); err != nil {
		t.Fatal(err)
	}
	if err := put(d, "file", "text"); err != nil {
		t.Errorf("writable again: %v", err)
	}
}

// TestDiskOfAKilledProcess is the worst case: whoever made the disk is killed while a thread of it hangs on the disk. Were the
// disk served by the same process, the thread would keep it from ending, and the request would hang for ever.
func TestDiskOfAKilledProcess(t *testing.T) {
	const inside = "STANDFAST_TEST_DISK_VICTIM"
	if os.Getenv(inside) != "" {
		d := newDisk(t, New(t), nil)
		if err := d.Hang(); err != nil {
			t.Fatal(err)
		}
		go peek(d)
		eventually(t, "a request hangs", func() bool {
			n, err := d.Held()
			return err == nil && n > 0
		})
		fmt.Printf("hangs on %s\n", d.Name())
		select {} // until it is killed
	}
	newDisk(t, New(t), nil) // skips where none can be made
	victim := exec.Command("/proc/self/exe", "-test.run=^TestDiskOfAKilledProcess$")
	victim.Env = append(os.Environ(), inside+"=1")
	output, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	if _, err := fmt.Fscanf(output, "hangs on %s\n", &name); err != nil {
		t.Errorf("the victim's disk: %v", err)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- victim.Wait() }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the killed process does not end")
	}
	eventually(t, "the loop device lets go of its file", func() bool {
		_, err := os.Stat("/sys/block/" + name + "/loop")
		return errors.Is(err, os.ErrNotExist)
	})
}
