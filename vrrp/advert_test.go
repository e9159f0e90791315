package vrrp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// compareAddr lets cmp look at addresses as values.
var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("bad hex in the test: %v", err)
	}
	return b
}

// golden is a message that other implementations agree on.
type golden struct {
	name     string
	hex      string
	src, dst string
	advert   Advert
	// sent says that we send exactly these bytes; the others are only accepted.
	sent    bool
	remarks Remarks
}

// goldens were made by independent implementations and checked by hand against RFC 1071.
var goldens = []golden{
	{
		name: "version 2, two addresses, no authentication",
		hex:  "210ac802 000192ed c0000201 c0000202 0000000000000000",
		src:  "192.0.2.251", dst: "224.0.0.18",
		advert: Advert{Version: V2, VRID: 10, Priority: 200, Interval: time.Second, Addresses: addrs("192.0.2.1", "192.0.2.2")},
		sent:   true,
	},
	{
		name: "version 2, one address, low priority",
		hex:  "21331e01 0001b5c5 0a000105 0000000000000000",
		src:  "10.0.1.9", dst: "224.0.0.18",
		advert: Advert{Version: V2, VRID: 51, Priority: 30, Interval: time.Second, Addresses: addrs("10.0.1.5")},
		sent:   true,
	},
	{
		name: "version 3 over IPv4, pseudo header covered",
		hex:  "310ac802 0064defb c0000201 c0000202",
		src:  "192.0.2.251", dst: "224.0.0.18",
		advert: Advert{Version: V3, VRID: 10, Priority: 200, Interval: time.Second, Addresses: addrs("192.0.2.1", "192.0.2.2")},
		sent:   true,
	},
	{
		name: "version 3 over IPv4, message only",
		hex:  "310ac802 0064828a c0000201 c0000202",
		src:  "192.0.2.251", dst: "224.0.0.18",
		advert:  Advert{Version: V3, VRID: 10, Priority: 200, Interval: time.Second, Addresses: addrs("192.0.2.1", "192.0.2.2")},
		remarks: RemarkPlainChecksum,
	},
	{
		name: "version 3 over IPv6",
		hex:  "310a6402 00643f5d fe800000000000000000000000000001 20010db8000000000000000000000001",
		src:  "fe80::c8", dst: "ff02::12",
		advert: Advert{Version: V3, VRID: 10, Priority: 100, Interval: time.Second, Addresses: addrs("fe80::1", "2001:db8::1")},
		sent:   true,
	},
	{
		name: "version 2, one address, private network",
		hex:  "21336501 000154bd c0a86464 0000000000000000",
		src:  "192.168.100.2", dst: "224.0.0.18",
		advert: Advert{Version: V2, VRID: 51, Priority: 101, Interval: time.Second, Addresses: addrs("192.168.100.100")},
		sent:   true,
	},
}

// paramsFor are the settings of a router that hears a and has nothing to remark.
func paramsFor(a Advert) Params {
	p := Params{
		VRID: a.VRID, Family: IPv4, Version: a.Version, Priority: 100, Interval: a.Interval,
		Preempt: true, Addresses: a.Addresses, Auth: a.Auth, Password: a.Password,
	}
	if a.Addresses[0].Is6() {
		p.Family = IPv6
	}
	return p
}

func TestGoldenSent(t *testing.T) {
	for _, g := range goldens {
		if !g.sent {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			got, err := g.advert.Append(nil, addr(g.src), addr(g.dst))
			if err != nil {
				t.Fatal(err)
			}
			if want := unhex(t, g.hex); !bytes.Equal(got, want) {
				t.Errorf("sent (-want +got):\n%s", cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)))
			}
		})
	}
}

func TestGoldenReceived(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			p := Packet{Src: addr(g.src), Dst: addr(g.dst), TTL: 255, Payload: unhex(t, g.hex)}
			got, check, remarks := Receive(p, paramsFor(g.advert))
			if check != Accepted || remarks != g.remarks {
				t.Errorf("check %v, remarks %q, want accepted, %q", check, remarks, g.remarks)
			}
			if diff := cmp.Diff(g.advert, got, compareAddr); diff != "" {
				t.Errorf("advert (-want +got):\n%s", diff)
			}
		})
	}
}

// The checksum of a golden message breaks with any single bit, so that every bit of
// the message is covered.
func TestGoldenEveryBitCounts(t *testing.T) {
	for _, g := range goldens {
		whole := unhex(t, g.hex)
		for bit := range len(whole) * 8 {
			payload := slices.Clone(whole)
			payload[bit/8] ^= 1 << (bit % 8)
			p := Packet{Src: addr(g.src), Dst: addr(g.dst), TTL: 255, Payload: payload}
			if _, check, _ := Receive(p, paramsFor(g.advert)); check == Accepted {
				t.Errorf("%s: accepted with bit %d of byte %d turned", g.name, bit%8, bit/8)
			}
		}
	}
}

