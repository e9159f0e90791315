package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	block = 4096 // read or written at once: no file system and hardly any disk has larger blocks
	// fileSize is large enough that reading it at random is not answered by a disk's own memory for ever, and small enough to
	// be written once in full.
	fileSize = 1 << 20
	// fileMode keeps others from truncating it.
	fileMode = 0o600
)

// A Probe reads and writes the disk of one volume. Each of its calls, OpenProbe and Close included, hangs as long as the disk
// does and cannot be interrupted, not even by SIGKILL: a Probe belongs into a process that may be lost. It is not for several
// goroutines at once.
//
// What it reads stays open, so that as long a device cannot be stopped or detached and its file system not be unmounted. What it
// writes does not, lest an administrator could not make the file system read-only.
type Probe struct {
	volume Volume
	reads  target
	file   string // to be written; empty if there is none
	lacks  error  // why there is none
	buffer []byte // of its own pages, since O_DIRECT wants it aligned
}

// target is what is read.
type target struct {
	fd   int
	name string
	size int64
	err  error // why there is none
}

// OpenProbe opens the volume's device to be read, and tries a file on it to be written. The file is made where it does not exist,
// and filled: later writes change it in place and need neither space nor a quota. An empty name, or a volume that is read-only,
// makes a probe that only reads. The device is the leaf where there is one, which no freeze of a file system and no quota
// holds up; with several, the volume's own, since one of several may fail and nothing be lost; and where the device cannot be
// opened, the file.
//
// One of the two operations may be missing, and [Probe.Missing] says why. An error is returned only if both are.
func OpenProbe(v Volume, file string) (*Probe, error) {
	buffer, err := unix.Mmap(-1, 0, block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("no memory for a probe of %v: %w", v, err)
	}
	p := &Probe{volume: v, buffer: buffer, file: file, reads: openDevice(v)}
	switch {
	case file == "":
		p.lacks = fmt.Errorf("no file of %v was named to be written: %w", v, unix.ENOENT)
	case v.ReadOnly:
		p.lacks = fmt.Errorf("%v is read-only: %w", v, unix.EROFS)
	default:
		p.lacks = p.unwritable()
	}
	if p.reads.err != nil && p.lacks == nil {
		p.reads = openToRead(file)
	}
	if p.reads.err != nil && p.lacks != nil {
		err := fmt.Errorf("cannot probe %v: %w; %w", v, p.reads.err, p.lacks)
		p.Close()
		return nil, err
	}
	return p, nil
}

// unwritable tries a write and says why none can be done. That the disk fails is no reason: every further one is to say so. (A file
// system that is read-only is one. Where it has become so, the signals tell; where only this process may not write, nothing is wrong.)
func (p *Probe) unwritable() error {
	err := p.Write()
	if n := Errno(err); isFault(n) && n != unix.EROFS {
		return nil
	}
	return err
}

// Missing says why an operation cannot be done; nil if it can.
func (p *Probe) Missing(op Op) error {
	switch op {
	case OpRead:
		return p.reads.err
	case OpWrite:
		return p.lacks
	}
	return fmt.Errorf("operation %d: %w", op, unix.EINVAL)
}

// Do reads or writes.
func (p *Probe) Do(op Op) error {
	switch op {
	case OpRead:
		return p.Read()
	case OpWrite:
		return p.Write()
	}
	return p.Missing(op)
}

// Read reads 4 KiB at a random place past every cache of this host. The error holds the kernel's number.
func (p *Probe) Read() error {
	t := &p.reads
	if t.err != nil {
		return t.err
	}
	n, err := retry(func() (int, error) { return unix.Pread(t.fd, p.buffer, place(t.size)) })
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", t.name, err)
	case n != len(p.buffer):
		return fmt.Errorf("read %s: %d bytes of %d: %w", t.name, n, len(p.buffer), unix.EIO)
	}
	return nil
}

// Write writes 4 KiB at a random place of the file and returns when the disk says that they are on it. The error holds the
// kernel's number. A file that somebody has removed or cut is made again.
func (p *Probe) Write() error {
	if p.lacks != nil {
		return p.lacks
	}
	fd, err := openToWrite(p.volume, p.file)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // its error says nothing: what was written is on the disk
	n, err := retry(func() (int, error) { return unix.Pwrite(fd, p.buffer, place(fileSize)) })
	switch {
	case err != nil:
		return fmt.Errorf("write %s: %w", p.file, err)
	case n != len(p.buffer):
		return fmt.Errorf("write %s: %d bytes of %d: %w", p.file, n, len(p.buffer), unix.EIO)
	}
	return nil
}

