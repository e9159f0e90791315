package vrrp

import (
	"encoding/binary"
	"net/netip"
)

// sum adds b as 16-bit words in network order, an odd last byte padded with zero
// (RFC 1071). Up to 64 KiB cannot overflow it.
func sum(b []byte) uint32 {
	var s uint32
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// pseudoSum adds the pseudo header of RFC 9568 §5.2.8. That of IPv4 and that of IPv6
// order their fields differently, but the sum is the same.
func pseudoSum(src, dst netip.Addr, length int) uint32 {
	return addrSum(src) + addrSum(dst) + Protocol + uint32(length)
}

func addrSum(a netip.Addr) uint32 {
	if a.Is4() {
		v4 := a.As4()
		return sum(v4[:])
	}
	v6 := a.As16()
	return sum(v6[:])
}

// fold brings a sum down to 16 bits, carries added back in. The sum over a message
// with a right checksum is 0xffff.
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
