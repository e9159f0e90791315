package vrrp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// FuzzReceive throws bytes at every kind of router. Whatever they are, Receive must
// not panic, must not allocate more than the list it returns, must be repeatable, must
// drop what the book forbids and for one of its reasons, and what it accepts must be a
// message that says the same when it is sent again. Where seal says so the checksum is
// made right first: bytes that fail it come no further.
func FuzzReceive(f *testing.F) {
	for _, g := range goldens {
		f.Add(unhex(f, g.hex), addr(g.src).AsSlice(), addr(g.dst).AsSlice(), 255, uint8(0))
	}
	for _, m := range []Params{listen2, listen3, listen6} {
		p := packetFor(f, m)
		for seal := range uint8(3) {
			f.Add(p.Payload, p.Src.AsSlice(), p.Dst.AsSlice(), 255, seal)
		}
		f.Add(p.Payload[:9], p.Src.AsSlice(), p.Dst.AsSlice(), 255, uint8(0))
		f.Add(append(slices.Clone(p.Payload), make([]byte, 28)...), p.Src.AsSlice(), p.Dst.AsSlice(), 255, uint8(0))
		f.Add(p.Payload, p.Src.AsSlice(), p.Dst.AsSlice(), -1, uint8(0))
	}
	f.Add([]byte{}, []byte{}, []byte{}, 0, uint8(0))
	f.Fuzz(func(t *testing.T, payload, src, dst []byte, ttl int, seal uint8) {
		p := Packet{TTL: ttl, Payload: payload}
		p.Src, _ = netip.AddrFromSlice(src)
		p.Dst, _ = netip.AddrFromSlice(dst)
		for _, m := range []Params{listen2, listen3, listen6, {}} {
			q := sealed(p, m, seal)
			before := bytes.Clone(q.Payload)
			checkReceived(t, q, m)
			if !bytes.Equal(before, q.Payload) {
				t.Fatal("the payload was changed")
			}
		}
		v, vrid, ok := Peek(payload)
		switch {
		case ok != (len(payload) >= 2):
			t.Fatalf("Peek of %d bytes says %v", len(payload), ok)
		case ok && (uint8(v) != payload[0]>>4 || vrid != payload[1]), !ok && (v != 0 || vrid != 0):
			t.Fatalf("Peek of %x says version %d, VRID %d", payload, v, vrid)
		}
	})
}

// sealed is the packet with its checksum made right for that router: not at all, over the
// message, or over the message and the pseudo header.
func sealed(p Packet, m Params, how uint8) Packet {
	n := messageLength(p.Payload, m)
	if how == 0 || n > len(p.Payload) || !p.Src.IsValid() || !p.Dst.IsValid() {
		return p
	}
	p.Payload = bytes.Clone(p.Payload)
	p.Payload[6], p.Payload[7] = 0, 0
	covered := p.Payload[:n]
	if how > 1 {
		covered = withPseudoHeader(p, n)
	}
	binary.BigEndian.PutUint16(p.Payload[6:], ^uint16(wordSum(covered)%0xffff))
	return p
}

// messageLength is how long the message says it is, and more than any payload where it is too short to say.
func messageLength(payload []byte, m Params) int {
	if len(payload) < 8 {
		return 1 << 20
	}
	n := 8 + int(payload[3])*4
	switch {
	case m.Family == IPv6:
		n = 8 + int(payload[3])*16
	case m.Version == V2:
		n += 8
	}
	return n
}

// withPseudoHeader is the message behind the pseudo header of its family, each laid out as its RFC draws it.
func withPseudoHeader(p Packet, n int) []byte {
	src, dst := p.Src.Unmap(), p.Dst.Unmap()
	b := append(src.AsSlice(), dst.AsSlice()...)
	if src.Is4() { // RFC 9293 §3.1
		b = append(b, 0, 112, byte(n>>8), byte(n))
	} else { // RFC 8200 §8.1
		b = append(b, 0, 0, byte(n>>8), byte(n), 0, 0, 0, 112)
	}
	return append(b, p.Payload[:n]...)
}

// wordSum adds words of 16 bits without folding: the checksum is right where it is a multiple of 0xffff and not 0.
func wordSum(b []byte) (s uint64) {
	for k, x := range b {
		s += uint64(x) << (8 * (1 - k%2))
	}
	return s
}

