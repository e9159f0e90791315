package segment

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"standfast/vrrp"
)

// A MAC is an Ethernet address.
type MAC [6]byte

// String writes it with colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// individual tells whether it can be the address of one adapter: neither a group nor zero.
func (m MAC) individual() bool { return m[0]&1 == 0 && m != MAC{} }

// broadcast is the address of everybody.
func broadcast() MAC { return MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

const (
	etherSize = 14
	etherMin  = 60 // without check sequence; shorter frames are padded

	etherIPv4 = 0x0800
	etherARP  = 0x0806
)

// appendEther appends the header of a frame.
func appendEther(b []byte, dst, src MAC, kind uint16) []byte {
	b = append(append(b, dst[:]...), src[:]...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// pad fills a frame up to the shortest that Ethernet knows.
func pad(frame []byte) []byte {
	return append(frame, make([]byte, max(0, etherMin-len(frame)))...)
}

// payload returns what a frame carries, if it is of that kind.
func payload(frame []byte, kind uint16) ([]byte, bool) {
	if len(frame) < etherSize || binary.BigEndian.Uint16(frame[12:]) != kind {
		return nil, false
	}
	return frame[etherSize:], true
}

const (
	arpSize    = 28
	arpKind    = 0x0001_0800_06_04 // Ethernet, IPv4 and the lengths of their addresses
	arpRequest = 1
	arpReply   = 2
)

// arp is an ARP message.
type arp struct {
	op             uint16 // arpRequest or arpReply
	mac            MAC    // of the sender
	sender, target netip.Addr
	targetMAC      MAC
}

// gratuitous tells whether it claims an address and neither asks nor answers.
func (m arp) gratuitous() bool { return m.sender == m.target }

// frame returns the message as its sender puts it onto the wire.
func (m arp) frame(dst MAC) []byte {
	b := appendEther(make([]byte, 0, etherMin), dst, m.mac, etherARP)
	b = binary.BigEndian.AppendUint64(b, arpKind<<16|uint64(m.op))
	b = append(append(b, m.mac[:]...), m.sender.AsSlice()...)
	b = append(append(b, m.targetMAC[:]...), m.target.AsSlice()...)
	return pad(b)
}

// decodeARP reads an Ethernet frame with an ARP message.
func decodeARP(frame []byte) (arp, bool) {
	b, ok := payload(frame, etherARP)
	if !ok || len(b) < arpSize || binary.BigEndian.Uint64(b)>>16 != arpKind {
		return arp{}, false
	}
	m := arp{
		op:        binary.BigEndian.Uint16(b[6:]),
		mac:       MAC(b[8:14]),
		sender:    netip.AddrFrom4([4]byte(b[14:18])),
		targetMAC: MAC(b[18:24]),
		target:    netip.AddrFrom4([4]byte(b[24:28])),
	}
	return m, (m.op == arpRequest || m.op == arpReply) && m.mac.individual()
}

const (
	ipv4Size     = 20
	ipv4TTL      = 64
	dontFragment = 0x4000
	protocolICMP = 1
)

// ipv4 is an IPv4 packet that is no fragment.
type ipv4 struct {
	ttl      byte
	protocol byte
	src, dst netip.Addr
	payload  []byte
}

// bytes returns the packet, without options.
func (p ipv4) bytes() []byte {
	b := make([]byte, ipv4Size, ipv4Size+len(p.payload))
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[2:], uint16(ipv4Size+len(p.payload)))
	binary.BigEndian.PutUint16(b[6:], dontFragment)
	b[8], b[9] = p.ttl, p.protocol
	copy(b[12:], p.src.AsSlice())
	copy(b[16:], p.dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, p.payload...)
}

// decodeIPv4 reads an Ethernet frame with an IPv4 packet. What follows the packet is padding.
func decodeIPv4(frame []byte) (ipv4, bool) {
	b, ok := payload(frame, etherIPv4)
	if !ok || len(b) < ipv4Size || b[0]>>4 != 4 {
		return ipv4{}, false
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Size || total < header || len(b) < total || checksum(b[:header]) != 0 {
		return ipv4{}, false
	}
	if binary.BigEndian.Uint16(b[6:])&^dontFragment != 0 {
		return ipv4{}, false
	}
	return ipv4{
		ttl: b[8], protocol: b[9],
		src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])),
		payload: b[header:total],
	}, true
}

const (
	icmpSize      = 8
	icmpEchoReply = 0
	icmpEcho      = 8
	countSize     = 8
)

// echo is an ICMP echo request or reply.
type echo struct {
	kind     byte
	id       uint16
	sequence uint16
	data     []byte
}

func (e echo) bytes() []byte {
	b := make([]byte, icmpSize, icmpSize+len(e.data))
	b[0] = e.kind
	binary.BigEndian.PutUint16(b[4:], e.id)
	binary.BigEndian.PutUint16(b[6:], e.sequence)
	b = append(b, e.data...)
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// decodeEcho reads what of an echo the packet carries.
func decodeEcho(p ipv4) (echo, bool) {
	b := p.payload
	if p.protocol != protocolICMP || len(b) < icmpSize || checksum(b) != 0 {
		return echo{}, false
	}
	e := echo{kind: b[0], id: binary.BigEndian.Uint16(b[4:]), sequence: binary.BigEndian.Uint16(b[6:]), data: b[icmpSize:]}
	return e, b[1] == 0 && (e.kind == icmpEcho || e.kind == icmpEchoReply)
}

// decodeAdvert reads what of a VRRP advert the packet carries. Whether its receivers obey it is theirs to say.
func decodeAdvert(p ipv4) (Advert, bool) {
	const priority = 2
	version, vrid, ok := vrrp.Peek(p.payload)
	if p.protocol != vrrp.Protocol || !ok || len(p.payload) <= priority {
		return Advert{}, false
	}
	return Advert{Source: p.src, Version: version, VRID: vrid, Priority: p.payload[priority]}, true
}

// checksum is that of the Internet: of a whole header with its checksum it is 0.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
