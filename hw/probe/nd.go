package probe

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	headerLen6    = 40
	messageLen    = 24 // a solicitation or advertisement without options
	optionLen     = 8  // a link-layer address option for Ethernet
	hops          = 255
	solicitation  = 135
	advertisement = 136
	solicited     = 0x40 // flag of an advertisement
	optionSource  = 1
	optionTarget  = 2
	optionUnit    = 8 // options count their length in units of eight octets
)

// appendNS appends a whole IPv6 packet that asks for target (RFC 4861 §4.3): to its solicited-node group, or to target
// itself where the station that should have it is known.
func appendNS(b []byte, mac [6]byte, sender, target netip.Addr, known bool) []byte {
	dst := target
	if !known {
		dst = solicitedNode(target)
	}
	at := len(b)
	b = append(b, 0x60, 0, 0, 0, 0, messageLen+optionLen, unix.IPPROTO_ICMPV6, hops)
	b = append(b, sender.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	b = append(b, solicitation, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, target.AsSlice()...)
	b = append(b, optionSource, optionLen/optionUnit)
	b = append(b, mac[:]...)
	message := b[at+headerLen6:]
	binary.BigEndian.PutUint16(message[2:], ^sum(b[at+8:at+headerLen6], message))
	return b
}

// decodeND reads a neighbour solicitation or advertisement and checks it as RFC 4861 §7.1 says. link is the sender of the
// frame, which stands in for a message without its link-layer address option.
func decodeND(b []byte, link [6]byte) (Heard, error) {
	if len(b) < headerLen6 {
		return Heard{}, errTruncated
	}
	total := headerLen6 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) || total < headerLen6+messageLen {
		return Heard{}, errTruncated
	}
	message := b[headerLen6:total]
	if b[0]>>4 != 6 || b[6] != unix.IPPROTO_ICMPV6 || message[0] != solicitation && message[0] != advertisement {
		return Heard{}, errOther
	}
	target := netip.AddrFrom16([16]byte(message[8:24]))
	code := message[1]
	if b[7] != hops || code != 0 || !unicast(target) || sum(b[8:headerLen6], message) != 0xffff {
		return Heard{}, errInvalid
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if message[0] == solicitation {
		return heard(Heard{Op: Request, Sender: src, Target: target}, message, optionSource, link)
	}
	if message[4]&solicited == 0 {
		return heard(Heard{Op: Gratuitous, Sender: target, Target: target}, message, optionTarget, link)
	}
	if dst.IsMulticast() {
		return Heard{}, errInvalid
	}
	return heard(Heard{Op: Reply, Sender: target, Target: dst}, message, optionTarget, link)
}

// heard completes h with the hardware address in the message's option of that kind, or with link.
func heard(h Heard, message []byte, option byte, link [6]byte) (Heard, error) {
	mac, found, err := linkAddress(message[messageLen:], option)
	if err != nil {
		return Heard{}, err
	}
	if !found {
		mac = link
	}
	if !individual(mac) || found && h.Sender.IsUnspecified() {
		return Heard{}, errInvalid
	}
	h.MAC = mac
	return h, nil
}

// linkAddress finds the Ethernet address in the option of that kind.
func linkAddress(options []byte, kind byte) (mac [6]byte, found bool, err error) {
	for len(options) > 0 {
		if len(options) < optionUnit || options[1] == 0 || int(options[1])*optionUnit > len(options) {
			return mac, false, errInvalid
		}
		if options[0] == kind && options[1] == optionLen/optionUnit {
			mac, found = [6]byte(options[2:8]), true
		}
		options = options[int(options[1])*optionUnit:]
	}
	return mac, found, nil
}

// unicast tells whether addr can be the address of one station.
func unicast(addr netip.Addr) bool { return !addr.IsMulticast() && !addr.IsUnspecified() }

// solicitedNode is the multicast group of everyone whose address ends like addr (RFC 4291 §2.7.1).
func solicitedNode(addr netip.Addr) netip.Addr {
	a := addr.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]})
}

// sum is the ones' complement sum of an ICMPv6 message with its pseudo header (RFC 4443 §2.3), whose addresses are given;
// 0xffff over a message with a right checksum.
func sum(addresses, message []byte) uint16 {
	s := uint32(len(message)) + unix.IPPROTO_ICMPV6
	for _, part := range [][]byte{addresses, message} {
		for ; len(part) >= 2; part = part[2:] {
			s += uint32(binary.BigEndian.Uint16(part))
		}
		if len(part) == 1 {
			s += uint32(part[0]) << 8
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
