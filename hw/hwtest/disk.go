package hwtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoDisk is the reason that [Lab.Disk] gives where no disk can be made.
var ErrNoDisk = errors.New("disks that misbehave cannot be made here: be root outside of any user namespace, with /dev/fuse, /dev/loop-control and a mkfs for the file system")

// diskPatience bounds every wait for the process behind a disk, which answers at once unless it is lost.
const diskPatience = 10 * time.Second

// A Disk is a block device with a file system on it that misbehaves on command. Behind it is a process of its own that serves one file in
// memory by FUSE; a loop device makes a disk of that file. So what happens to its requests happens to a real block device in
// the real kernel: they are in flight for as long as they hang, and whoever waits for one is in state D.
//
// The process behind it ends with this one, however that ends, and with it every request: none hangs for ever. Nothing else
// remains: the mount is private, and the loop device lets go of its file when the last user has.
//
// A program or a package's tests that make one have to run under [Main].
type Disk struct {
	room   *Namespace
	name   string
	path   string
	format string        // what mount(2) calls the file system
	option string        // and its options
	leave  chan struct{} // closed to send the thread away that the server hangs on
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the server has
	input  *os.File
	output *json.Decoder

	mu     sync.Mutex // one order at a time
	closed bool
}

// DiskOptions are what a disk is made with.
type DiskOptions struct {
	FileSystem string // "ext4", "xfs" or "btrfs"; empty: ext4
	Size       int64  // bytes, of memory that is taken as it is written; 0: what suits the file system
	Options    string // of mount(8), such as "data=journal"; ext4 always has errors=remount-ro
}

// diskKind is how a file system is made and mounted.
type diskKind struct {
	make    []string // the device comes last
	size    int64    // the default; xfs and btrfs refuse to be small
	options string
}

// diskKindOf knows the file systems that a disk may have.
func diskKindOf(name string) (diskKind, error) {
	switch name {
	case "", "ext4":
		return diskKind{strings.Fields("mkfs.ext4 -q -F -m 0 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0"), 64 << 20, "errors=remount-ro"}, nil
	case "xfs":
		return diskKind{strings.Fields("mkfs.xfs -q -f -K"), 320 << 20, ""}, nil
	case "btrfs":
		return diskKind{strings.Fields("mkfs.btrfs -q -f -K -m single"), 128 << 20, ""}, nil
	}
	return diskKind{}, fmt.Errorf("a disk with %q on it: %w", name, unix.EINVAL)
}

// Trouble is what befalls requests. The zero value is none.
type Trouble struct {
	Hang  bool          // they wait until the trouble is another
	Delay time.Duration // they wait for so long
	Errno unix.Errno    // and then fail; whatever it is here, the block layer makes EIO of all but ENOSPC
}

// diskOrder is what a disk's process is told, diskReply what it answers.
type (
	diskOrder struct{ Read, Write Trouble }
	diskReply struct {
		Name  string // of the loop device, in the first reply
		Error string
		Held  int // requests that hang or wait now
	}
)

// Disk makes a disk and mounts it in a namespace that sees mounts of its own, such as a router's, or in a new one if none is given.
// It is released and removed when the laboratory closes, first of all. errors.Is(err, ErrNoDisk) where that is not possible.
func (l *Lab) Disk(in *Namespace, o DiskOptions) (*Disk, error) {
	kind, err := diskKindOf(o.FileSystem)
	if err != nil {
		return nil, err
	}
	if err := diskPermitted(kind); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoDisk, err)
	}
	if in == nil {
		if in, err = newNamespace(true); err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.rooms = append(l.rooms, in)
		l.mu.Unlock()
	}
	if o.Size == 0 {
		o.Size = kind.size
	}
	d := &Disk{room: in, leave: make(chan struct{}), ended: make(chan struct{})}
	if err := d.serve(o.Size); err != nil {
		return nil, err
	}
	l.onClose(func() { _ = d.Close() })
	d.path = "/run/" + d.name
	if err := d.mount(kind, o.FileSystem, o.Options); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// diskPermitted tries what every disk needs.