func TestAppendKeepsWhatWasThere(t *testing.T) {
	a := goldens[2].advert
	alone, err := a.Append(nil, addr("192.0.2.251"), addr("224.0.0.18"))
	if err != nil {
		t.Fatal(err)
	}
	head := []byte("an IP header of odd length.")
	both, err := a.Append(slices.Clone(head), addr("192.0.2.251"), addr("224.0.0.18"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(both, append(head, alone...)) {
		t.Errorf("message after a header is %x, alone %x", both[len(head):], alone)
	}
}

func TestAppendIgnoresZoneAndWrapping(t *testing.T) {
	tests := []struct {
		name           string
		advert         Advert
		src, dst       netip.Addr
		wantSrc, wantD netip.Addr
	}{
		{"zone", goldens[4].advert, addr("fe80::c8%eth0"), addr("ff02::12%eth0"), addr("fe80::c8"), addr("ff02::12")},
		{"wrapped", goldens[2].advert, addr("::ffff:192.0.2.251"), addr("::ffff:224.0.0.18"), addr("192.0.2.251"), addr("224.0.0.18")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.advert.Append(nil, tt.src, tt.dst)
			if err != nil {
				t.Fatal(err)
			}
			want, err := tt.advert.Append(nil, tt.wantSrc, tt.wantD)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	v4src, v4dst := addr("192.0.2.251"), IPv4.Group()
	v6src, v6dst := addr("fe80::c8"), IPv6.Group()
	good := Advert{Version: V3, VRID: 1, Priority: 100, Interval: time.Second, Addresses: addrs("192.0.2.1")}
	change := func(f func(*Advert)) Advert {
		a := good
		f(&a)
		return a
	}
	tests := []struct {
		name     string
		advert   Advert
		src, dst netip.Addr
		want     string // part of the error; "" if it must work
	}{
		{"good", good, v4src, v4dst, ""},
		{"no source", good, netip.Addr{}, v4dst, "one family"},
		{"no source, IPv6", change(func(a *Advert) { a.Addresses = addrs("fe80::1") }), netip.Addr{}, v6dst, "one family"},
		{"no destination", good, v4src, netip.Addr{}, "one family"},
		{"families mixed", good, v4src, v6dst, "one family"},
		{"families mixed the other way", good, v6src, v4dst, "one family"},
		{"version 2 over IPv6", change(func(a *Advert) { a.Version, a.Addresses = V2, addrs("fe80::1") }), v6src, v6dst, "use version 3"},
		{"version 0", change(func(a *Advert) { a.Version = 0 }), v4src, v4dst, "version 0 is unknown"},
		{"version 4", change(func(a *Advert) { a.Version = 4 }), v4src, v4dst, "version 4 is unknown"},
		{"no addresses", change(func(a *Advert) { a.Addresses = nil }), v4src, v4dst, "0 addresses: use 1 to 255"},
		{"255 addresses", change(func(a *Advert) { a.Addresses = slices.Repeat(addrs("192.0.2.1"), 255) }), v4src, v4dst, ""},
		{"256 addresses", change(func(a *Advert) { a.Addresses = slices.Repeat(addrs("192.0.2.1"), 256) }), v4src, v4dst, "256 addresses"},
		{"IPv6 address over IPv4", change(func(a *Advert) { a.Addresses = addrs("192.0.2.1", "2001:db8::1") }), v4src, v4dst, "another family"},
		{"IPv4 address over IPv6", good, v6src, v6dst, "another family"},
		{"wrapped address", change(func(a *Advert) { a.Addresses = addrs("::ffff:192.0.2.1") }), v4src, v4dst, "another family"},
		{"wrapped address over IPv6", change(func(a *Advert) { a.Addresses = addrs("::ffff:192.0.2.1") }), v6src, v6dst, "another family"},
		{"invalid address", change(func(a *Advert) { a.Addresses = []netip.Addr{{}} }), v4src, v4dst, "another family"},
		{"password in version 3", change(func(a *Advert) { a.Auth = AuthPass }), v4src, v4dst, "use version 2"},
		{"password in version 2", change(func(a *Advert) { a.Version, a.Auth = V2, AuthPass }), v4src, v4dst, ""},
		{"no interval", change(func(a *Advert) { a.Interval = 0 }), v4src, v4dst, "10ms to 40.95s in steps of 10ms"},
		{"negative interval", change(func(a *Advert) { a.Interval = -time.Second }), v4src, v4dst, "10ms to 40.95s"},
		{"shortest of version 3", change(func(a *Advert) { a.Interval = 10 * time.Millisecond }), v4src, v4dst, ""},
		{"longest of version 3", change(func(a *Advert) { a.Interval = 40950 * time.Millisecond }), v4src, v4dst, ""},
		{"too long for version 3", change(func(a *Advert) { a.Interval = 40960 * time.Millisecond }), v4src, v4dst, "40.96s cannot be sent"},
		{"half a centisecond", change(func(a *Advert) { a.Interval = 15 * time.Millisecond }), v4src, v4dst, "15ms cannot be sent"},
		{"longest of version 2", change(func(a *Advert) { a.Version, a.Interval = V2, 255*time.Second }), v4src, v4dst, ""},
		{"too long for version 2", change(func(a *Advert) { a.Version, a.Interval = V2, 256*time.Second }), v4src, v4dst, "1s to 4m15s in steps of 1s"},
		{"half a second in version 2", change(func(a *Advert) { a.Version, a.Interval = V2, 500*time.Millisecond }), v4src, v4dst, "500ms cannot be sent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []byte{1, 2, 3}
			got, err := tt.advert.Append(before, tt.src, tt.dst)
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
			if !bytes.Equal(got, before) {
				t.Errorf("b came back as %x", got)
			}
		})
	}
}

// A password is always eight bytes on the wire, and so is the absence of one.
func TestAppendAuthentication(t *testing.T) {
	a := Advert{Version: V2, VRID: 50, Priority: 100, Interval: time.Second, Addresses: addrs("192.0.2.1")}
	tests := []struct {
		name     string
		auth     AuthType
		password string
		want     string
	}{
		{"none", AuthNone, "", "0000000000000000"},
		{"short password", AuthPass, "abc", "6162630000000000"},
		{"eight bytes", AuthPass, "sanitize", "73616e6974697a65"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a.Auth, a.Password = tt.auth, [8]byte{}
			copy(a.Password[:], tt.password)
			b, err := a.Append(nil, addr("192.0.2.2"), IPv4.Group())
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b[12:]); got != tt.want {
				t.Errorf("authentication data %s, want %s", got, tt.want)
			}
			if b[4] != byte(tt.auth) {
				t.Errorf("authentication type %d, want %d", b[4], tt.auth)
			}
			if fold(sum(b)) != 0xffff {
				t.Errorf("the checksum does not cover the authentication data: %x", b)
			}
		})
	}
}

// drawAdvert draws any advert that has a wire form, with a source to send it from.
func drawAdvert(t *rapid.T) (Advert, netip.Addr, Family) {
	family := rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")
	a := Advert{
		Version:  V3,
		VRID:     rapid.Uint8().Draw(t, "vrid"),
		Priority: rapid.Uint8().Draw(t, "priority"),
	}
	if family == IPv4 {
		a.Version = rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version")
	}
	if a.Version == V2 {
		a.Interval = time.Duration(rapid.IntRange(1, 255).Draw(t, "seconds")) * time.Second
		a.Auth = rapid.SampledFrom([]AuthType{AuthNone, AuthPass}).Draw(t, "auth")
	} else {
		a.Interval = time.Duration(rapid.IntRange(1, 4095).Draw(t, "centiseconds")) * 10 * time.Millisecond
	}
	if a.Auth == AuthPass {
		copy(a.Password[:], rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "password"))
	}
	for range rapid.IntRange(1, 255).Draw(t, "count") {
		a.Addresses = append(a.Addresses, drawAddr(t, family))
	}
	source := drawAddr(t, family)
	if source.IsMulticast() {
		source = map[Family]netip.Addr{IPv4: addr("192.0.2.9"), IPv6: addr("fe80::9")}[family]
	}
	return a, source, family
}

