package address

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The fixed headers are struct ifaddrmsg and struct rtmsg of <linux/if_addr.h>
// and <linux/rtnetlink.h>, in the host's byte order.
const (
	addressHeader = unix.SizeofIfAddrmsg
	routeHeader   = unix.SizeofRtMsg

	// ifaProto is IFA_PROTO of Linux 5.18; older kernels skip it unread.
	ifaProto = 11

	// forever is INFINITY_LIFE_TIME.
	forever = math.MaxUint32
)

// errShort is an answer of the kernel too short to be what it says it is, or of
// another family.
var errShort = errors.New("the kernel's answer is cut short")

// found is one address as the kernel tells it.
type found struct {
	vip      VIP
	protocol uint8
	lifetime uint32 // seconds left, or forever
}

func (f found) holding() Holding {
	switch {
	case f.protocol == Protocol:
		return Ours
	case f.lifetime != forever:
		return Leased
	default:
		return Permanent
	}
}

// newAddress asks for v with a lifetime in seconds, 0 meaning for ever.
func newAddress(v VIP, seconds uint32) netlink.Message {
	if seconds == 0 {
		seconds = forever
	}
	head := addressMessage(v)
	if v.Prefix.Addr().Is6() {
		head[2] = unix.IFA_F_NODAD
	}
	ae := addressAttributes(v)
	if v.Broadcast.IsValid() {
		ae.Bytes(unix.IFA_BROADCAST, v.Broadcast.AsSlice())
	}
	if v.Label != "" {
		ae.String(unix.IFA_LABEL, v.Label)
	}
	// struct ifa_cacheinfo: preferred, valid, and two stamps the kernel sets.
	lifetimes := make([]byte, unix.SizeofIfaCacheinfo)
	binary.NativeEndian.PutUint32(lifetimes, seconds)
	binary.NativeEndian.PutUint32(lifetimes[4:], seconds)
	ae.Bytes(unix.IFA_CACHEINFO, lifetimes)
	ae.Uint8(ifaProto, Protocol)
	return message(unix.RTM_NEWADDR, netlink.Create|netlink.Replace, head, ae)
}

func deleteAddress(v VIP) netlink.Message {
	return message(unix.RTM_DELADDR, 0, addressMessage(v), addressAttributes(v))
}

func addressMessage(v VIP) []byte {
	b := make([]byte, addressHeader)
	b[0] = family(v.Prefix.Addr())
	b[1] = uint8(v.Prefix.Bits())
	b[3] = v.Scope
	binary.NativeEndian.PutUint32(b[4:], uint32(v.Index))
	return b
}

func addressAttributes(v VIP) *netlink.AttributeEncoder {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, v.Prefix.Addr().AsSlice())
	ae.Bytes(unix.IFA_ADDRESS, v.Prefix.Addr().AsSlice())
	return ae
}

// newRoute asks for a normal route. Without EXCL and REPLACE the kernel puts it
// before its equals instead of failing or overwriting.
func newRoute(r Route) netlink.Message {
	head := routeMessage(r)
	head[6] = r.Scope
	head[7] = unix.RTN_UNICAST
	return message(unix.RTM_NEWROUTE, netlink.Create, head, routeAttributes(r))
}

// deleteRoute matches on everything r says except the scope.
func deleteRoute(r Route) netlink.Message {
	head := routeMessage(r)
	head[6] = unix.RT_SCOPE_NOWHERE
	return message(unix.RTM_DELROUTE, 0, head, routeAttributes(r))
}

func routeMessage(r Route) []byte {
	b := make([]byte, routeHeader)
	b[0] = family(r.Dst.Addr())
	b[1] = uint8(r.Dst.Bits())
	if r.Table <= math.MaxUint8 {
		b[4] = uint8(r.Table)
	}
	b[5] = Protocol
	return b
}

