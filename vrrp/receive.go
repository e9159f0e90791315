package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Packet is what arrived from the network: one IP packet of protocol 112.
type Packet struct {
	Src, Dst netip.Addr
	// TTL or hop limit as received; negative if unknown, which is as bad as wrong.
	TTL int
	// Payload is what follows the IP header, its extensions and options.
	Payload []byte
}

// wantTTL proves that a packet came from this segment (RFC 9568 §5.1.1.3).
const wantTTL = 255

// Peek reads the version and the virtual router identifier of a payload, to find the
// router that it is for. ok is false if it is too short to have them; nothing else is
// checked, so that Receive may count what is wrong.
func Peek(payload []byte) (v Version, vrid uint8, ok bool) {
	if len(payload) < 2 {
		return 0, 0, false
	}
	return Version(payload[0] >> 4), payload[1], true
}

// Receive checks a packet against the settings of a virtual router, in the order of
// RFC 3768 §7.1 and RFC 9568 §7.1, and decodes it. Unless the check is Accepted the
// advert is zero. It keeps nothing of the payload and allocates nothing but the list
// of addresses of an accepted advert.
func Receive(p Packet, m Params) (Advert, Check, Remarks) {
	p.Src, p.Dst = plain(p.Src), plain(p.Dst)
	if c := checkEnvelope(p, m); c != Accepted {
		return Advert{}, c, 0
	}
	message, c := cut(p.Payload, m)
	if c != Accepted {
		return Advert{}, c, 0
	}
	var remarks Remarks
	if len(message) < len(p.Payload) {
		remarks |= RemarkTrailing
	}
	switch {
	case coveredSum(message, p, m) == 0xffff:
	case m.Family == IPv4 && fold(sum(message)) == 0xffff: // in version 2 that was the first case
		remarks |= RemarkPlainChecksum
	default:
		return Advert{}, CheckChecksum, 0
	}
	if c := checkFields(message, m); c != Accepted {
		return Advert{}, c, 0
	}
	a := decode(message, m)
	return a, Accepted, remarks | remark(a, m)
}

// checkEnvelope checks what the IP header says.
func checkEnvelope(p Packet, m Params) Check {
	switch {
	case !m.Family.of(p.Src) || !m.Family.of(p.Dst):
		return CheckFamily
	case p.Src.IsMulticast():
		return CheckSource
	case p.TTL != wantTTL:
		return CheckTTL
	}
	return Accepted
}

// cut checks version and type and returns the message without what may follow it: a
// short Ethernet frame is padded, and some senders append their own authentication.
func cut(payload []byte, m Params) ([]byte, Check) {
	if len(payload) < headerSize {
		return nil, CheckTruncated
	}
	length := headerSize + int(payload[3])*m.Family.size()
	if m.Version == V2 {
		length += authSize
	}
	switch {
	case Version(payload[0]>>4) != m.Version:
		return nil, CheckVersion
	case payload[0]&0x0f != typeAdvertisement:
		return nil, CheckType
	case len(payload) < length:
		return nil, CheckTruncated
	}
	return payload[:length], Accepted
}

// coveredSum sums what the checksum covers: the message, and in version 3 the pseudo
// header.
func coveredSum(message []byte, p Packet, m Params) uint16 {
	if m.Version == V2 {
		return fold(sum(message))
	}
	return fold(sum(message) + pseudoSum(p.Src, p.Dst, len(message)))
}

// checkFields checks the content of a message that is complete and unharmed.
func checkFields(message []byte, m Params) Check {
	interval := decodeInterval(message, m.Version)
	switch {
	case message[1] != m.VRID:
		return CheckVRID
	case m.Version == V2 && AuthType(message[4]) != m.Auth:
		return CheckAuthType
	case m.Auth == AuthPass && [authSize]byte(message[len(message)-authSize:]) != m.Password:
		return CheckPassword
	case message[3] == 0:
		return CheckNoAddresses
	case interval == 0:
		return CheckZeroInterval
	case m.Version == V2 && interval != m.Interval:
		return CheckInterval
	case m.Family == IPv6 && !linkLocalFirst(message) && m.leadsWithLinkLocal():
		return CheckLinkLocal
	}
	return Accepted
}

// linkLocalFirst reports whether the first address of an IPv6 message is link-local.
func linkLocalFirst(message []byte) bool {
	return netip.AddrFrom16([16]byte(message[headerSize:])).IsLinkLocalUnicast()
}

// decodeInterval reads the interval in the unit of its version.
func decodeInterval(message []byte, v Version) time.Duration {
	if v == V2 {
		return time.Duration(message[5]) * time.Second
	}
	return time.Duration(binary.BigEndian.Uint16(message[4:])&maxCentiseconds) * centisecond
}

// decode reads a message that passed every check.
func decode(message []byte, m Params) Advert {
	a := Advert{
		Version:   m.Version,
		VRID:      message[1],
		Priority:  message[2],
		Interval:  decodeInterval(message, m.Version),
		Addresses: make([]netip.Addr, message[3]),
	}
	if m.Version == V2 {
		a.Auth = AuthType(message[4])
	}
	if a.Auth == AuthPass {
		a.Password = [authSize]byte(message[len(message)-authSize:])
	}
	list := message[headerSize:]
	for i := range a.Addresses {
		a.Addresses[i] = decodeAddr(list[i*m.Family.size():], m.Family)
	}
	return a
}

// decodeAddr reads the address that b begins with.
func decodeAddr(b []byte, f Family) netip.Addr {
	if f == IPv6 {
		return netip.AddrFrom16([16]byte(b))
	}
	return netip.AddrFrom4([4]byte(b))
}

// remark compares an accepted advert with our own settings.
func remark(a Advert, m Params) Remarks {
	var r Remarks
	if !sameAddresses(a.Addresses, m.Addresses) {
		r |= RemarkAddresses
	}
	if a.Interval != m.Interval {
		r |= RemarkInterval
	}
	if m.Priority == ownerPriority {
		r |= RemarkOwner
	}
	return r
}