func diskPermitted(kind diskKind) error {
	for _, node := range []string{"/dev/fuse", "/dev/loop-control"} {
		f, err := os.OpenFile(node, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		f.Close()
	}
	_, err := exec.LookPath(kind.make[0])
	return err
}

// serve starts the process behind the disk, on a thread that does nothing else: the kernel kills the process when the thread ends,
// so it must not be one that may hang on the disk.
func (d *Disk) serve(size int64) error {
	d.cmd = exec.Command("/proc/self/exe", "-test.run=^$") // finds no test where it was started by one that does not run under Main
	d.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", diskVariable, size))
	d.cmd.Stderr = os.Stderr
	// Pdeathsig for the end of this process; a group and mounts of its own, so that nothing that befalls a router befalls it.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Unshareflags: unix.CLONE_NEWNS}
	orders, input, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a disk: %w", err)
	}
	output, replies, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a disk: %w", errors.Join(err, orders.Close(), input.Close()))
	}
	d.cmd.Stdin, d.cmd.Stdout, d.input, d.output = orders, replies, input, json.NewDecoder(output)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := d.cmd.Start()
		orders.Close()
		replies.Close()
		started <- err
		if err != nil {
			return
		}
		d.cmd.Wait()
		output.Close()
		close(d.ended)
		<-d.leave
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start the process behind a disk: %w", err)
	}
	reply, err := d.reply()
	if err != nil {
		return errors.Join(fmt.Errorf("make a disk (does this program run under hwtest.Main?): %w", err), d.Close())
	}
	d.name = reply.Name
	return nil
}

// reply waits for what the server says.
func (d *Disk) reply() (diskReply, error) {
	answered := make(chan error, 1)
	var reply diskReply
	go func() { answered <- d.output.Decode(&reply) }()
	select {
	case err := <-answered:
		if err == nil && reply.Error != "" {
			err = errors.New(reply.Error)
		}
		return reply, err
	case <-time.After(diskPatience):
		return diskReply{}, fmt.Errorf("the process behind a disk: %w", os.ErrDeadlineExceeded)
	}
}

// order tells the server what to do from now on; nothing new with no order.
func (d *Disk) order(o *diskOrder) (diskReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return diskReply{}, fmt.Errorf("disk %s: %w", d.name, os.ErrClosed)
	}
	if err := json.NewEncoder(d.input).Encode(o); err != nil {
		return diskReply{}, fmt.Errorf("disk %s: %w", d.name, err)
	}
	reply, err := d.reply()
	if err != nil {
		return reply, fmt.Errorf("disk %s: %w", d.name, err)
	}
	return reply, nil
}

// mount makes the file system and mounts it.
func (d *Disk) mount(kind diskKind, name, options string) error {
	mkfs := exec.Command(kind.make[0], append(kind.make[1:], d.Node())...)
	if out, err := mkfs.CombinedOutput(); err != nil {
		return fmt.Errorf("%s on %s: %w: %s", kind.make[0], d.name, err, strings.TrimSpace(string(out)))
	}
	d.format, d.option = cmp.Or(name, "ext4"), strings.Trim(kind.options+","+options, ",")
	return d.room.Do(func() error {
		if err := os.MkdirAll(d.path, 0o755); err != nil {
			return err
		}
		return d.attach()
	})
}

// attach mounts what is on the device, in the namespace.
func (d *Disk) attach() error {
	if err := unix.Mount(d.Node(), d.path, d.format, unix.MS_NODEV|unix.MS_NOSUID, d.option); err != nil {
		return fmt.Errorf("mount %s on %s: %w", d.name, d.path, err)
	}
	return nil
}

// Forget has memory hold nothing of the disk: whoever opens a file next has to read its folder, and waits for that without heeding any
// signal, where he who waits for a file's bytes heeds SIGKILL. Nobody may use the disk meanwhile (EBUSY).
func (d *Disk) Forget() error {
	return d.room.Do(func() error {
		if err := unix.Unmount(d.path, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", d.path, err)
		}
		return d.attach()
	})
}

// Name is the kernel's name of the device: "loop3".
func (d *Disk) Name() string { return d.name }

