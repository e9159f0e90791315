package port

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The decoders read one message body each. They answer false for what is malformed,
// for what is none of our business, and for what says too little to be a report.

// Lengths of the fixed parts that precede the attributes (linux/rtnetlink.h, if_addr.h,
// neighbour.h).
const (
	ifinfoSize    = unix.SizeofIfInfomsg
	ifaddrSize    = unix.SizeofIfAddrmsg
	neighbourSize = unix.SizeofNdMsg
	routeSize     = unix.SizeofRtMsg
	nexthopSize   = unix.SizeofRtNexthop
)

// link is the part of a State that a link report carries: everything but the addresses.
type link = State

// decodeLink reads the body of an RTM_NEWLINK or RTM_DELLINK.
//
// Two kinds look like link reports and are none: those of another family, by which a
// bridge speaks of its members (a DELLINK of AF_BRIDGE is a port that left the bridge and
// lives on), and wireless events, which carry no name.
func decodeLink(b []byte) (link, bool) {
	if len(b) < ifinfoSize || b[0] != unix.AF_UNSPEC {
		return link{}, false
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	l := link{
		Index:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Present:  true,
		AdminUp:  flags&unix.IFF_UP != 0,
		Carrier:  carrier(flags&unix.IFF_LOWER_UP != 0),
		Loopback: flags&unix.IFF_LOOPBACK != 0,
	}
	ad, err := netlink.NewAttributeDecoder(b[ifinfoSize:])
	if err != nil {
		return link{}, false
	}
	for ad.Next() {
		l.attribute(ad)
	}
	if ad.Err() != nil || l.Index <= 0 || l.Name == "" {
		return link{}, false
	}
	if !l.AdminUp {
		l.Carrier = CarrierUnknown
	}
	return l, true
}

// attribute takes in one attribute of a link report.
func (s *State) attribute(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.IFLA_IFNAME:
		name, _, _ := bytes.Cut(ad.Bytes(), []byte{0})
		if len(name) < unix.IFNAMSIZ {
			s.Name = string(name)
		}
	case unix.IFLA_ADDRESS:
		s.MAC = mac(ad.Bytes())
	case unix.IFLA_MTU:
		s.MTU = int(ad.Uint32())
	case unix.IFLA_MASTER:
		s.Master = int(ad.Uint32())
	case unix.IFLA_OPERSTATE:
		s.OperState = operState(ad.Uint8())
	case unix.IFLA_CARRIER:
		s.Carrier = carrier(ad.Uint8() != 0)
	case unix.IFLA_CARRIER_DOWN_COUNT:
		s.DownCount, s.DownCountKnown = ad.Uint32(), true
	case unix.IFLA_PROTO_DOWN:
		s.ProtoDown = ad.Uint8() != 0
	}
}

func carrier(up bool) Carrier {
	if up {
		return CarrierUp
	}
	return CarrierDown
}

// operState keeps a number of a kernel newer than this program out of the enum.
func operState(v uint8) OperState {
	if v > uint8(OperUp) {
		return OperUnknown
	}
	return OperState(v)
}

// mac is a hardware address of 6 bytes, zero for any other kind.
func mac(b []byte) [6]byte {
	if len(b) != 6 {
		return [6]byte{}
	}
	return [6]byte(b)
}

// address is what an RTM_NEWADDR or RTM_DELADDR says.
type address struct {
	index  int
	prefix netip.Prefix
	usable bool // not under, and not refused by, duplicate address detection
}

// decodeAddress reads the body of an RTM_NEWADDR or RTM_DELADDR.
func decodeAddress(b []byte) (address, bool) {
	if len(b) < ifaddrSize {
		return address{}, false
	}
	family, bits := b[0], int(b[1])
	flags := uint32(b[2])
	a := address{index: int(binary.NativeEndian.Uint32(b[4:]))}
	ad, err := netlink.NewAttributeDecoder(b[ifaddrSize:])
	if err != nil {
		return address{}, false
	}
	var local, plain netip.Addr
	for ad.Next() {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			local = addr(family, ad.Bytes())
		case unix.IFA_ADDRESS:
			plain = addr(family, ad.Bytes())
		case unix.IFA_FLAGS:
			flags = ad.Uint32()
		}
	}
	if !local.IsValid() { // on a point-to-point port the plain one is the peer's
		local = plain
	}
	a.prefix = netip.PrefixFrom(local, bits)
	a.usable = flags&unix.IFA_F_DADFAILED == 0 &&
		(flags&unix.IFA_F_TENTATIVE == 0 || flags&unix.IFA_F_OPTIMISTIC != 0)
	return a, ad.Err() == nil && a.index > 0 && a.prefix.IsValid()
}

