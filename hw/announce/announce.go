// Package announce tells a segment that an address lives here now: gratuitous ARP for IPv4, an unsolicited neighbour
// advertisement for IPv6.
//
// Whole frames leave by a packet socket: the address need not be in the kernel yet, the hardware address may be a virtual
// one, and neither routing nor the firewall has a say.
package announce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"syscall"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// urgent puts frames in the first band of the kernel's default queue; the next higher value needs CAP_NET_ADMIN.
const urgent = 6 // TC_PRIO_INTERACTIVE

// Conn announces on one port. Its methods may be called by several goroutines at once.
type Conn struct {
	name   string
	index  int
	socket *socket.Conn
	fd     syscall.RawConn
}

// Open returns a Conn for the port with this index and name, which is not asked for before the first announcement.
// Without CAP_NET_RAW the error is fs.ErrPermission.
func Open(index int, name string) (*Conn, error) {
	s, err := socket.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0, "announce", nil) // protocol 0: it never receives
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("announce: cannot open a packet socket for %s, give the daemon CAP_NET_RAW: %w", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("announce: cannot open a packet socket for %s: %w", name, err)
	}
	if err := s.SetsockoptInt(unix.SOL_SOCKET, unix.SO_PRIORITY, urgent); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("announce: cannot set the priority of frames on %s: %w", name, err)
	}
	fd, err := s.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	return &Conn{name: name, index: index, socket: s, fd: fd}, nil
}

// Close releases the socket. It may be called more than once.
func (c *Conn) Close() error { return c.socket.Close() }

// Announce sends one frame that claims addr for mac: gratuitous ARP (a request by and for addr) or an unsolicited neighbour
// advertisement that overrides what neighbours know, with the router flag as given. It never waits: with the queue full the
// error is unix.EAGAIN or unix.ENOBUFS, with the port down unix.ENETDOWN, without the port unix.ENXIO, after Close fs.ErrClosed.
func (c *Conn) Announce(addr netip.Addr, mac [6]byte, router bool) error {
	var frame []byte
	switch {
	case addr.Is4():
		frame = gratuitousARP(addr, mac)
	case addr.Is6() && !addr.Is4In6():
		frame = unsolicitedNA(addr, mac, router)
	default:
		return fmt.Errorf("announce: %v is neither an IPv4 nor an IPv6 address", addr)
	}
	// The kernel takes the frame's type for traffic control and captures from here, not from the frame.
	ethertype := binary.NativeEndian.Uint16(frame[12:])
	var err error
	if cerr := c.fd.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Protocol: ethertype, Ifindex: c.index})
	}); cerr != nil {
		err = fs.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("announce: cannot announce %v on %s: %w", addr, c.name, err)
	}
	return nil
}
