// Package wire carries VRRP adverts between one port and the daemon.
//
// It keeps two sockets. A raw socket, tied to the port, sends and holds the multicast membership. A packet socket with a
// filter for IP protocol 112 receives: it stands before routing, reverse path filter and firewall, so that neither the loss
// of the port's addresses nor any of those can deafen a router into believing that its peer is dead. The raw socket hears
// the same adverts behind all of them and only counts; an advert heard by one socket alone tells what is in between. What
// the IP layer refuses to send, for want of an address or because IPv6 is switched off, leaves by the packet socket.
//
// Both sockets are in the runtime's poller (mdlayher/socket), so a waiting Receive costs no thread and Close ends it without
// a race for the descriptor number. Sending goes around the poller, which would wait for room in a full queue.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// Frame is one packet of protocol 112, of which nothing but the IP header has been looked at.
type Frame struct {
	MAC      [6]byte    // sender on the link; zero where the link has no 6-octet addresses
	Src, Dst netip.Addr // from the IP header, without zone
	TTL      int        // time to live or hop limit, 0 … 255
	Payload  []byte     // what follows the IP header, Ethernet padding cut off; the receiver's own
}

// Conn sends and receives adverts of one address family on one port. One goroutine may call Receive while others call
// the other methods.
type Conn struct {
	name        string
	index       int
	group       netip.Addr
	raw, packet *socket.Conn
	rawFD       syscall.RawConn
	packetFD    syscall.RawConn
	buffer      [maxPacket]byte // of the one goroutine in Receive

	closed                          atomic.Bool
	rawHeard, packetHeard, rejected atomic.Uint64
}

// Open starts to listen to group on the port with this index and name, which need be neither up nor addressed. family is 4
// or 6 and group a multicast address of that family. A port that comes back under another index needs another Conn.
//
// Without CAP_NET_RAW the error is fs.ErrPermission, without the port unix.ENODEV.
func Open(index int, name string, family int, group netip.Addr) (*Conn, error) {
	if !group.IsMulticast() || group.Is4() != (family == 4) || group.Is6() != (family == 6) {
		return nil, fmt.Errorf("wire: %v is not a multicast group of IPv%d", group, family)
	}
	c := &Conn{name: name, index: index, group: group.WithZone("")}
	if err := c.open(); err != nil {
		_ = c.Close()
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("wire: cannot open sockets on %s, give the daemon CAP_NET_RAW: %w", name, err)
		}
		return nil, fmt.Errorf("wire: cannot open sockets on %s: %w", name, err)
	}
	return c, nil
}

func (c *Conn) open() (err error) {
	if c.raw, err = openRaw(c.index, c.name, c.group); err != nil {
		return err
	}
	if c.rawFD, err = c.raw.SyscallConn(); err != nil {
		return err
	}
	if c.packet, err = openPacket(c.index, c.group); err != nil {
		return err
	}
	if c.packetFD, err = c.packet.SyscallConn(); err != nil {
		return err
	}
	// The raw socket heard every port until it was bound to this one.
	c.drain()
	c.rawHeard.Store(0)
	return nil
}

// Close ends a waiting Receive and the membership. It may be called more than once.
func (c *Conn) Close() error {
	c.closed.Store(true)
	var errs []error
	for _, s := range []*socket.Conn{c.raw, c.packet} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Send sends payload, a VRRP message, from src to the group dst with a TTL or hop limit of 255. src need not be an address of
// the port, nor the port have any. It never waits: with no room in the socket's queue the error is unix.EAGAIN or
// unix.ENOBUFS, with the port down unix.ENETDOWN, with payload too long for one packet unix.EMSGSIZE, after Close fs.ErrClosed.
//
// A nil error does not prove that a frame left: Linux tells a raw socket nothing of a full device queue or a lost carrier.
func (c *Conn) Send(src, dst netip.Addr, payload []byte) error {
	if !src.IsValid() || !dst.IsMulticast() || src.Is4() != c.group.Is4() || dst.Is4() != c.group.Is4() {
		return fmt.Errorf("wire: cannot send from %v to %v on %s: needs an address and a group of the family of %v", src, dst, c.name, c.group)
	}
	err := c.sendRaw(src, dst, payload)
	if refused(err) {
		err = c.sendPacket(src, dst, payload)
	}
	if err != nil {
		return fmt.Errorf("wire: cannot send from %v on %s: %w", src, c.name, err)
	}
	return nil
}

// refused tells whether the IP layer will not send: for want of an address, a route or itself on that port, or for length.
// The rest, such as a firewall's EPERM or a full queue, is not to be got around.
func refused(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) ||
		errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EMSGSIZE)
}

