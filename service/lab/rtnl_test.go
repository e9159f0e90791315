package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"standfast/hw/hwtest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// From linux/userfaultfd.h and linux/ethtool.h.
const (
	uffdAPI         = 0xaa
	uffdioAPI       = 0xc018aa3f
	uffdioRegister  = 0xc020aa00
	uffdioZeropage  = 0xc020aa04
	uffdMissing     = 1
	ethtoolPerQueue = 0x4b
)

// A holder holds RTNL, the kernel's lock over all changes of links, addresses and routes, in every namespace at once. It asks
// for something by an ioctl whose argument lies half on a page that isn't there: the kernel takes the lock, reads the second
// half, and waits for us to bring the page.
type holder struct {
	room   *hwtest.Namespace
	fd     int    // of userfaultfd
	memory []byte // two pages, the second of which is missing
	socket int
	done   chan error
	limit  *time.Timer
	once   sync.Once
}

// holdLimit is how long the lock is held at most, whatever becomes of the test: meanwhile the whole machine waits.
const holdLimit = 4 * time.Second

// holdRTNL returns when the lock is held. Release lets it go; so does the limit, and the end of this process.
func holdRTNL(room *hwtest.Namespace) (*holder, error) {
	h := &holder{room: room, done: make(chan error, 1), fd: -1, socket: -1}
	if err := h.open(); err != nil {
		h.close()
		return nil, err
	}
	page := len(h.memory) / 2
	argument := h.memory[page-4:]
	binary.NativeEndian.PutUint32(argument, ethtoolPerQueue)
	var request [40]byte // struct ifreq
	copy(request[:], "lo")
	*(*unsafe.Pointer)(unsafe.Pointer(&request[unix.IFNAMSIZ])) = unsafe.Pointer(&argument[0])
	h.limit = time.AfterFunc(holdLimit, h.Release)
	go func() {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
		runtime.KeepAlive(request)
		h.done <- errno
	}()
	if err := h.blocked(); err != nil {
		h.Release()
		return nil, err
	}
	return h, nil
}

func (h *holder) open() (err error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		return fmt.Errorf("userfaultfd: %w", errno)
	}
	h.fd = int(fd)
	api := [3]uint64{uffdAPI}
	if err := h.ioctl(uffdioAPI, unsafe.Pointer(&api)); err != nil {
		return fmt.Errorf("userfaultfd: %w", err)
	}
	page := unix.Getpagesize()
	if h.memory, err = unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err != nil {
		return fmt.Errorf("two pages: %w", err)
	}
	register := [4]uint64{h.missing(), uint64(page), uffdMissing}
	if err := h.ioctl(uffdioRegister, unsafe.Pointer(&register)); err != nil {
		return fmt.Errorf("watch a page: %w", err)
	}
	return h.room.Do(func() (err error) {
		h.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
}

func (h *holder) missing() uint64 {
	return uint64(uintptr(unsafe.Pointer(&h.memory[len(h.memory)/2])))
}

func (h *holder) ioctl(request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.fd), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

// blocked waits until the kernel misses the page.
func (h *holder) blocked() error {
	poll := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int(time.Second/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the kernel does not read the argument under the lock")
		}
		return nil
	}
}

// Release brings the page. A second call does nothing.
func (h *holder) Release() {
	h.once.Do(func() {
		h.limit.Stop()
		zero := [4]uint64{h.missing(), uint64(len(h.memory) / 2)}
		h.ioctl(uffdioZeropage, unsafe.Pointer(&zero)) // if it fails, closing the descriptor does the same
		unix.Close(h.fd)
		h.fd = -1
		<-h.done
		h.close()
	})
}

func (h *holder) close() {
	if h.fd >= 0 {
		unix.Close(h.fd)
	}
	if h.socket >= 0 {
		unix.Close(h.socket)
	}
	if h.memory != nil {
		unix.Munmap(h.memory)
	}
}