func drawAddr(t *rapid.T, family Family) netip.Addr {
	if family == IPv4 {
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4")))
	}
	b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6"))
	b[0] |= 0x20 // never an IPv4 address wrapped in IPv6
	return netip.AddrFrom16(b)
}

// What one router sends, another with the same settings receives as it was meant.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, source, family := drawAdvert(t)
		payload, err := a.Append(nil, source, family.Group())
		if err != nil {
			t.Fatal(err)
		}
		m := paramsFor(a)
		m.Family = family
		p := Packet{Src: source, Dst: family.Group(), TTL: 255, Payload: payload}
		got, check, remarks := Receive(p, m)
		if family == IPv6 && check == CheckLinkLocal {
			t.Fatalf("own list refused: %v", a.Addresses)
		}
		if check != Accepted || remarks != 0 {
			t.Fatalf("check %v, remarks %q", check, remarks)
		}
		if diff := cmp.Diff(a, got, compareAddr); diff != "" {
			t.Fatalf("advert (-want +got):\n%s", diff)
		}
		if v, vrid, ok := Peek(payload); !ok || v != a.Version || vrid != a.VRID {
			t.Fatalf("Peek says %v %v %v", v, vrid, ok)
		}
	})
}

// Whatever is received can be sent again, byte for byte.
func TestRoundTripBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, source, family := drawAdvert(t)
		first, err := a.Append(nil, source, family.Group())
		if err != nil {
			t.Fatal(err)
		}
		m := paramsFor(a)
		got, check, _ := Receive(Packet{Src: source, Dst: family.Group(), TTL: 255, Payload: first}, m)
		if check != Accepted {
			t.Fatal(check)
		}
		second, err := got.Append(nil, source, family.Group())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("%x became %x", first, second)
		}
	})
}
