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
// itself where the frame goes to a known station.
func appendNS(b []byte, mac [6]byte, sender, target netip.Addr, unicast bool) []byte {
	dst := target
	if !unicast {
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
	kind, code := message[0], message[1]
	if b[0]>>4 != 6 || b[6] != unix.IPPROTO_ICMPV6 || kind != solicitation && kind != advertisement {
		return Heard{}, errOther
	}
	target := netip.AddrFrom16([16]byte(message[8:24]))
	if b[7] != hops || code != 0 || target.IsMulticast() || sum(b[8:headerLen6], message) != 0xffff {
		return Heard{}, errInvalid
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	h, option := Heard{Op: Request, Sender: src, Target: target}, byte(optionSource)
	if kind == advertisement {
		h, option = Heard{Op: Reply, Sender: target, Target: dst}, optionTarget
		if message[4]&solicited == 0 {
			h.Op, h.Target = Gratuitous, target
		}
	}
	mac, err := linkAddress(message[messageLen:], option)
	if err != nil {
		return Heard{}, err
	}
	if mac == [6]byte{} {
		mac = link
	}
	if !station(mac) {
		return Heard{}, errInvalid
	}
	h.MAC = mac
	return h, nil
}

// linkAddress finds the Ethernet address in the option of that kind, zero if there is none.
func linkAddress(options []byte, kind byte) (mac [6]byte, err error) {
	for len(options) > 0 {
		if len(options) < 2 || options[1] == 0 || int(options[1])*optionUnit > len(options) {
			return mac, errInvalid
		}
		n := int(options[1]) * optionUnit
		if options[0] == kind && n == optionLen {
			mac = [6]byte(options[2:8])
		}
		options = options[n:]
	}
	return mac, nil
}

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
