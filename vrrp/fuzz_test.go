package vrrp

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
)

// FuzzReceive throws bytes at every kind of router. Whatever they are, Receive must
// not panic, must not allocate more than the list it returns, must be repeatable, and
// what it accepts must be a message that says the same when it is sent again.
func FuzzReceive(f *testing.F) {
	for _, g := range goldens {
		f.Add(unhex(f, g.hex), addr(g.src).AsSlice(), addr(g.dst).AsSlice(), 255)
	}
	for _, m := range []Params{listen2, listen3, listen6} {
		p := packetFor(f, m)
		f.Add(p.Payload, p.Src.AsSlice(), p.Dst.AsSlice(), 255)
		f.Add(p.Payload[:9], p.Src.AsSlice(), p.Dst.AsSlice(), 255)
		f.Add(append(slices.Clone(p.Payload), make([]byte, 28)...), p.Src.AsSlice(), p.Dst.AsSlice(), 255)
		f.Add(p.Payload, p.Src.AsSlice(), p.Dst.AsSlice(), -1)
	}
	f.Add([]byte{}, []byte{}, []byte{}, 0)
	f.Fuzz(func(t *testing.T, payload, src, dst []byte, ttl int) {
		p := Packet{TTL: ttl, Payload: payload}
		p.Src, _ = netip.AddrFromSlice(src)
		p.Dst, _ = netip.AddrFromSlice(dst)
		before := bytes.Clone(payload)
		for _, m := range []Params{listen2, listen3, listen6, {}} {
			checkReceived(t, p, m)
		}
		if !bytes.Equal(before, payload) {
			t.Fatal("the payload was changed")
		}
		if _, _, ok := Peek(payload); ok != (len(payload) >= 2) {
			t.Fatalf("Peek of %d bytes says %v", len(payload), ok)
		}
	})
}

func checkReceived(t *testing.T, p Packet, m Params) {
	t.Helper()
	a, check, remarks := Receive(p, m)
	if int(check) >= NumChecks {
		t.Fatalf("check %d does not exist", check)
	}
	if again, checkAgain, remarksAgain := Receive(p, m); checkAgain != check || remarksAgain != remarks || !slices.Equal(a.Addresses, again.Addresses) {
		t.Fatalf("the second time it was %v %v, the first time %v %v", checkAgain, remarksAgain, check, remarks)
	}
	if check != Accepted {
		if remarks != 0 || a.Addresses != nil || a.VRID != 0 {
			t.Fatalf("dropped for %v, yet %v %+v", check, remarks, a)
		}
		return
	}
	if cap(a.Addresses) > maxAddresses || len(a.Addresses)*m.Family.size() > len(p.Payload) {
		t.Fatalf("%d addresses (room for %d) from %d bytes", len(a.Addresses), cap(a.Addresses), len(p.Payload))
	}
	if p.TTL != 255 || a.VRID != m.VRID || a.Version != m.Version || a.Interval <= 0 || len(a.Addresses) == 0 {
		t.Fatalf("accepted with TTL %d: %+v", p.TTL, a)
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
	if check != Accepted || again.Priority != a.Priority || again.Interval != a.Interval || !slices.Equal(a.Addresses, again.Addresses) {
		t.Fatalf("%+v came back as %v %+v", a, check, again)
	}
}
