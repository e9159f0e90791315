package address

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Gone is what left the kernel since the last [Watcher.Receive], whoever took
// it: this daemon, somebody else, or the end of a lease.
type Gone struct {
	// VIPs are addresses of any owner, since old kernels do not tell owners.
	VIPs []VIP
	// Routes carry our protocol number and are normal.
	Routes []Route
	// Resync means that reports were lost: compare with [Kernel.Owned].
	Resync bool
}

// Watcher hears about deletions. Its filter runs in the kernel, so that neither
// renewals nor a routing daemon's churn wakes it.
//
// The kernel removes IPv4 routes without a word when their port goes down and
// when the address they lean on (their source, or the subnet of their gateway)
// goes. After either, set the routes of that port again: that is cheap, and
// changes nothing where they still exist.
type Watcher struct {
	conn   *netlink.Conn
	closed atomic.Bool
	losses atomic.Uint64
}

// Watch subscribes in the network namespace of the calling thread. It needs no
// privilege.
func Watch() (*Watcher, error) {
	return watch(watchBuffer)
}

func watch(buffer int) (*Watcher, error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err == nil {
		if err = subscribe(c, buffer); err == nil {
			return &Watcher{conn: c}, nil
		}
		err = errors.Join(err, c.Close())
	}
	return nil, fmt.Errorf("cannot subscribe to deletions of addresses and routes: %w", err)
}

// watchBuffer holds some thousand reports; the kernel caps it by rmem_max.
const watchBuffer = 1 << 20

// subscribe sets the filter before it joins, so that nothing unfiltered is
// ever queued.
func subscribe(c *netlink.Conn, buffer int) error {
	filter, err := bpf.Assemble(deletions())
	if err != nil {
		return err
	}
	if err := c.SetBPF(filter); err != nil {
		return err
	}
	if err := c.SetReadBuffer(buffer); err != nil {
		return err
	}
	for _, group := range []uint32{
		unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	} {
		if err := c.JoinGroup(group); err != nil {
			return err
		}
	}
	return nil
}

// deletions is the filter: every RTM_DELADDR, and RTM_DELROUTE where it carries
// our protocol number. A report is one message of its own, so that the offsets
// are those of struct nlmsghdr and, behind it, struct rtmsg.
func deletions() []bpf.Instruction {
	const (
		typeAt     = 4
		protocolAt = unix.SizeofNlMsghdr + 5
		accept     = 1 << 18
	)
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: typeAt, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: asLoaded(unix.RTM_DELADDR), SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: asLoaded(unix.RTM_DELROUTE), SkipTrue: 3},
		bpf.LoadAbsolute{Off: protocolAt, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: Protocol, SkipTrue: 1},
		bpf.RetConstant{Val: accept},
		bpf.RetConstant{Val: 0},
	}
}

// asLoaded is a message type, which has the host's byte order, as a load of the
// filter machine sees it, which is big endian.
func asLoaded(kind uint16) uint32 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], kind)
	return uint32(binary.BigEndian.Uint16(b[:]))
}

// Receive blocks until something left the kernel and says what. When reports
// were lost it sets Resync and forgets those still queued, which Resync covers.
//
// After Close the error is fs.ErrClosed.
func (w *Watcher) Receive() (Gone, error) {
	for {
		messages, err := w.conn.Receive()
		if err != nil && w.closed.Load() {
			return Gone{}, fs.ErrClosed
		}
		if errors.Is(err, unix.ENOBUFS) {
			w.losses.Add(1)
			return Gone{Resync: true}, w.drain()
		}
		if err != nil {
			return Gone{}, fmt.Errorf("cannot hear about deletions of addresses and routes: %w", err)
		}
		if g := gone(messages); len(g.VIPs) > 0 || len(g.Routes) > 0 {
			return g, nil
		}
	}
}

// drain empties the queue. The kernel announces an overflow once and then drops
// in silence until the queue has been empty; going on with what is queued would
// miss what is dropped meanwhile.
func (w *Watcher) drain() error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		for failed == nil {
			_, _, failed = unix.Recvfrom(int(fd), nil, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
			if errors.Is(failed, unix.EINTR) || errors.Is(failed, unix.ENOBUFS) {
				failed = nil
			}
		}
	}); err != nil {
		return err
	}
	if errors.Is(failed, unix.EAGAIN) {
		return nil
	}
	return failed
}

// gone reads reports; one that cannot be read is passed over.
func gone(messages []netlink.Message) Gone {
	var g Gone
	for _, m := range messages {
		switch m.Header.Type {
		case unix.RTM_DELADDR:
			if f, err := parseAddress(m.Data); err == nil {
				g.VIPs = append(g.VIPs, f.vip)
			}
		case unix.RTM_DELROUTE:
			if r, protocol, err := parseRoute(m.Data); err == nil && protocol == Protocol {
				g.Routes = append(g.Routes, r)
			}
		}
	}
	return g
}

// Losses counts how often reports were lost.
func (w *Watcher) Losses() uint64 { return w.losses.Load() }

// Close ends a Receive that waits.
func (w *Watcher) Close() error {
	w.closed.Store(true)
	return w.conn.Close()
}