// Node is the device's node: "/dev/loop3".
func (d *Disk) Node() string { return "/dev/" + d.name }

// Path is where the disk is mounted, in its namespace: "/run/loop3".
func (d *Disk) Path() string { return d.path }

// Outside is the same folder as Path, by a name that every thread of this process can use.
func (d *Disk) Outside() string { return d.room.proc() + "/root" + d.path }

// MountInfo is the file that lists the mounts of the disk's namespace, for every thread of this process.
func (d *Disk) MountInfo() string { return d.room.proc() + "/mountinfo" }

// Suffer puts the disk in trouble, reads and writes apart. Requests that were held by an earlier trouble meet the new one.
func (d *Disk) Suffer(reads, writes Trouble) error {
	_, err := d.order(&diskOrder{reads, writes})
	return err
}

// Hang has every request hang from now on, until another order.
func (d *Disk) Hang() error { return d.Suffer(Trouble{Hang: true}, Trouble{Hang: true}) }

// Fail has every request fail from now on.
func (d *Disk) Fail() error { return d.Suffer(Trouble{Errno: unix.EIO}, Trouble{Errno: unix.EIO}) }

// FailWrites has every write fail from now on, as an SSD does at the end of its life. ext4 makes itself read-only and xfs shuts
// itself down when they write to their journal, at the latest some seconds after a change.
func (d *Disk) FailWrites() error { return d.Suffer(Trouble{}, Trouble{Errno: unix.EIO}) }

// Slow has every request take at least so long.
func (d *Disk) Slow(delay time.Duration) error {
	return d.Suffer(Trouble{Delay: delay}, Trouble{Delay: delay})
}

// Heal ends every trouble. Requests that hung are done now.
func (d *Disk) Heal() error { return d.Suffer(Trouble{}, Trouble{}) }

// Held is how many requests hang or wait in the disk now. It changes nothing.
func (d *Disk) Held() (int, error) {
	reply, err := d.order(nil)
	return reply.Held, err
}

// Fill gives all of the file system's space to a file, so that whoever writes gets ENOSPC.
func (d *Disk) Fill() error {
	f, err := os.Create(filepath.Join(d.Outside(), "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(0)
	for chunk := int64(1 << 30); chunk >= 512; { // the last holes too
		err := unix.Fallocate(int(f.Fd()), 0, size, chunk)
		switch {
		case err == nil:
			size += chunk
		case errors.Is(err, unix.ENOSPC):
			chunk /= 2
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("fill %s: %w", d.path, err)
		}
	}
	return nil
}

// Remount makes the file system read-only, or writable again, as an administrator does.
func (d *Disk) Remount(readOnly bool) error {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_NODEV | unix.MS_NOSUID)
	if readOnly {
		flags |= unix.MS_RDONLY
	}
	return d.room.Do(func() error { return unix.Mount("", d.path, "", flags, "") })
}

// Close ends every trouble, unmounts the disk, from under its users if need be, and removes it. A second call does nothing.
func (d *Disk) Close() error {
	var errs []error
	if d.path != "" {
		if err := d.Heal(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err) // the server is gone, so nothing hangs
		}
	}
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if closed {
		return nil
	}
	if d.path != "" {
		errs = append(errs, d.unmount())
	}
	d.input.Close() // the server's sign to let go
	select {
	case <-d.ended:
	case <-time.After(diskPatience):
		d.cmd.Process.Kill()
		<-d.ended
		errs = append(errs, fmt.Errorf("the process behind disk %s did not end: %w", d.name, os.ErrDeadlineExceeded))
	}
	close(d.leave)
	return errors.Join(errs...)
}

// unmount takes the disk out of its namespace. A namespace that is gone has taken the mount along.
func (d *Disk) unmount() error {
	err := d.room.Do(func() error {
		err := unix.Unmount(d.path, 0)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(d.path, unix.MNT_DETACH)
		}
		return err
	})
	if err == nil || errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EINVAL) { // EINVAL: it never was mounted
		return nil
	}
	return fmt.Errorf("unmount %s: %w", d.path, err)
}
