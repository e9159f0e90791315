package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// version is one version of IP: how we read it, how we write it, and what reads it as the book has it.
type version struct {
	decode func([]byte) (Frame, error)
	encode func(b []byte, src, dst netip.Addr, n int) []byte
	book   func([]byte) (f Frame, total int) // 0: no packet for us
	group  netip.Addr
}

// book4 reads the header of RFC 791 §3.1 a second time. Its checksum is right where the sum of its words, in which the
// checksum itself is one, is a multiple of 0xffff.
func book4(b []byte) (f Frame, total int) {
	if len(b) < 20 {
		return f, 0
	}
	words := int(b[0] & 15)
	total = int(b[2])<<8 + int(b[3])
	if b[0]>>4 != 4 || words < 5 || total < 4*words || total > len(b) {
		return f, 0
	}
	s := 0
	for k, x := range b[:4*words] {
		s += int(x) << (8 * (1 - k%2))
	}
	whole := b[6]&0x20 == 0 && b[6]&0x1f == 0 && b[7] == 0 // neither more fragments nor an offset
	if s%0xffff != 0 || !whole || b[9] != 112 {
		return f, 0
	}
	f.Src, _ = netip.AddrFromSlice(b[12:16])
	f.Dst, _ = netip.AddrFromSlice(b[16:20])
	f.TTL, f.Payload = int(b[8]), b[4*words:total]
	return f, total
}

// book6 reads the header of RFC 8200 §3 a second time.
func book6(b []byte) (f Frame, total int) {
	if len(b) < 40 {
		return f, 0
	}
	total = 40 + int(b[4])<<8 + int(b[5])
	if b[0]>>4 != 6 || total > len(b) || b[6] != 112 {
		return f, 0
	}
	f.Src, _ = netip.AddrFromSlice(b[8:24])
	f.Dst, _ = netip.AddrFromSlice(b[24:40])
	f.TTL, f.Payload = int(b[7]), b[40:total]
	return f, total
}

func equal(a, b Frame) bool {
	return a.MAC == b.MAC && a.Src == b.Src && a.Dst == b.Dst && a.TTL == b.TTL && bytes.Equal(a.Payload, b.Payload)
}

// FuzzDecode4 also makes the checksum of the header right where repair says so, and wants every harmed bit of it noticed.
func FuzzDecode4(f *testing.F) {
	for _, s := range []string{
		"45c0001600000000ff70cfa50aff0001e00000122132",
		"46c0001a00000000ff703a9d0aff0001e0000012940400002132",
		"4fc0003c00000000ff70b16b0aff0001e0000012" + strings.Repeat("01", 40),
		"45c0001400002000ff70afa70aff0001e0000012",
		"45c0001400000001ff70cfa60aff0001e0000012",
		"44c0001400000000ff70d0260aff0001e0000012",
	} {
		f.Add(octets(f, s), false, uint16(0))
		f.Add(octets(f, s), true, uint16(93))
	}
	v := version{decode4, appendHeader4, book4, group4}
	check := v.checker(f)
	f.Fuzz(func(t *testing.T, b []byte, repair bool, harm uint16) {
		if header := 4 * int(byte(0xf)&first(b)); repair && header >= headerLen4 && header <= len(b) {
			b = bytes.Clone(b)
			b[10], b[11] = 0, 0
			binary.BigEndian.PutUint16(b[10:], ^sum(b[:header]))
		}
		if !check(t, b) {
			return
		}
		broken := bytes.Clone(b)
		bit := int(harm) % (8 * 4 * int(b[0]&0xf))
		broken[bit/8] ^= 1 << (bit % 8)
		if bit/8 == 0 {
			return // another header length covers other octets
		}
		if got, err := decode4(broken); err == nil {
			t.Fatalf("with bit %d harmed it is read as %+v", bit, got)
		}
	})
}

func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// FuzzDecode6 has nothing to repair: an IPv6 header has no checksum.
func FuzzDecode6(f *testing.F) {
	f.Add(octets(f, "6c000000000270fffe800000000000000000000000000001ff0200000000000000000000000000123132"))
	f.Add(octets(f, "6c000000000070ff"))
	f.Add(octets(f, "6c00000000082cfffe800000000000000000000000000001ff0200000000000000000000000000127000000000000001"))
	v := version{decode6, appendHeader6, book6, group6}
	check := v.checker(f)
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

// checker checks that a packet is read as the book has it, that nothing behind it counts, that we would send the same, and
// that the filter in the kernel lets it through if it is for the group.
func (v version) checker(f *testing.F) func(*testing.T, []byte) bool {
	program, err := filter(v.group, 0)
	if err != nil {
		f.Fatal(err)
	}
	const ofType = 2 // the first instructions ask for the kind of the frame, which the machine in x/net does not have
	instructions, _ := bpf.Disassemble(program[ofType:])
	kernel, err := bpf.NewVM(instructions)
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, b []byte) bool {
		got, err := v.decode(b)
		want, total := v.book(b)
		if (total > 0) != (err == nil) || !equal(got, want) {
			t.Fatalf("read as %+v %v, by the book %+v", got, err, want)
		}
		if total == 0 {
			return false
		}
		if alone := must(v.decode(b[:total])); !equal(alone, got) {
			t.Fatalf("without what follows it is %+v, with it %+v", alone, got)
		}
		again := must(v.decode(append(v.encode(nil, got.Src, got.Dst, len(got.Payload)), got.Payload...)))
		if again.TTL = got.TTL; len(got.Payload) < 1<<16-headerLen4 && !equal(again, got) {
			t.Fatalf("%+v comes back as %+v", got, again)
		}
		n, err := kernel.Run(b)
		if forUs := got.Dst == v.group; err != nil || (n > 0) != forUs {
			t.Fatalf("to %v: the filter lets %d octets through, %v", got.Dst, n, err)
		}
		return true
	}
}

// must is the frame, zero if there is none.
func must(f Frame, _ error) Frame { return f }

// TestDecodeAllocations: to read a packet costs nothing but the payload's own copy, and that only of a packet for us.
func TestDecodeAllocations(t *testing.T) {
	for _, n := range []int{0, 8, maxPacket - headerLen6} {
		four := append(appendHeader4(nil, netip.MustParseAddr("10.0.0.1"), group4, n), make([]byte, n)...)
		six := append(appendHeader6(nil, netip.MustParseAddr("fe80::1"), group6, n), make([]byte, n)...)
		want := map[bool]float64{true: 0, false: 1}[n == 0]
		for _, c := range []struct {
			name   string
			conn   *Conn
			packet []byte
			want   float64
		}{
			{"IPv4", &Conn{group: group4}, four, want},
			{"IPv6", &Conn{group: group6}, six, want},
			{"IPv4, harmed", &Conn{group: group4}, append([]byte{0x45}, four...), 0},
			{"IPv6, cut off", &Conn{group: group6}, six[:headerLen6-1], 0},
		} {
			if got := testing.AllocsPerRun(100, func() { _, _ = c.conn.decode(c.packet) }); got != c.want {
				t.Errorf("%s, payload of %d: %v allocations, want %v", c.name, n, got, c.want)
			}
		}
	}
}