// byTheBook decides a second time, written down from RFC 3768 §7.1 and RFC 9568 §7.1 and from what the checks say of
// themselves: every reason to drop the packet, in no order, none where it has to be accepted.
func byTheBook(p Packet, m Params) (reasons []Check) {
	wrong := func(c Check, is bool) {
		if is {
			reasons = append(reasons, c)
		}
	}
	src, dst, b := p.Src.Unmap(), p.Dst.Unmap(), p.Payload
	length := map[Family]int{IPv4: 32, IPv6: 128}[m.Family]
	wrong(CheckFamily, length == 0 || src.BitLen() != length || dst.BitLen() != length)
	wrong(CheckSource, src.IsMulticast())
	wrong(CheckTTL, p.TTL != 255)
	if len(b) < 8 {
		return append(reasons, CheckTruncated)
	}
	wrong(CheckVersion, b[0]>>4 != uint8(m.Version))
	wrong(CheckType, b[0]&15 != 1)
	wrong(CheckVRID, b[1] != m.VRID)
	wrong(CheckNoAddresses, b[3] == 0)
	n := messageLength(b, m)
	if n > len(b) {
		return append(reasons, CheckTruncated)
	}
	plain, pseudo := wordSum(b[:n]), wordSum(withPseudoHeader(p, n))
	right := pseudo%0xffff == 0
	if m.Family == IPv4 {
		right = plain > 0 && plain%0xffff == 0 || m.Version == V3 && right
	}
	wrong(CheckChecksum, !right)
	if m.Version == V2 {
		wrong(CheckAuthType, b[4] != uint8(m.Auth))
		wrong(CheckPassword, m.Auth == AuthPass && !bytes.Equal(b[n-8:n], m.Password[:]))
		wrong(CheckInterval, time.Duration(b[5])*time.Second != m.Interval)
		wrong(CheckZeroInterval, b[5] == 0)
	} else {
		wrong(CheckZeroInterval, b[4]&15 == 0 && b[5] == 0)
		ours := len(m.Addresses) > 0 && m.Addresses[0].IsLinkLocalUnicast()
		wrong(CheckLinkLocal, m.Family == IPv6 && ours && b[3] > 0 && (b[8] != 0xfe || b[9]&0xc0 != 0x80))
	}
	return reasons
}

func checkReceived(t *testing.T, p Packet, m Params) {
	t.Helper()
	a, check, remarks := Receive(p, m)
	again, checkAgain, remarksAgain := Receive(p, m)
	if checkAgain != check || remarksAgain != remarks || !slices.Equal(a.Addresses, again.Addresses) {
		t.Fatalf("the second time it was %v %v, the first time %v %v", checkAgain, remarksAgain, check, remarks)
	}
	reasons := byTheBook(p, m)
	if check != Accepted {
		if !slices.Contains(reasons, check) {
			t.Fatalf("dropped for %v, reasons are %v", check, reasons)
		}
		if remarks != 0 || a.Addresses != nil || a.VRID != 0 {
			t.Fatalf("dropped for %v, yet %v %+v", check, remarks, a)
		}
		return
	}
	if len(reasons) > 0 {
		t.Fatalf("accepted in spite of %v", reasons)
	}
	if cap(a.Addresses) > maxAddresses || len(a.Addresses)*m.Family.size() > len(p.Payload) {
		t.Fatalf("%d addresses (room for %d) from %d bytes", len(a.Addresses), cap(a.Addresses), len(p.Payload))
	}
	if a.VRID != m.VRID || a.Version != m.Version || a.Interval <= 0 || a.Priority != p.Payload[2] || len(a.Addresses) != int(p.Payload[3]) {
		t.Fatalf("accepted as %+v", a)
	}
	if remarks.Has(RemarkTrailing) != (messageLength(p.Payload, m) < len(p.Payload)) {
		t.Fatalf("remarks %v of a message of %d bytes in %d", remarks, messageLength(p.Payload, m), len(p.Payload))
	}
	resend(t, p, m, a)
}

// resend sends an accepted advert again: it must come back as it was. A list with an
// IPv4 address wrapped in IPv6 has no form that we would send.
func resend(t *testing.T, p Packet, m Params, a Advert) {
	t.Helper()
	payload, err := a.Append(nil, p.Src, p.Dst)
	if err != nil {
		if slices.ContainsFunc(a.Addresses, netip.Addr.Is4In6) {
			return
		}
		t.Fatalf("accepted, but cannot be sent: %v", err)
	}
	again, check, _ := Receive(Packet{Src: p.Src, Dst: p.Dst, TTL: 255, Payload: payload}, m)
	if check != Accepted || !same(again, a) {
		t.Fatalf("%+v came back as %v %+v", a, check, again)
	}
}