func routeAttributes(r Route) *netlink.AttributeEncoder {
	ae := netlink.NewAttributeEncoder()
	if r.Dst.Bits() > 0 {
		ae.Bytes(unix.RTA_DST, r.Dst.Addr().AsSlice())
	}
	if r.Via.IsValid() {
		ae.Bytes(unix.RTA_GATEWAY, r.Via.AsSlice())
	}
	if r.Index != 0 {
		ae.Uint32(unix.RTA_OIF, uint32(r.Index))
	}
	if r.Src.IsValid() {
		ae.Bytes(unix.RTA_PREFSRC, r.Src.AsSlice())
	}
	if r.Metric != 0 {
		ae.Uint32(unix.RTA_PRIORITY, r.Metric)
	}
	ae.Uint32(unix.RTA_TABLE, r.Table)
	return ae
}

// message joins a fixed header and its attributes into a request that is
// acknowledged.
func message(kind netlink.HeaderType, flags netlink.HeaderFlags, head []byte, ae *netlink.AttributeEncoder) netlink.Message {
	attributes, err := ae.Encode()
	if err != nil {
		// Only an attribute beyond 64 KiB fails, and validate bounds them all.
		panic(fmt.Sprintf("address: encode attributes: %v", err))
	}
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   append(head, attributes...),
	}
}

// parseAddress reads RTM_NEWADDR and RTM_DELADDR.
func parseAddress(b []byte) (found, error) {
	if len(b) < addressHeader {
		return found{}, errShort
	}
	f := found{lifetime: forever}
	f.vip.Scope = b[3]
	f.vip.Index = int(binary.NativeEndian.Uint32(b[4:]))
	bits := int(b[1])
	ad, err := netlink.NewAttributeDecoder(b[addressHeader:])
	if err != nil {
		return found{}, err
	}
	var local, address netip.Addr
	for ad.Next() {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			local = told(b[0], ad.Bytes())
		case unix.IFA_ADDRESS:
			address = told(b[0], ad.Bytes())
		case unix.IFA_BROADCAST:
			f.vip.Broadcast = told(b[0], ad.Bytes())
		case unix.IFA_LABEL:
			f.vip.Label = ad.String()
		case unix.IFA_CACHEINFO:
			if info := ad.Bytes(); len(info) >= 8 {
				f.lifetime = binary.NativeEndian.Uint32(info[4:])
			}
		case ifaProto:
			f.protocol = ad.Uint8()
		}
	}
	// IPv4 has both, and they differ on a point-to-point port; IPv6 has usually
	// only IFA_ADDRESS.
	if !local.IsValid() {
		local = address
	}
	f.vip.Prefix = netip.PrefixFrom(local, bits)
	if err := ad.Err(); err != nil {
		return found{}, err
	}
	if !f.vip.Prefix.IsValid() {
		return found{}, errShort
	}
	return f, nil
}

// parseRoute reads RTM_NEWROUTE and RTM_DELROUTE. A multipath route comes back
// without gateway and port.
func parseRoute(b []byte) (r Route, protocol uint8, err error) {
	if len(b) < routeHeader {
		return Route{}, 0, errShort
	}
	dst := told(b[0], make([]byte, width(b[0])))
	bits := int(b[1])
	r.Table = uint32(b[4])
	r.Scope = b[6]
	ad, err := netlink.NewAttributeDecoder(b[routeHeader:])
	if err != nil {
		return Route{}, 0, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_DST:
			dst = told(b[0], ad.Bytes())
		case unix.RTA_GATEWAY:
			r.Via = told(b[0], ad.Bytes())
		case unix.RTA_OIF:
			r.Index = int(ad.Uint32())
		case unix.RTA_PREFSRC:
			r.Src = told(b[0], ad.Bytes())
		case unix.RTA_PRIORITY:
			r.Metric = ad.Uint32()
		case unix.RTA_TABLE:
			r.Table = ad.Uint32()
		}
	}
	r.Dst = netip.PrefixFrom(dst, bits)
	if err := ad.Err(); err != nil {
		return Route{}, 0, err
	}
	if !r.Dst.IsValid() {
		return Route{}, 0, errShort
	}
	return r, b[5], nil
}

// told reads an address of the message's family; it is invalid if b is none.
func told(family uint8, b []byte) netip.Addr {
	if len(b) != width(family) {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(b) // of no bytes, where the family is not IP, it is invalid too
	return a
}

// width is how many bytes an address of a family has; 0 where it is not IP.
func width(family uint8) int {
	switch family {
	case unix.AF_INET:
		return 4
	case unix.AF_INET6:
		return 16
	}
	return 0
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
