package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// plausible fails for what no decoder may return, and for an answer that is not repeatable.
func plausible(t *testing.T, decode func([]byte) (Heard, error), b []byte) (Heard, bool) {
	t.Helper()
	h, err := decode(b)
	if again, errAgain := decode(b); again != h || errAgain != err {
		t.Fatalf("the second time it was %+v %v, the first time %+v %v", again, errAgain, h, err)
	}
	if err != nil {
		if h != (Heard{}) {
			t.Fatalf("heard %+v beside error %v", h, err)
		}
		return h, false
	}
	switch {
	case h.Op == Unknown || h.Op > Gratuitous || !h.Sender.IsValid() || !h.Target.IsValid() || h.Sender.Zone() != "" || !individual(h.MAC):
		t.Fatalf("accepted as %+v", h)
	case h.Op == Gratuitous && h.Sender != h.Target:
		t.Fatalf("a claim of %v for %v", h.Sender, h.Target)
	case h.Op != Request && h.Sender.IsUnspecified():
		t.Fatalf("nobody has an address: %+v", h)
	case !bytes.Contains(b, h.Sender.AsSlice()) || !bytes.Contains(b, h.Target.AsSlice()):
		t.Fatalf("%+v is not in %x", h, b)
	}
	return h, true
}

// arpByTheBook reads the message of RFC 826 a second time, field by field.
func arpByTheBook(b []byte) (h Heard, ok bool) {
	if len(b) < 28 || !bytes.Equal(b[:6], []byte{0, 1, 8, 0, 6, 4}) || b[6] != 0 || b[7] != 1 && b[7] != 2 {
		return Heard{}, false
	}
	copy(h.MAC[:], b[8:])
	h.Sender, _ = netip.AddrFromSlice(b[14:18])
	h.Target, _ = netip.AddrFromSlice(b[24:28])
	h.Op = map[byte]Op{1: Request, 2: Reply}[b[7]]
	nobody := h.Sender == netip.IPv4Unspecified()
	if h.Sender == h.Target {
		h.Op = Gratuitous
	}
	return h, b[8]&1 == 0 && h.MAC != [6]byte{} && !(nobody && h.Op != Request)
}

// FuzzDecodeARP: what is heard is what the book says, whatever stands behind the message.
func FuzzDecodeARP(f *testing.F) {
	f.Add(appendARP(nil, macA, addr("0.0.0.0"), addr("192.168.10.1")))
	f.Add(octets(f, "0001080006040002 02005e10000b c0a80a01 02005e10000a c0a80a02"))
	f.Add(octets(f, "0001080006040001 02005e10000b c0a80a01 ffffffffffff c0a80a01 0000"))
	f.Add(octets(f, "0001080006040002 02005e10000b c0a80a01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := plausible(t, decodeARP, b)
		if want, wanted := arpByTheBook(b); ok != wanted || ok && h != want {
			t.Fatalf("heard %+v %v, by the book %+v %v", h, ok, want, wanted)
		}
		if short, err := decodeARP(b[:min(len(b), arpLen-1)]); err == nil {
			t.Fatalf("half a message says %+v", short)
		}
	})
}

// FuzzDecodeND: whatever the bytes are, nothing impossible is heard, nothing behind the packet counts, and nothing is heard of
// a packet of which one bit was harmed that its checksum covers. Where repair says so the checksum is made right first.
func FuzzDecodeND(f *testing.F) {
	f.Add(appendNS(nil, macA, addr("fe80::a"), addr("2001:db8::1"), false), true, uint16(0))
	f.Add(neighbour(f, "2001:db8::1", "fe80::a", "88000000 60000000 20010db8000000000000000000000001 0201 02005e10000b"), true, uint16(77))
	f.Add(neighbour(f, "2001:db8::1", "ff02::1", "88000000 a0000000 20010db8000000000000000000000001 0e02 0000000000000000000000000000 0201 02005e10000b"), false, uint16(500))
	f.Add(neighbour(f, "::", "ff02::1:ff00:1", "87000000 00000000 20010db8000000000000000000000001 0e01 010203040506"), false, uint16(9))
	f.Fuzz(func(t *testing.T, b []byte, repair bool, harm uint16) {
		if repair { // else hardly any input passes the checksum
			b = repaired(b)
		}
		decode := func(b []byte) (Heard, error) { return decodeND(b, macB) }
		h, ok := plausible(t, decode, b)
		if !ok {
			return
		}
		if h.MAC != macB && !bytes.Contains(b[headerLen6+messageLen:], h.MAC[:]) {
			t.Fatalf("%x is neither the sender of the frame nor in %x", h.MAC, b)
		}
		total := headerLen6 + int(binary.BigEndian.Uint16(b[4:]))
		if alone, err := decode(b[:total]); err != nil || alone != h {
			t.Fatalf("without what follows the packet it is %+v %v, with it %+v", alone, err, h)
		}
		broken := bytes.Clone(b)
		bit := 8*8 + int(harm)%(8*(total-8)) // the checksum covers addresses and message
		broken[bit/8] ^= 1 << (bit % 8)
		if heard, err := decode(broken); err == nil {
			t.Fatalf("with bit %d harmed it is heard as %+v", bit, heard)
		}
	})
}