// TestRenewalHeldUp holds RTNL from shortly before a MASTER renews its leases. Whoever asks the kernel for a change waits, and
// so does the kernel's own expiry; what comes first afterwards is chance. No address is gone for longer than a repair takes.
// Whoever asks for all addresses waits as well, the observer too: here the kernel's events tell.
func TestRenewalHeldUp(t *testing.T) {
	s := settled(t)
	outside, err := s.Lab.Router("outside")
	check(t, err)
	heard := s.adverts()
	events, err := s.A.Namespace().Watch()
	check(t, err)
	defer events.Close()
	begun := time.Now()
	for _, hold := range []time.Duration{time.Second, 2500 * time.Millisecond} {
		s.watch(time.Until(s.next(heard, s.A).At.Add(interval - 50*time.Millisecond)))
		held, released := s.hold(outside.Namespace(), hold)
		sent := heard.Between(s.A, held, released)
		if len(sent) < int(hold/interval) {
			t.Errorf("%d adverts while the lock was held for %v", len(sent), released.Sub(held))
		}
		s.watch(MasterDown)
		for _, lan := range s.LANs {
			missing := absence(events, lan.VIP, held)
			t.Logf("RTNL held for %v: %s was missing for %v at the longest", hold, lan.VIP, missing)
			if missing > repairBound {
				t.Errorf("%s was missing for %v, promised are %v", lan.VIP, missing, repairBound)
			}
		}
	}
	for _, m := range s.Members() {
		if got := m.Log.Transitions(begun, time.Time{}); len(got) > 0 {
			t.Errorf("%s went through %v", m.Name(), got)
		}
	}
	s.serving(s.since(time.Now().Add(-interval)))
}

// repairBound is the promise: how long an address that somebody else removed is missing.
const repairBound = 200 * time.Millisecond

// hold holds RTNL for a while and returns when it was held and when no more. It skips where that is impossible.
func (s *scene) hold(room *hwtest.Namespace, d time.Duration) (held, released time.Time) {
	s.t.Helper()
	h, err := holdRTNL(room)
	if err != nil {
		s.t.Skipf("RTNL cannot be held from here: %v", err)
	}
	defer h.Release()
	held = time.Now()
	waited := make(chan time.Duration, 1)
	go func() { waited <- change(s.LANs[0].Switch.Namespace()) }()
	<-time.After(d)
	h.Release()
	released = time.Now()
	if w := <-waited; w < d/2 {
		s.t.Skipf("the lock was held for %v while another namespace waited for %v: it has a lock of its own", d, w)
	}
	return held, released
}

// absence is the longest time since a moment for which the kernel did not have an address.
func absence(events *hwtest.Events, vip netip.Prefix, since time.Time) (longest time.Duration) {
	var gone time.Time
	for _, e := range events.All() {
		if e.At.Before(since) || e.Prefix.Addr() != vip.Addr() {
			continue
		}
		switch {
		case e.Kind == hwtest.AddressRemoved:
			gone = e.At
		case e.Kind == hwtest.AddressAdded && !gone.IsZero():
			longest, gone = max(longest, e.At.Sub(gone)), time.Time{}
		}
	}
	if !gone.IsZero() {
		longest = max(longest, time.Since(gone))
	}
	return longest
}

// change adds and removes an address in a namespace and returns how long that took, 0 where it is impossible.
func change(room *hwtest.Namespace) time.Duration {
	begun := time.Now()
	lo, err := room.Link("lo")
	if err != nil {
		return 0
	}
	ip := net.IPNet{IP: net.IPv4(127, 9, 9, 9), Mask: net.CIDRMask(32, 32)}
	address := &netlink.Addr{IPNet: &ip}
	if room.Kernel().AddrAdd(lo, address) != nil || room.Kernel().AddrDel(lo, address) != nil {
		return 0
	}
	return time.Since(begun)
}