// addr reads an address of the family; it is invalid if the length does not fit.
func addr(family uint8, b []byte) netip.Addr {
	a, ok := netip.AddrFromSlice(b)
	if !ok || a.Is4() != (family == unix.AF_INET) || a.Is6() != (family == unix.AF_INET6) {
		return netip.Addr{}
	}
	return a
}

// decodeNeighbour reads the body of an RTM_NEWNEIGH: the port and the station. It
// refuses entries without a proven hardware address, proxies, and groups.
func decodeNeighbour(b []byte) (int, Neighbour, bool) {
	const proven = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT
	if len(b) < neighbourSize {
		return 0, Neighbour{}, false
	}
	family, index := b[0], int(int32(binary.NativeEndian.Uint32(b[4:])))
	state, flags := binary.NativeEndian.Uint16(b[8:]), b[10]
	ad, err := netlink.NewAttributeDecoder(b[neighbourSize:])
	if err != nil || state&proven == 0 || flags&unix.NTF_PROXY != 0 {
		return 0, Neighbour{}, false
	}
	var n Neighbour
	for ad.Next() {
		switch ad.Type() {
		case unix.NDA_DST:
			n.Addr = addr(family, ad.Bytes())
		case unix.NDA_LLADDR:
			n.MAC = mac(ad.Bytes())
		}
	}
	single := n.Addr.IsValid() && !n.Addr.IsMulticast() && !n.Addr.IsUnspecified() &&
		n.MAC != [6]byte{} && n.MAC[0]&1 == 0
	return index, n, ad.Err() == nil && index > 0 && single
}

// hop is one next hop of a route: a gateway reached through a port.
type hop struct {
	index   int
	gateway netip.Addr // invalid: the destination is on the port itself
}

// decodeRoute reads the next hops, usually one, of an RTM_NEWROUTE that forwards
// packets and was not cloned for one destination.
func decodeRoute(b []byte) []hop {
	if len(b) < routeSize {
		return nil
	}
	family, kind := b[0], b[7]
	if kind != unix.RTN_UNICAST || binary.NativeEndian.Uint32(b[8:])&unix.RTM_F_CLONED != 0 {
		return nil
	}
	single, several := decodeHop(family, b[routeSize:])
	if len(several) > 0 {
		return decodeMultipath(family, several)
	}
	return []hop{single}
}

// decodeHop reads the attributes that a route and each of its multipath next hops
// share, and the multipath attribute, raw, that only a route has.
func decodeHop(family uint8, b []byte) (h hop, multipath []byte) {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return hop{}, nil
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_OIF:
			h.index = int(ad.Uint32())
		case unix.RTA_GATEWAY:
			h.gateway = addr(family, ad.Bytes())
		case unix.RTA_VIA: // the gateway is of another family than the destination
			if v := ad.Bytes(); len(v) > 2 {
				h.gateway = addr(uint8(binary.NativeEndian.Uint16(v)), v[2:])
			}
		case unix.RTA_MULTIPATH:
			multipath = ad.Bytes()
		}
	}
	if ad.Err() != nil {
		return hop{}, nil
	}
	return h, multipath
}

// decodeMultipath reads the list of next hops of a route that has several.
func decodeMultipath(family uint8, b []byte) []hop {
	var hops []hop
	for len(b) >= nexthopSize {
		length := int(binary.NativeEndian.Uint16(b))
		if length < nexthopSize || length > len(b) {
			return hops
		}
		h, _ := decodeHop(family, b[nexthopSize:length])
		h.index = int(int32(binary.NativeEndian.Uint32(b[4:])))
		hops = append(hops, h)
		b = b[min(align(length), len(b)):]
	}
	return hops
}
