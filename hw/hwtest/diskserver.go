package hwtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// diskVariable tells a process that it is the one behind a disk, and how large that is.
const diskVariable = "STANDFAST_LAB_DISK"

// image is the disk's file: memory, and what befalls its requests.
type image struct {
	fs.Inode
	data []byte

	mu      sync.Mutex
	order   diskOrder
	changed chan struct{} // closed when the order is another
	held    int
}

// serveDisk is the process behind a disk: it makes one, says which, and obeys orders until there are no more.
func serveDisk(size string) int {
	replies := json.NewEncoder(os.Stdout)
	i, loop, err := makeDisk(size)
	if err != nil {
		_ = replies.Encode(diskReply{Error: err.Error()})
		return 1
	}
	_ = replies.Encode(diskReply{Name: loop.name})
	orders := json.NewDecoder(os.Stdin)
	for {
		var o *diskOrder
		if orders.Decode(&o) != nil {
			break
		}
		if replies.Encode(diskReply{Held: i.obey(o)}) != nil {
			break
		}
	}
	i.obey(&diskOrder{})
	loop.release()
	return 0
}

// makeDisk mounts the file where only this process sees it and puts a loop device on it.
func makeDisk(size string) (*image, *loopDevice, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return nil, nil, fmt.Errorf("the size of a disk: %w", err)
	}
	data, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, fmt.Errorf("%d bytes of memory for a disk: %w", n, err)
	}
	const folder = "/run/standfast-lab-disk"
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		return nil, nil, fmt.Errorf("mount an empty /run: %w", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, nil, err
	}
	i := &image{data: data, changed: make(chan struct{})}
	root := &fs.Inode{}
	options := &fs.Options{OnAdd: func(ctx context.Context) {
		root.AddChild("image", root.NewPersistentInode(ctx, i, fs.StableAttr{Mode: fuse.S_IFREG}), false)
	}}
	options.DirectMountStrict = true
	options.ExtraCapabilities, options.MaxBackground = fuse.CAP_ASYNC_DIO, 1<<10 // a write that hangs holds up no read
	options.FsName, options.Name = "standfast-lab-disk", "lab"
	if _, err := fs.Mount(folder, root, options); err != nil {
		return nil, nil, fmt.Errorf("mount by FUSE: %w", err)
	}
	file, err := os.OpenFile(folder+"/image", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	loop, err := attach(file)
	return i, loop, err
}

// obey takes an order, and says how many requests are held. Without an order it only counts.
func (i *image) obey(o *diskOrder) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if o != nil {
		i.order = *o
		close(i.changed)
		i.changed = make(chan struct{})
	}
	return i.held
}

// endure makes a request wait as it is ordered, and says what becomes of it.
func (i *image) endure(ctx context.Context, write bool) syscall.Errno {
	i.mu.Lock()
	i.held++
	began := time.Now()
	for {
		t, changed := i.order.Read, i.changed
		if write {
			t = i.order.Write
		}
		left := t.Delay - time.Since(began)
		if !t.Hang && left <= 0 {
			i.held--
			i.mu.Unlock()
			return t.Errno
		}
		i.mu.Unlock()
		var timeout <-chan time.Time
		if !t.Hang {
			timeout = time.After(left)
		}
		select {
		case <-changed:
		case <-timeout:
		}
		i.mu.Lock()
	}
}

// Getattr tells the size.
func (i *image) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = fuse.S_IFREG|0o600, uint64(len(i.data))
	return 0
}

// Open has every request come here, past the page cache.
func (i *image) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

// Read answers a read of the disk.
func (i *image) Read(ctx context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := i.endure(ctx, false); errno != 0 {
		return nil, errno
	}
	if off < 0 || off >= int64(len(i.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(i.data[off:min(off+int64(len(dest)), int64(len(i.data)))]), 0
}

// Write answers a write to the disk.
func (i *image) Write(ctx context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := i.endure(ctx, true); errno != 0 {
		return 0, errno
	}
	if off < 0 || off+int64(len(data)) > int64(len(i.data)) {
		return 0, syscall.ENOSPC
	}
	return uint32(copy(i.data[off:], data)), 0
}

// Fsync answers a flush of the disk's cache.
func (i *image) Fsync(ctx context.Context, _ fs.FileHandle, _ uint32) syscall.Errno {
	return i.endure(ctx, true)
}

// loopDevice makes a disk of a file.
type loopDevice struct {
	name string
	node *os.File
}

// attach finds a free loop device and gives it the file. It is free again when its last user has gone.
func attach(file *os.File) (*loopDevice, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for deadline := time.Now().Add(diskPatience); ; {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		loop := &loopDevice{name: fmt.Sprintf("loop%d", n)}
		if loop.node, err = os.OpenFile("/dev/"+loop.name, os.O_RDWR, 0); err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Size: 4096, Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO}}
		err = unix.IoctlLoopConfigure(int(loop.node.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		loop.node.Close()
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) { // EBUSY: somebody else was quicker
			return nil, fmt.Errorf("attach a file to %s: %w", loop.name, err)
		}
	}
}

// release lets go of the device. Whoever still has it mounted finds that it fails, not that it hangs, when this process ends.
func (l *loopDevice) release() { l.node.Close() }