// repaired returns b with the checksum made right.
func repaired(b []byte) []byte {
	if len(b) < headerLen6+4 {
		return b
	}
	b = bytes.Clone(b)
	total := min(len(b), headerLen6+int(binary.BigEndian.Uint16(b[4:])))
	if total >= headerLen6+4 {
		b[headerLen6+2], b[headerLen6+3] = 0, 0
		binary.BigEndian.PutUint16(b[headerLen6+2:], ^sum(b[8:headerLen6], b[headerLen6:total]))
	}
	return b
}

// TestQuestionIsHeard: whatever question is not refused asks, on the wire, for what it was to ask for, and goes to whom it was to
// go. One from the address it asks for would be taken for a claim; nobody asks like that.
func TestQuestionIsHeard(t *testing.T) {
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		copy(b, rapid.SampledFrom([]string{"\xfe\x80", "\x20\x01", "\xff\x02", "\x00\x00"}).Draw(t, "scope"))
		a, _ := netip.AddrFromSlice(b[:rapid.SampledFrom([]int{0, 4, 16}).Draw(t, "length")])
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		q := Question{Target: address.Draw(t, "target"), Sender: address.Draw(t, "sender")}
		copy(q.To[:], rapid.SampledFrom([]string{"", string(macB[:])}).Draw(t, "to"))
		c := &Conn{mac: macA}
		e, packet, to, err := c.encode(q)
		if !q.Sender.IsValid() {
			q.Sender = netip.IPv4Unspecified()
		}
		if err != nil || q.Sender == q.Target {
			return
		}
		h, err := decodeND(packet, macB)
		if e == &c.sockets[0] {
			h, err = decodeARP(packet)
		}
		if want := (Heard{Op: Request, Sender: q.Sender, MAC: macA, Target: q.Target}); err != nil || h != want {
			t.Fatalf("%+v is heard as %+v %v", q, h, err)
		}
		if known := q.To != [6]byte{}; known && to != q.To || !known && to[0]&1 == 0 {
			t.Fatalf("%+v goes to %x", q, to)
		}
	})
}

// TestDecodeAllocations: to read a frame costs nothing that lasts, however long the frame.
func TestDecodeAllocations(t *testing.T) {
	options := bytes.Repeat(octets(t, "0e01 010203040506"), 8000)
	long := neighbour(t, "2001:db8::1", "fe80::a", "88000000 60000000 20010db8000000000000000000000001 0201 02005e10000b")
	long = append(long, options...)
	binary.BigEndian.PutUint16(long[4:], uint16(len(long)-headerLen6))
	long = repaired(long)
	for _, tt := range []struct {
		name   string
		decode func() error
	}{
		{"ARP", func() error {
			_, err := decodeARP(appendARP(make([]byte, 0, arpLen), macA, addr("10.0.0.1"), addr("10.0.0.2")))
			return err
		}},
		{"ND with 8000 options", func() error { _, err := decodeND(long, macB); return err }},
	} {
		if err := tt.decode(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := testing.AllocsPerRun(100, func() { _ = tt.decode() }); got != 0 {
			t.Errorf("%s: %v allocations, want none", tt.name, got)
		}
	}
}
