package nbd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Trouble is what befalls requests. The zero value is none.
type Trouble struct {
	Hang  bool          // they wait until the trouble is another
	Delay time.Duration // they wait for so long, from when they came
	// Errno is what they fail with then, without having done anything. NBD has EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW,
	// ENOTSUP and ESHUTDOWN (section "Error values"); of anything else it makes EIO, and so does a guest's block layer of all
	// but ENOSPC.
	Errno syscall.Errno
}

// direction is which of its two troubles a request meets.
type direction int

const (
	reading direction = iota
	writing
)

// A Disk serves one machine, or one after the other; its methods may be called at any time, by anyone.
type Disk struct {
	content  overlay
	listener net.Listener
	end      context.CancelFunc
	running  sync.WaitGroup // every goroutine but those of requests, for which their connection waits
	arrived  [2]atomic.Uint64

	mu      sync.Mutex
	trouble [2]Trouble
	changed chan struct{} // closed when the trouble is another
	held    int
}

// acceptPause is how long a server that could not take a connection lets pass before it tries again.
const acceptPause = 10 * time.Millisecond

// maxSocket is how long the name of a unix socket may be, in bytes (unix(7)).
const maxSocket = 107

// Serve makes a disk of so many bytes, more than none, that starts as the base does, and as zeroes behind the end of that, and serves it
// on a new unix socket. The base must not change for as long as the disk is served; it may be read by many at a time.
// For QEMU: -blockdev driver=nbd,server.type=unix,server.path=SOCKET,node-name=disk,reconnect-delay=0.
// Errors are those of listening, and syscall.EINVAL for a size that none is.
func Serve(socket string, base io.ReaderAt, size int64) (*Disk, error) {
	if size <= 0 {
		return nil, fmt.Errorf("a disk of %d bytes: %w", size, syscall.EINVAL)
	}
	if len(socket) > maxSocket {
		return nil, fmt.Errorf("a disk at %s: choose a shorter path, of %d bytes at most: %w", socket, maxSocket, syscall.ENAMETOOLONG)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("serve a disk: %w", err)
	}
	d := newDisk(base, size)
	d.listener = listener
	ctx, cancel := context.WithCancel(context.Background())
	d.end = cancel
	d.running.Go(func() { d.accept(ctx) })
	return d, nil
}

// newDisk makes a disk that nobody can reach yet.
func newDisk(base io.ReaderAt, size int64) *Disk {
	return &Disk{content: overlay{base: base, size: size, chunks: map[int64][]byte{}}, changed: make(chan struct{})}
}

// accept serves every client that comes.
func (d *Disk) accept(ctx context.Context) {
	for {
		client, err := d.listener.Accept()
		switch {
		case err == nil:
			d.running.Go(func() { d.serve(ctx, client) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // such as no file descriptor left, which passes
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		}
	}
}

// Suffer puts the disk in trouble, reads and writes apart; a flush, a trim and a writing of zeroes are writes. Requests that were held by
// an earlier trouble meet the new one. The client in QEMU has 16 requests open at most: when so many hang, others wait in QEMU.
func (d *Disk) Suffer(reads, writes Trouble) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble = [...]Trouble{reading: reads, writing: writes}
	close(d.changed)
	d.changed = make(chan struct{})
}

// Hang has every request hang from now on, until another order.
func (d *Disk) Hang() { d.Suffer(Trouble{Hang: true}, Trouble{Hang: true}) }

// Fail has every request fail with EIO from now on.
func (d *Disk) Fail() { d.Suffer(Trouble{Errno: syscall.EIO}, Trouble{Errno: syscall.EIO}) }

// FailWrites has every write fail with EIO from now on, as an SSD does at the end of its life.
func (d *Disk) FailWrites() { d.Suffer(Trouble{}, Trouble{Errno: syscall.EIO}) }

// Slow has every request take at least so long.
func (d *Disk) Slow(delay time.Duration) { d.Suffer(Trouble{Delay: delay}, Trouble{Delay: delay}) }

// Heal ends every trouble. Requests that hung are done now.
func (d *Disk) Heal() { d.Suffer(Trouble{}, Trouble{}) }

// Held is how many requests hang or wait in the disk now.
func (d *Disk) Held() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held
}

// Reads is how many reads have come since the disk is served, whatever became of them. Those that NBD forbids do not count.
func (d *Disk) Reads() uint64 { return d.arrived[reading].Load() }

// Writes is the same for what Suffer calls writes.
func (d *Disk) Writes() uint64 { return d.arrived[writing].Load() }

// Close ends every connection, drops what was held and removes the socket. What the disk held is lost. A second call does nothing.
func (d *Disk) Close() error {
	d.end()
	err := d.listener.Close()
	d.running.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close a disk: %w", err)
	}
	return nil
}

// endure has a request wait as it is ordered, and says what becomes of it then. It is false for one that has nobody any more to wait for.
func (d *Disk) endure(ctx context.Context, way direction) (syscall.Errno, bool) {
	came := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held++
	defer func() { d.held-- }()
	for ctx.Err() == nil {
		trouble, changed := d.trouble[way], d.changed
		left := trouble.Delay - time.Since(came)
		if !trouble.Hang && left <= 0 {
			return trouble.Errno, true
		}
		d.mu.Unlock()
		wait(ctx, changed, trouble.Hang, left)
		d.mu.Lock()
	}
	return 0, false
}

// wait is over when the trouble is another, when nobody waits any more, and after a time unless the request hangs.
func wait(ctx context.Context, changed <-chan struct{}, hang bool, left time.Duration) {
	var over <-chan time.Time
	if !hang {
		over = time.After(left)
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-over:
	}
}
