package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// protocol is VRRP's number among the IP protocols.
const protocol = 112

const (
	headerLen4 = 20 // an IPv4 header without options
	headerLen6 = 40
	hops       = 255  // RFC 9568 §5.1.1.3 and §5.1.2.3: anything less came through a router
	class      = 0xc0 // internetwork control, the class of routing protocols
)

// maxPacket is the longest packet that can hold an advert: an IPv6 header, eight octets and 255 addresses.
const maxPacket = headerLen6 + 8 + 255*16

// Reasons why bytes from the wire are no packet for us. They are only counted, so they are not exported.
var (
	errTruncated = errors.New("packet is shorter than its header says")
	errHeader    = errors.New("not a header of this IP version")
	errChecksum  = errors.New("IPv4 header checksum is wrong")
	errFragment  = errors.New("packet is a fragment")
	errProtocol  = errors.New("packet carries another protocol")
)

// appendHeader4 appends an IPv4 header for an advert of n octets. The identification stays 0: a raw socket fills it in.
func appendHeader4(b []byte, src, dst netip.Addr, n int) []byte {
	at := len(b)
	b = append(b, 0x45, class)
	b = binary.BigEndian.AppendUint16(b, uint16(headerLen4+n))
	b = append(b, 0, 0, 0, 0, hops, protocol, 0, 0)
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[at+10:], ^sum(b[at:]))
	return b
}

// appendHeader6 appends an IPv6 header for an advert of n octets.
func appendHeader6(b []byte, src, dst netip.Addr, n int) []byte {
	b = append(b, 0x60|class>>4, class<<4&0xff, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = append(b, protocol, hops)
	b = append(b, src.AsSlice()...)
	return append(b, dst.AsSlice()...)
}

// decode4 reads an IPv4 packet, options skipped. What follows the packet's own length is Ethernet padding and is cut off.
// The kernel hands packets to a packet socket before it has looked at them, so the header is checked here as the IP layer
// would. What the adapter says of checksums (PACKET_AUXDATA) is of no use: it never speaks of the header's, and no sender
// leaves that of protocol 112 to its adapter. Payload is a part of b.
func decode4(b []byte) (Frame, error) {
	if len(b) < headerLen4 {
		return Frame{}, errTruncated
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || header < headerLen4 {
		return Frame{}, errHeader
	}
	if total < header || total > len(b) {
		return Frame{}, errTruncated
	}
	if sum(b[:header]) != 0xffff {
		return Frame{}, errChecksum
	}
	const moreFragments, offset = 0x2000, 0x1fff
	if binary.BigEndian.Uint16(b[6:])&(moreFragments|offset) != 0 {
		return Frame{}, errFragment
	}
	if b[9] != protocol {
		return Frame{}, errProtocol
	}
	return Frame{
		Src:     netip.AddrFrom4([4]byte(b[12:16])),
		Dst:     netip.AddrFrom4([4]byte(b[16:20])),
		TTL:     int(b[8]),
		Payload: b[header:total],
	}, nil
}

// decode6 reads an IPv6 packet without extension headers; no VRRP router sends any. Payload is a part of b.
func decode6(b []byte) (Frame, error) {
	if len(b) < headerLen6 {
		return Frame{}, errTruncated
	}
	if b[0]>>4 != 6 {
		return Frame{}, errHeader
	}
	total := headerLen6 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return Frame{}, errTruncated
	}
	if b[6] != protocol {
		return Frame{}, errProtocol
	}
	return Frame{
		Src:     netip.AddrFrom16([16]byte(b[8:24])),
		Dst:     netip.AddrFrom16([16]byte(b[24:40])),
		TTL:     int(b[7]),
		Payload: b[headerLen6:total],
	}, nil
}

// sum is the ones' complement sum of RFC 1071 over an even number of octets; over a header with a right checksum it is 0xffff.
func sum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// groupMAC is the Ethernet address of a multicast group: RFC 1112 §6.4 for IPv4, RFC 2464 §7 for IPv6.
func groupMAC(group netip.Addr) [6]byte {
	if group.Is4() {
		a := group.As4()
		return [6]byte{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
	}
	a := group.As16()
	return [6]byte{0x33, 0x33, a[12], a[13], a[14], a[15]}
}