func same(a, b Advert) bool {
	return a.Version == b.Version && a.VRID == b.VRID && a.Priority == b.Priority && a.Interval == b.Interval &&
		a.Auth == b.Auth && a.Password == b.Password && slices.Equal(a.Addresses, b.Addresses)
}

// FuzzAppend sends any advert whatever. What has no wire form must be refused and leave the buffer as it came; the rest
// must be heard as it was said by a router with the same settings, from a buffer that begins with something else.
func FuzzAppend(f *testing.F) {
	for _, g := range goldens {
		a := g.advert
		var list []byte
		for _, x := range a.Addresses {
			list = append(list, x.AsSlice()...)
		}
		f.Add([]byte("before"), uint8(a.Version), a.VRID, a.Priority, int64(a.Interval), uint8(a.Auth), a.Password[:], list, addr(g.src).AsSlice(), addr(g.dst).AsSlice())
	}
	f.Add([]byte{}, uint8(2), uint8(1), uint8(0), int64(255*time.Second), uint8(1), []byte("sanitize"), make([]byte, 255*4), []byte{0, 0, 0, 0}, []byte{224, 0, 0, 18})
	f.Fuzz(func(t *testing.T, before []byte, version, vrid, priority uint8, interval int64, auth uint8, password, list, src, dst []byte) {
		a := Advert{Version: Version(version), VRID: vrid, Priority: priority, Interval: time.Duration(interval), Auth: AuthType(auth)}
		copy(a.Password[:], password)
		from, _ := netip.AddrFromSlice(src)
		to, _ := netip.AddrFromSlice(dst)
		size := max(from.Unmap().BitLen()/8, 4)
		for ; len(list) >= size; list = list[size:] {
			x, _ := netip.AddrFromSlice(list[:size])
			a.Addresses = append(a.Addresses, x)
		}
		kept := bytes.Clone(before)
		got, err := a.Append(before, from, to)
		if !bytes.Equal(got[:len(kept)], kept) {
			t.Fatalf("%x stood in the buffer, now %x does", kept, got[:len(kept)])
		}
		if err != nil {
			if len(got) != len(kept) {
				t.Fatalf("refused (%v), yet %x was appended", err, got[len(kept):])
			}
			return
		}
		hearSaid(t, a, Packet{Src: from, Dst: to, TTL: 255, Payload: got[len(kept):]})
	})
}

// hearSaid lets a router with the settings of the sender hear what was sent.
func hearSaid(t *testing.T, a Advert, p Packet) {
	t.Helper()
	m := paramsFor(a)
	want := []Check{Accepted}
	switch { // what can be sent and must not be heard
	case p.Src.Unmap().IsMulticast():
		want = []Check{CheckSource}
	case a.Auth != AuthPass:
		a.Password = [8]byte{} // means nothing, whether it is sent or not
	}
	got, check, remarks := Receive(p, m)
	if !slices.Contains(want, check) {
		t.Fatalf("%+v was heard as %v, want %v", a, check, want)
	}
	if check == Accepted && (!same(got, a) || remarks != 0) {
		t.Fatalf("%+v was heard as %+v %v", a, got, remarks)
	}
}

// TestReceiveAllocations: what a packet costs grows with the list that is asked for and with nothing else in it.
func TestReceiveAllocations(t *testing.T) {
	big := listen6
	big.Addresses = slices.Repeat(addrs("fe80::1"), maxAddresses)
	junk := make([]byte, 1<<16)
	for k := range junk {
		junk[k] = byte(k)
	}
	long := packetFor(t, listen6)
	long.Payload = append(long.Payload, junk...)
	for _, tt := range []struct {
		name string
		p    Packet
		m    Params
		want float64
	}{
		{"two addresses", packetFor(t, listen6), listen6, 1},
		{"as many as there can be", packetFor(t, big), big, 1},
		{"64 KiB behind the message", long, listen6, 1},
		{"64 KiB of nothing", Packet{Src: long.Src, Dst: long.Dst, TTL: 255, Payload: junk}, listen6, 0},
	} {
		if got := testing.AllocsPerRun(100, func() { Receive(tt.p, tt.m) }); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}