// leastMTU is the smallest MTU of a link with IPv6. A longer advert might be cut into fragments by the IP layer, which does
// so unasked; no packet socket hears those. A packet socket sends it whole or not at all.
const leastMTU = 1280

// sendRaw sends through the IP layer, where the firewall of the host sees the advert.
func (c *Conn) sendRaw(src, dst netip.Addr, payload []byte) error {
	if dst.Is4() {
		b := append(appendHeader4(make([]byte, 0, headerLen4+len(payload)), src, dst, len(payload)), payload...)
		return send(c.rawFD, b, nil, &unix.SockaddrInet4{Addr: dst.As4()}, unix.MSG_DONTROUTE)
	}
	if headerLen6+len(payload) > leastMTU {
		return unix.EMSGSIZE
	}
	source := unix.PktInfo6(&unix.Inet6Pktinfo{Addr: src.As16(), Ifindex: uint32(c.index)})
	return send(c.rawFD, payload, source, &unix.SockaddrInet6{Addr: dst.As16(), ZoneId: uint32(c.index)}, 0)
}

// sendPacket sends around the IP layer; the kernel still adds the Ethernet header.
func (c *Conn) sendPacket(src, dst netip.Addr, payload []byte) error {
	appendHeader := appendHeader4
	if dst.Is6() {
		appendHeader = appendHeader6
	}
	b := append(appendHeader(make([]byte, 0, headerLen6+len(payload)), src, dst, len(payload)), payload...)
	to := &unix.SockaddrLinklayer{Protocol: networkOrder(etherType(dst)), Ifindex: c.index, Halen: 6}
	mac := groupMAC(dst)
	copy(to.Addr[:], mac[:])
	err := send(c.packetFD, b, nil, to, 0)
	if errors.Is(err, unix.ENETDOWN) { // perhaps only the report, due once, that the port has been down
		err = send(c.packetFD, b, nil, to, 0)
	}
	return err
}

// send is one sendmsg that never waits.
func send(raw syscall.RawConn, b, control []byte, to unix.Sockaddr, flags int) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = unix.Sendmsg(int(fd), b, control, to, flags|unix.MSG_DONTWAIT)
	}); cerr != nil {
		return fs.ErrClosed
	}
	return err
}

// Receive waits for the next advert to the group and returns it. Packets with a broken IP header are passed over and
// counted. The port going down is no error, Receive goes on when it is up again; if the port is removed, it waits for Close.
// After Close the error is fs.ErrClosed.
func (c *Conn) Receive() (Frame, error) {
	for {
		n, from, err := c.packet.Recvfrom(context.Background(), c.buffer[:], 0)
		c.drain()
		switch {
		case c.closed.Load():
			return Frame{}, fmt.Errorf("wire: receive on %s: %w", c.name, fs.ErrClosed)
		case errors.Is(err, unix.ENETDOWN):
			continue // said once each time the port goes down
		case err != nil:
			return Frame{}, fmt.Errorf("wire: cannot receive on %s: %w", c.name, err)
		}
		f, err := c.decode(c.buffer[:n])
		if err != nil {
			c.rejected.Add(1)
			continue
		}
		c.packetHeard.Add(1)
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Halen == 6 {
			f.MAC = [6]byte(link.Addr[:6])
		}
		return f, nil
	}
}

// decode reads a packet of the Conn's family and gives the payload an array of its own.
func (c *Conn) decode(b []byte) (f Frame, err error) {
	if c.group.Is4() {
		f, err = decode4(b)
	} else {
		f, err = decode6(b)
	}
	f.Payload = append([]byte(nil), f.Payload...)
	return f, err
}

// maxQueue is more than a queue of the default size holds; a flood must not keep drain busy.
const maxQueue = 1024

// drain empties the raw socket's queue and counts what was in it.
func (c *Conn) drain() {
	var b [1]byte // the rest of each packet is thrown away by the kernel
	_ = c.rawFD.Control(func(fd uintptr) {
		for range maxQueue {
			_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			c.rawHeard.Add(1)
		}
	})
}

// RawHeard counts adverts that came through reverse path filter and firewall, among them some that Receive has yet to
// return. Far fewer than PacketHeard: something on this host stops them, and would have deafened another VRRP daemon.
func (c *Conn) RawHeard() uint64 {
	c.drain()
	return c.rawHeard.Load()
}

// PacketHeard counts the adverts that Receive returned.
func (c *Conn) PacketHeard() uint64 { return c.packetHeard.Load() }

// Rejected counts packets of protocol 112 whose IP header was broken: truncated, or with a wrong checksum.
func (c *Conn) Rejected() uint64 { return c.rejected.Load() }
