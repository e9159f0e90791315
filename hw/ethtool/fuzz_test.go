package ethtool

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// carrierByTheBook walks along the attributes of a LINKSTATE reply a second time: a header of two numbers, length and type,
// and a value padded to four bytes. The last word on the link counts; anything malformed and all of it is worth nothing.
func carrierByTheBook(b []byte) (c Carrier) {
	for len(b) > 0 {
		if len(b) < 4 {
			return Unknown
		}
		length, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)
		if length == 0 { // taken for a header without a value
			length = 4
		}
		if length < 4 || length > len(b) {
			return Unknown
		}
		if kind == unix.ETHTOOL_A_LINKSTATE_LINK {
			if length != 5 {
				return Unknown
			}
			c = Up
			if b[4] == 0 {
				c = Down
			}
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return c
}

// FuzzCarrier lets a kernel answer with any bytes, in one reply or two. Nothing may be made up, and the answer must be
// repeatable.
func FuzzCarrier(f *testing.F) {
	link := func(v uint8) []byte {
		return encode(func(ae *netlink.AttributeEncoder) {
			ae.Nested(unix.ETHTOOL_A_LINKSTATE_HEADER, func(n *netlink.AttributeEncoder) error {
				n.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, 7)
				return nil
			})
			ae.Uint8(unix.ETHTOOL_A_LINKSTATE_LINK, v)
			ae.Uint32(unix.ETHTOOL_A_LINKSTATE_SQI, 100)
		})
	}
	f.Add(link(1), []byte{})
	f.Add(link(0), link(1))
	f.Add(link(1)[:17], link(0)[:3])
	f.Fuzz(func(t *testing.T, one, two []byte) {
		client := on(t, &kernel{answer: func(uint8, []byte) ([][]byte, error) { return [][]byte{one, two}, nil }})
		want := carrierByTheBook(one)
		if want == Unknown {
			want = carrierByTheBook(two)
		}
		for range 2 {
			if got, err := client.Carrier(7); got != want || err != nil {
				t.Fatalf("%x, %x: %v %v, by the book %v", one, two, got, err, want)
			}
		}
	})
}

// TestDecodeAllocations: a reply costs one copy of each attribute, which is the library's, and nothing beyond that however
// long it is.
func TestDecodeAllocations(t *testing.T) {
	unwanted := encode(func(ae *netlink.AttributeEncoder) { ae.Bytes(1000, bytes.Repeat([]byte{7}, 60)) })
	cost := func(n int) float64 {
		b := slices.Repeat(unwanted, n)
		return testing.AllocsPerRun(100, func() { decodeLinkState(b) })
	}
	if one, many := cost(1), cost(1000); many > one+999 {
		t.Errorf("%v allocations with one unwanted attribute, %v with 1000", one, many)
	}
}
