package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// urgent puts frames in the first band of the kernel's default queue; the next higher value needs CAP_NET_ADMIN.
const urgent = 6 // TC_PRIO_INTERACTIVE

// option is one integer socket option.
type option struct{ level, name, value int }

// openRaw opens the socket that sends and that is a member of group. It also hears what came through routing, reverse path
// filter and firewall.
func openRaw(index int, name string, group netip.Addr) (*socket.Conn, error) {
	domain := unix.AF_INET
	options := []option{
		{unix.SOL_SOCKET, unix.SO_PRIORITY, urgent},
		{unix.IPPROTO_IP, unix.IP_HDRINCL, 1},
		{unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
	}
	if group.Is6() {
		domain = unix.AF_INET6
		options = []option{
			{unix.SOL_SOCKET, unix.SO_PRIORITY, urgent},
			{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops},
			{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
			{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, class},
		}
	}
	c, err := socket.Socket(domain, unix.SOCK_RAW, protocol, "vrrp", nil)
	if err != nil {
		return nil, err
	}
	return configured(c, func() error {
		program, err := filter(group, fromNetwork)
		if err != nil {
			return err
		}
		if err := c.SetBPF(program); err != nil {
			return err
		}
		if err := bindToPort(c, index, name); err != nil {
			return err
		}
		for _, o := range options {
			if err := c.SetsockoptInt(o.level, o.name, o.value); err != nil {
				return err
			}
		}
		return join(c, index, group)
	})
}

// bindToPort ties c to the port.
func bindToPort(c *socket.Conn, index int, name string) error {
	err := c.SetsockoptInt(unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, index)
	if !errors.Is(err, unix.ENOPROTOOPT) {
		return err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = bindByName(int(fd), index, name) }); cerr != nil {
		return cerr
	}
	return err
}

// bindByName ties a socket to the port on Linux before 5.0, where a name is all there is. It may by now mean another port.
func bindByName(fd, index int, name string) error {
	if err := unix.BindToDevice(fd, name); err != nil {
		return err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return err
	}
	if request.Uint32() != uint32(index) {
		return unix.ENODEV
	}
	return nil
}

// join makes c a member of group on the port. The membership ends with the socket and survives the loss of every address.
func join(c *socket.Conn, index int, group netip.Addr) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) {
		if group.Is4() {
			err = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)})
			return
		}
		err = unix.SetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)})
	}); cerr != nil {
		return cerr
	}
	if err != nil {
		return fmt.Errorf("cannot join %v: %w", group, err)
	}
	return nil
}

// openPacket opens the socket that receives. It is opened deaf (protocol 0), so that no frame can arrive between the three
// steps, and bound to one Ethernet type rather than to all: a socket for all types costs every frame the host sends a copy.
func openPacket(index int, group netip.Addr) (*socket.Conn, error) {
	c, err := socket.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0, "packet", nil)
	if err != nil {
		return nil, err
	}
	return configured(c, func() error {
		program, err := filter(group, 0)
		if err != nil {
			return err
		}
		if err := c.SetBPF(program); err != nil {
			return err
		}
		if err := c.SetsockoptInt(unix.SOL_SOCKET, unix.SO_PRIORITY, urgent); err != nil {
			return err
		}
		if err := c.Bind(&unix.SockaddrLinklayer{Protocol: networkOrder(etherType(group)), Ifindex: index}); err != nil {
			return err
		}
		// The IP layer asks the adapter for the group's frames only while it is switched on for this port; this keeps asking.
		mac := groupMAC(group)
		request := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_MULTICAST, Alen: uint16(len(mac))}
		copy(request.Address[:], mac[:])
		return c.SetsockoptPacketMreq(unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &request)
	})
}

// configured returns c if set succeeds and closes it otherwise.
func configured(c *socket.Conn, set func() error) (*socket.Conn, error) {
	if err := set(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// etherType is the Ethernet type of packets to addr.
func etherType(addr netip.Addr) uint16 {
	if addr.Is4() {
		return unix.ETH_P_IP
	}
	return unix.ETH_P_IPV6
}

// networkOrder stores v as the kernel wants it in a link layer address: most significant octet first in memory.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
