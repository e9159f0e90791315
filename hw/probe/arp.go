package probe

import (
	"encoding/binary"
	"net/netip"
)

const (
	arpLen     = 28 // for Ethernet and IPv4
	arpRequest = 1
	arpReply   = 2
)

// arpKind says Ethernet, IPv4 and the lengths of their addresses.
const arpKind = 0x0001_0800_06_04

// rejection is a reason why a frame tells nothing.
type rejection string

func (r rejection) Error() string { return string(r) }

const (
	errTruncated = rejection("frame is too short for what it says it is")
	errOther     = rejection("frame is neither a question nor an answer about an address")
	errInvalid   = rejection("frame breaks its protocol's rules")
)

// appendARP appends a request for target: RFC 826, or RFC 5227's probe when sender is 0.0.0.0. The target hardware address
// is what is being asked for and stays zero, in a unicast question too.
func appendARP(b []byte, mac [6]byte, sender, target netip.Addr) []byte {
	b = binary.BigEndian.AppendUint64(b, arpKind<<16|arpRequest)
	b = append(b, mac[:]...)
	b = append(b, sender.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target.AsSlice()...)
}

// decodeARP reads an ARP message; what follows it is Ethernet padding.
func decodeARP(b []byte) (Heard, error) {
	if len(b) < arpLen {
		return Heard{}, errTruncated
	}
	if binary.BigEndian.Uint64(b)>>16 != arpKind {
		return Heard{}, errOther
	}
	h := Heard{
		MAC:    [6]byte(b[8:14]),
		Sender: netip.AddrFrom4([4]byte(b[14:18])),
		Target: netip.AddrFrom4([4]byte(b[24:28])),
	}
	switch op := binary.BigEndian.Uint16(b[6:]); {
	case op != arpRequest && op != arpReply:
		return Heard{}, errOther
	case !individual(h.MAC), h.Sender.IsUnspecified() && (op == arpReply || h.Target.IsUnspecified()):
		return Heard{}, errInvalid
	case h.Sender == h.Target:
		h.Op = Gratuitous
	case op == arpRequest:
		h.Op = Request
	default:
		h.Op = Reply
	}
	return h, nil
}

// individual tells whether mac can be the address of one adapter: neither a group nor zero.
func individual(mac [6]byte) bool { return mac[0]&1 == 0 && mac != [6]byte{} }
