package address

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// within says that an address, if there is one, is of that family and stands in the message.
func within(b []byte, family uint8, a netip.Addr) bool {
	if !a.IsValid() {
		return true
	}
	want := map[uint8]int{unix.AF_INET: 32, unix.AF_INET6: 128}[family]
	return a.Zone() == "" && a.BitLen() == want && strings.Contains(string(b), string(a.AsSlice()))
}

// FuzzParseAddress: what is told of an address is one that the kernel can have, nothing of it is made up, and asking for the
// same and reading that says the same.
func FuzzParseAddress(f *testing.F) {
	for _, recorded := range []string{recorded4, recorded6, recordedOld, recordedPeer} {
		f.Add(bytes(f, recorded))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseAddress(b)
		again, errAgain := parseAddress(b)
		if again != got || (errAgain == nil) != (err == nil) {
			t.Fatalf("the second time it was %+v %v, the first time %+v %v", again, errAgain, got, err)
		}
		heard := gone([]netlink.Message{{Header: netlink.Header{Type: unix.RTM_DELADDR}, Data: b}})
		if err != nil {
			if got != (found{}) || len(heard.VIPs) > 0 {
				t.Fatalf("%+v beside error %v, heard %+v", got, err, heard)
			}
			return
		}
		v := got.vip
		if len(heard.VIPs) != 1 || heard.VIPs[0] != v || len(heard.Routes) > 0 || heard.Resync {
			t.Fatalf("deleted %+v is heard as %+v", v, heard)
		}
		if !v.Prefix.IsValid() || v.Prefix.Bits() != int(b[1]) || v.Scope != b[3] || !within(b, b[0], v.Prefix.Addr()) || !within(b, b[0], v.Broadcast) {
			t.Fatalf("%x is read as %+v", b, v)
		}
		if h := got.holding(); (h == Ours) != (got.protocol == Protocol) || h == Unknown || h == Absent {
			t.Fatalf("%+v is %v", got, h)
		}
		if v.validate() == nil {
			sendAddress(t, v, got.lifetime)
		}
	})
}

// sendAddress asks for a VIP that may be asked for and reads the request as a report.
func sendAddress(t *testing.T, v VIP, seconds uint32) {
	t.Helper()
	want := found{vip: v, protocol: Protocol, lifetime: seconds}
	if seconds == 0 {
		want.lifetime = forever
	}
	if got, err := parseAddress(newAddress(v, seconds).Data); err != nil || got != want {
		t.Fatalf("%+v comes back as %+v %v", want, got, err)
	}
	got, err := parseAddress(deleteAddress(v).Data)
	if err != nil || got.vip.Prefix != v.Prefix || got.vip.Index != v.Index {
		t.Fatalf("the deletion of %+v is for %+v %v", v, got, err)
	}
}

// FuzzParseRoute: the same of a route.
func FuzzParseRoute(f *testing.F) {
	for _, recorded := range []string{recordedRoute4, recordedDefault4, recordedRoute6} {
		f.Add(bytes(f, recorded))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, protocol, err := parseRoute(b)
		again, protocolAgain, errAgain := parseRoute(b)
		if again != got || protocolAgain != protocol || (errAgain == nil) != (err == nil) {
			t.Fatalf("the second time it was %+v %v, the first time %+v %v", again, errAgain, got, err)
		}
		heard := gone([]netlink.Message{{Header: netlink.Header{Type: unix.RTM_DELROUTE}, Data: b}})
		if ours := err == nil && protocol == Protocol; ours != slices.Equal(heard.Routes, []Route{got}) || len(heard.VIPs) > 0 {
			t.Fatalf("%+v of protocol %d is heard as %+v", got, protocol, heard)
		}
		if err != nil {
			if got != (Route{}) || protocol != 0 {
				t.Fatalf("%+v of protocol %d beside error %v", got, protocol, err)
			}
			return
		}
		dst := got.Dst.Addr()
		if !got.Dst.IsValid() || got.Dst.Bits() != int(b[1]) || !dst.IsUnspecified() && !within(b, b[0], dst) ||
			!within(b, b[0], got.Via) || !within(b, b[0], got.Src) || got.Scope != b[6] || protocol != b[5] {
			t.Fatalf("%x is read as %+v", b, got)
		}
		if got.validate() == nil {
			sendRoute(t, got)
		}
	})
}

// sendRoute asks for a route that may be asked for and reads the request as a report.
func sendRoute(t *testing.T, r Route) {
	t.Helper()
	r = r.Normal()
	if again := r.Normal(); again != r {
		t.Fatalf("normal is %+v, and normal of that %+v", r, again)
	}
	if got, protocol, err := parseRoute(newRoute(r).Data); err != nil || got != r || protocol != Protocol {
		t.Fatalf("%+v comes back as %+v of protocol %d, %v", r, got, protocol, err)
	}
	got, _, err := parseRoute(deleteRoute(r).Data)
	if got.Scope = r.Scope; err != nil || got != r {
		t.Fatalf("the deletion of %+v is for %+v %v", r, got, err)
	}
}

// TestParseAllocations: a report costs one copy of each attribute, which is the library's, and nothing beyond that however
// long it is.
func TestParseAllocations(t *testing.T) {
	littleEndian(t)
	unwanted := bytes(t, "0800e803 00000000") // an attribute of no kernel
	for name, parse := range map[string]func([]byte) error{
		recorded4:      func(b []byte) error { _, err := parseAddress(b); return err },
		recordedRoute4: func(b []byte) error { _, _, err := parseRoute(b); return err },
	} {
		cost := func(n int) float64 {
			b := append(bytes(t, name), slices.Repeat(unwanted, n)...)
			if err := parse(b); err != nil {
				t.Fatal(err)
			}
			return testing.AllocsPerRun(100, func() { _ = parse(b) })
		}
		if one, many := cost(1), cost(1000); many > one+999 {
			t.Errorf("%v allocations with one unwanted attribute, %v with 1000", one, many)
		}
	}
}
