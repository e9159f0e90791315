package announce

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// gratuitousARP is the frame that claims addr for mac: RFC 5227 §3 (a request that asks for the own address) in the form
// that routers have always sent it, with every host as its target hardware address.
func gratuitousARP(addr netip.Addr, mac [6]byte) []byte {
	everybody := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	b := appendEthernet(nil, everybody, mac, unix.ETH_P_ARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, their address lengths, request
	b = append(b, mac[:]...)
	b = append(b, addr.AsSlice()...)
	b = append(b, everybody[:]...)
	return append(b, addr.AsSlice()...)
}

// unsolicitedNA is the frame that claims addr for mac: RFC 4861 §7.2.6, sent from addr itself to all nodes.
func unsolicitedNA(addr netip.Addr, mac [6]byte, router bool) []byte {
	const (
		isRouter    = 0x80
		override    = 0x20
		messageLen  = 4 + 4 + 16 + 8
		headerLen   = 40
		ethernetLen = 14
		hops        = 255
		advert      = 136
		targetMAC   = 2 // option type; its length counts in units of 8 octets
	)
	allNodes := netip.IPv6LinkLocalAllNodes().As16()
	flags := byte(override)
	if router {
		flags |= isRouter
	}
	b := appendEthernet(nil, [6]byte{0x33, 0x33, 0, 0, 0, 1}, mac, unix.ETH_P_IPV6)
	b = append(b, 0x60, 0, 0, 0, 0, messageLen, unix.IPPROTO_ICMPV6, hops)
	b = append(b, addr.AsSlice()...)
	b = append(b, allNodes[:]...)
	b = append(b, advert, 0, 0, 0, flags, 0, 0, 0)
	b = append(b, addr.AsSlice()...)
	b = append(b, targetMAC, 1)
	b = append(b, mac[:]...)
	message := b[ethernetLen+headerLen:]
	binary.BigEndian.PutUint16(message[2:], checksum(b[ethernetLen+8:ethernetLen+headerLen], message))
	return b
}

func appendEthernet(b []byte, dst, src [6]byte, ethertype uint16) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	return binary.BigEndian.AppendUint16(b, ethertype)
}

// checksum is that of an ICMPv6 message of even length (RFC 4443 §2.3) between the two addresses.
func checksum(addresses, message []byte) uint16 {
	s := uint32(len(message)) + unix.IPPROTO_ICMPV6
	for _, part := range [][]byte{addresses, message} {
		for i := 0; i+1 < len(part); i += 2 {
			s += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