// Close lets go of device and file; the file stays. It returns no error: there is nothing that a caller could do about one.
func (p *Probe) Close() {
	if p.reads.err == nil {
		_ = unix.Close(p.reads.fd)
	}
	if p.buffer != nil {
		_ = unix.Munmap(p.buffer)
	}
	p.reads.err, p.lacks, p.buffer = os.ErrClosed, os.ErrClosed, nil
}

// place is a random aligned place of a file or device.
func place(size int64) int64 { return rand.Int64N(size/block) * block }

// retry repeats a call that a signal has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// openDevice opens what is to be read.
func openDevice(v Volume) target {
	name := v.Name
	if len(v.Leaves) == 1 {
		name = v.Leaves[0]
	}
	if name == "" {
		return target{err: fmt.Errorf("%v has several devices and none of its own: %w", v, unix.ENODEV)}
	}
	t := target{name: "/dev/" + strings.ReplaceAll(name, "!", "/")} // cciss!c0d0 is /dev/cciss/c0d0
	t.fd, t.err = unix.Open(t.name, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if t.err != nil {
		t.err = fmt.Errorf("open %s: %w", t.name, t.err)
		return t
	}
	t.err = t.measure(name)
	if t.err != nil {
		_ = unix.Close(t.fd)
	}
	return t
}

// measure makes sure that the node is the device that it is called after, and finds its size.
func (t *target) measure(name string) error {
	text, err := os.ReadFile("/sys/class/block/" + name + "/dev")
	if err != nil {
		return fmt.Errorf("which device is %s? %w", name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(t.fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", t.name, err)
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	if st.Mode&unix.S_IFMT != unix.S_IFBLK || device != strings.TrimSpace(string(text)) {
		return fmt.Errorf("%s is not the device %s: %w", t.name, name, unix.ENODEV)
	}
	end, err := unix.Seek(t.fd, 0, unix.SEEK_END)
	switch {
	case err != nil:
		return fmt.Errorf("the size of %s: %w", t.name, err)
	case end < block:
		return fmt.Errorf("%s has only %d bytes: %w", t.name, end, unix.ENXIO)
	}
	t.size = end
	return nil
}

// openToWrite opens, and if need be makes, the file that is to be written.
func openToWrite(v Volume, file string) (int, error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_DSYNC
	fd, err := unix.Open(file, flags|unix.O_DIRECT, fileMode)
	if errors.Is(err, unix.EINVAL) { // no O_DIRECT there; O_DSYNC alone reaches the disk too
		fd, err = unix.Open(file, flags, fileMode)
	}
	if err != nil {
		return -1, fmt.Errorf("open %s to write: %w", file, err)
	}
	if err := fill(fd, v, file); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// fill makes sure that the file is a plain one on the volume, and that all of it is written: what was only reserved would
// change the file system's books at the first write.
func fill(fd int, v Volume, file string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", file, err)
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1:
		return fmt.Errorf("%s is not a plain file with one name: %w", file, unix.EINVAL)
	case v.Name != "" && device != v.Device: // a btrfs gives each subvolume a number of its own
		return fmt.Errorf("%s is on %s and not on %v (%s): %w", file, device, v, v.Device, unix.EXDEV)
	case st.Size == fileSize && st.Blocks*512 >= fileSize:
		return nil
	}
	zeros, err := unix.Mmap(-1, 0, fileSize, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("no memory to fill %s: %w", file, err)
	}
	defer unix.Munmap(zeros)
	for done := 0; done < len(zeros); {
		n, err := retry(func() (int, error) { return unix.Pwrite(fd, zeros[done:], int64(done)) })
		if err != nil {
			return fmt.Errorf("fill %s: %w", file, err)
		}
		done += n
	}
	if err := unix.Ftruncate(fd, fileSize); err != nil {
		return fmt.Errorf("cut %s to its size: %w", file, err)
	}
	return nil
}

// openToRead opens the file to be read instead of a device.
func openToRead(file string) target {
	t := target{name: file, size: fileSize}
	t.fd, t.err = unix.Open(file, unix.O_RDONLY|unix.O_DIRECT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if t.err != nil { // without O_DIRECT the host's memory would answer
		t.err = fmt.Errorf("open %s to read: %w", file, t.err)
	}
	return t
}
