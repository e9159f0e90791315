package vrrp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the rows about packets hold: RFC 9568 §5, §7.1 and §7.2.

// arrives changes a good packet for a router and wants the check that it fails, or Accepted; sealed, with a right checksum.
func arrives(t *testing.T, m Params, sealed bool, want Check, change func(*Packet)) (Advert, Remarks) {
	t.Helper()
	p := packetFor(t, m)
	change(&p)
	if sealed {
		reseal(&p, len(p.Payload))
	}
	a, check, remarks := Receive(p, m)
	if check != want {
		t.Errorf("%v: %x fails %q, want %q", m.Family, p.Payload, check, want)
	}
	if check != Accepted && (!cmp.Equal(a, Advert{}, compareAddr) || remarks != 0) {
		t.Errorf("%v: dropped for %v, and yet %+v, %q", m.Family, check, a, remarks)
	}
	return a, remarks
}

// listeners3 are the routers that RFC 9568 knows; listeners one of RFC 3768 besides.
var (
	listeners3 = []Params{listen3, listen6}
	listeners  = []Params{listen2, listen3, listen6}
)

func untouched(*Packet) {}

// hops tells whether packets of a family with a TTL are dropped for it: all but 255, the unknown one included.
func hops(m Params) (func(t *testing.T), func(t *testing.T)) {
	dropped := func(t *testing.T) {
		for ttl := -1; ttl <= 300; ttl++ {
			if ttl != 255 {
				arrives(t, m, false, CheckTTL, func(p *Packet) { p.TTL = ttl })
			}
		}
	}
	kept := func(t *testing.T) { arrives(t, m, false, Accepted, func(p *Packet) { p.TTL = 255 }) }
	return dropped, kept
}

func unknownTypeDropped(t *testing.T) {
	for _, m := range listeners3 {
		for kind := range byte(16) {
			if kind != 1 {
				arrives(t, m, true, CheckType, func(p *Packet) { p.Payload[0] = byte(V3)<<4 | kind })
			}
		}
	}
}

func advertisementTypeKept(t *testing.T) {
	for _, m := range listeners3 {
		arrives(t, m, true, Accepted, func(p *Packet) { p.Payload[0] = 0x31 })
	}
}

func otherVersionDropped(t *testing.T) {
	for _, m := range listeners3 {
		for version := range byte(16) {
			if version != 3 {
				arrives(t, m, true, CheckVersion, func(p *Packet) { p.Payload[0] = version<<4 | 1 })
			}
		}
	}
	arrives(t, listen3, false, CheckVersion, func(p *Packet) { *p = packetFor(t, listen2) })
}

func version3Kept(t *testing.T) {
	for _, m := range listeners3 {
		if a, _ := arrives(t, m, false, Accepted, untouched); a.Version != V3 {
			t.Errorf("version %d", a.Version)
		}
	}
}

// Every length below the whole is dropped, whatever it promises.
func incompleteDropped(t *testing.T) {
	for _, m := range listeners {
		whole := packetFor(t, m).Payload
		for n := range len(whole) {
			arrives(t, m, false, CheckTruncated, func(p *Packet) { p.Payload = whole[:n] })
		}
		for count := len(m.Addresses) + 1; count <= 255; count++ {
			arrives(t, m, true, CheckTruncated, func(p *Packet) { p.Payload[3] = byte(count) })
		}
	}
}

// What is complete is kept, and what follows it is no part of it.
func completeKept(t *testing.T) {
	for _, m := range listeners {
		for extra := range 64 {
			a, remarks := arrives(t, m, false, Accepted, func(p *Packet) { p.Payload = append(p.Payload, make([]byte, extra)...) })
			if diff := cmp.Diff(m.Advert(200), a, compareAddr); diff != "" || remarks.Has(RemarkTrailing) != (extra > 0) {
				t.Errorf("%d bytes behind it: remarks %q (-want +got):\n%s", extra, remarks, diff)
			}
		}
	}
}

func wrongChecksumDropped(t *testing.T) {
	for _, m := range listeners {
		for i := range len(packetFor(t, m).Payload) {
			for bit := range 8 {
				p := packetFor(t, m)
				p.Payload[i] ^= 1 << bit
				if _, check, _ := Receive(p, m); check == Accepted {
					t.Errorf("%v: accepted with bit %d of byte %d turned", m.Family, bit, i)
				}
			}
		}
		arrives(t, m, false, CheckChecksum, func(p *Packet) { p.Payload[6], p.Payload[7] = 0, 0 })
	}
	arrives(t, listen6, false, CheckChecksum, sealPlain) // IPv6 has the pseudo header covered, always
	arrives(t, listen6, false, CheckChecksum, func(p *Packet) { p.Src = addr("fe80::c9") })
	arrives(t, listen6, false, CheckChecksum, func(p *Packet) { p.Dst = addr("ff02::13") })
}

// Both forms over IPv4 are right, and the other form is remarked upon.
func rightChecksumKept(t *testing.T) {
	for _, m := range listeners {
		if _, remarks := arrives(t, m, false, Accepted, untouched); remarks != 0 {
			t.Errorf("remarks %q", remarks)
		}
	}
	if _, remarks := arrives(t, listen3, false, Accepted, sealPlain); remarks != RemarkPlainChecksum {
		t.Errorf("checksum over the message only: remarks %q", remarks)
	}
}

func otherVRIDDropped(t *testing.T) {
	for _, m := range listeners3 {
		for vrid := range 256 {
			if byte(vrid) != m.VRID {
				arrives(t, m, true, CheckVRID, func(p *Packet) { p.Payload[1] = byte(vrid) })
			}
		}
	}
}

// Every identifier is somebody's, and an owner hears others as well (erratum 8298).
func ownVRIDKept(t *testing.T) {
	for _, m := range listeners3 {
		for vrid := 1; vrid <= 255; vrid++ {
			m.VRID = byte(vrid)
			if a, _ := arrives(t, m, false, Accepted, untouched); a.VRID != m.VRID {
				t.Errorf("VRID %d, want %d", a.VRID, m.VRID)
			}
		}
	}
}

func ownerHears(t *testing.T) {
	for _, m := range listeners3 {
		m.Priority = ownerPriority
		for _, priority := range []byte{0, 1, 254, 255} {
			a, remarks := arrives(t, m, true, Accepted, func(p *Packet) { p.Payload[2] = priority })
			if remarks != RemarkOwner || a.Priority != priority {
				t.Errorf("priority %d: %+v, remarks %q", priority, a, remarks)
			}
		}
	}
}

func othersAreNoOwners(t *testing.T) {
	for _, m := range listeners3 {
		for priority := byte(1); priority < ownerPriority; priority++ {
			m.Priority = priority
			if _, remarks := arrives(t, m, false, Accepted, untouched); remarks != 0 {
				t.Errorf("priority %d: remarks %q", priority, remarks)
			}
		}
	}
}

func noAddressesDropped(t *testing.T) {
	for _, m := range listeners3 {
		arrives(t, m, false, CheckNoAddresses, func(p *Packet) { dropAddresses(p, 0) })
		arrives(t, m, false, CheckNoAddresses, func(p *Packet) { // the list follows all the same
			p.Payload[3] = 0
			reseal(p, headerSize)
		})
	}
	arrives(t, listen2, false, CheckNoAddresses, func(p *Packet) { dropAddresses(p, authSize) })
}

func anyAddressesKept(t *testing.T) {
	for _, m := range listeners {
		for count := 1; count <= maxAddresses; count++ {
			m.Addresses = slices.Repeat(m.Addresses[:1], count)
			if a, _ := arrives(t, m, false, Accepted, untouched); len(a.Addresses) != count {
				t.Errorf("%d addresses, want %d", len(a.Addresses), count)
			}
		}
	}
}

// The four reserved bits are zero for every interval that is sent, and change nothing in one that is received.
func reserveIsNothing(t *testing.T) {
	for _, m := range listeners3 {
		for n := 1; n <= maxCentiseconds; n++ {
			m.Interval = time.Duration(n) * centisecond
			if b := packetFor(t, m).Payload[4]; b&0xf0 != 0 {
				t.Fatalf("interval %v is sent with %#x reserved", m.Interval, b>>4)
			}
		}
		for reserve := range byte(16) {
			a, remarks := arrives(t, m, true, Accepted, func(p *Packet) { p.Payload[4] |= reserve << 4 })
			if a.Interval != m.Interval || remarks != 0 {
				t.Errorf("reserve %#x: interval %v, remarks %q", reserve, a.Interval, remarks)
			}
		}
	}
}

// The other twelve bits count, all of them.
func intervalIsTwelveBits(t *testing.T) {
	for _, m := range listeners3 {
		for n := 1; n <= maxCentiseconds; n++ {
			a, remarks := arrives(t, m, true, Accepted, func(p *Packet) { binary.BigEndian.PutUint16(p.Payload[4:], uint16(n)) })
			want := time.Duration(n) * 10 * time.Millisecond
			if a.Interval != want || remarks.Has(RemarkInterval) != (want != m.Interval) {
				t.Fatalf("%d cs are %v, remarks %q", n, a.Interval, remarks)
			}
			m.Interval = want
			if got := binary.BigEndian.Uint16(packetFor(t, m).Payload[4:]); got != uint16(n) {
				t.Fatalf("%v is sent as %d cs", want, got)
			}
			m.Interval = time.Second
		}
	}
}

func otherIntervalsAreNotSent(t *testing.T) {
	for _, m := range listeners3 {
		for _, d := range []time.Duration{-centisecond, 0, 1, centisecond - 1, centisecond + 1, 4096 * centisecond, 8192 * centisecond, 65537 * centisecond} {
			m.Interval = d
			if err := m.Validate(); err == nil {
				t.Errorf("%v can be configured", d)
			}
			if _, err := m.Advert(1).Append(nil, packetFor(t, listen3).Src, IPv4.Group()); err == nil {
				t.Errorf("%v can be sent", d)
			}
		}
	}
}

func zeroIntervalDropped(t *testing.T) {
	for _, m := range listeners3 {
		for reserve := range byte(16) {
			arrives(t, m, true, CheckZeroInterval, func(p *Packet) { p.Payload[4], p.Payload[5] = reserve<<4, 0 })
		}
	}
	arrives(t, listen2, true, CheckZeroInterval, func(p *Packet) { p.Payload[5] = 0 })
}

func otherIntervalsRemarked(t *testing.T) {
	for _, m := range listeners3 {
		for _, n := range []uint16{1, 99, 101, 4095} {
			_, remarks := arrives(t, m, true, Accepted, func(p *Packet) { binary.BigEndian.PutUint16(p.Payload[4:], n) })
			if remarks != RemarkInterval {
				t.Errorf("%d cs: remarks %q", n, remarks)
			}
		}
	}
}

func sameIntervalNotRemarked(t *testing.T) {
	for _, m := range listeners3 {
		if _, remarks := arrives(t, m, false, Accepted, untouched); remarks != 0 {
			t.Errorf("remarks %q", remarks)
		}
	}
}

// The list is sent as it is configured, so the link-local address first where it is first there.
func linkLocalSentFirst(t *testing.T) {
	p := packetFor(t, listen6)
	if first := netip.AddrFrom16([16]byte(p.Payload[headerSize:])); first != addr("fe80::1") {
		t.Errorf("first is %v", first)
	}
	if second := netip.AddrFrom16([16]byte(p.Payload[headerSize+16:])); second != addr("2001:db8::1") {
		t.Errorf("second is %v", second)
	}
}

// A list that begins otherwise is dropped by a router whose own begins with a link-local address, over all of fe80::/10.
func otherFirstDropped(t *testing.T) {
	for _, first := range []string{"2001:db8::1", "fe7f:ffff::", "fec0::", "fc00::1", "ff02::1", "::1", "::"} {
		arrives(t, listen6, true, CheckLinkLocal, func(p *Packet) { copy(p.Payload[headerSize:], addr(first).AsSlice()) })
	}
}

func linkLocalFirstKept(t *testing.T) {
	for _, first := range []string{"fe80::", "fe80::1", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		arrives(t, listen6, true, Accepted, func(p *Packet) { copy(p.Payload[headerSize:], addr(first).AsSlice()) })
	}
	without := listen6
	without.Addresses = addrs("2001:db8::1")
	arrives(t, without, false, Accepted, untouched) // two that were configured alike hear each other
}

// The addresses are of the family of the packet: others can be neither configured nor sent, and what is received is read as
// addresses of that family.
func familyOfThePacket(t *testing.T) {
	for _, m := range listeners3 {
		p := packetFor(t, m)
		other := map[Family]netip.Addr{IPv4: addr("2001:db8::1"), IPv6: addr("192.0.2.1")}[m.Family]
		for _, list := range [][]netip.Addr{{other}, {m.Addresses[0], other}, {{}}} {
			m.Addresses = list
			if err := m.Validate(); err == nil {
				t.Errorf("%v can be configured for %v", list, m.Family)
			}
			if b, err := m.Advert(1).Append(nil, p.Src, p.Dst); err == nil || len(b) > 0 {
				t.Errorf("%v can be sent over %v", list, m.Family)
			}
		}
	}
	arrives(t, listen3, false, CheckFamily, func(p *Packet) { *p = packetFor(t, listen6) })
	arrives(t, listen6, false, CheckFamily, func(p *Packet) { *p = packetFor(t, listen3) })
}

func ownFamilyKept(t *testing.T) {
	for _, m := range listeners3 {
		if a, _ := arrives(t, m, false, Accepted, untouched); !slices.Equal(a.Addresses, m.Addresses) {
			t.Errorf("addresses %v, want %v", a.Addresses, m.Addresses)
		}
	}
}

func otherAddressesRemarked(t *testing.T) {
	for _, m := range listeners {
		last := len(packetFor(t, m).Payload) - 1
		if m.Version == V2 {
			last -= authSize
		}
		if _, remarks := arrives(t, m, true, Accepted, func(p *Packet) { p.Payload[last]++ }); remarks != RemarkAddresses {
			t.Errorf("remarks %q", remarks)
		}
	}
}

// Each check drops, alone, a packet that is good otherwise, and nothing of it is handed on.
func anyFailureDrops(t *testing.T) {
	alone := map[Check]struct {
		m      Params
		sealed bool
		change func(*Packet)
	}{
		CheckFamily:       {listen3, false, func(p *Packet) { p.Src = addr("fe80::c8") }},
		CheckSource:       {listen3, true, func(p *Packet) { p.Src = addr("224.0.0.18") }},
		CheckTTL:          {listen3, false, func(p *Packet) { p.TTL = 254 }},
		CheckVersion:      {listen3, true, func(p *Packet) { p.Payload[0] = 0x41 }},
		CheckType:         {listen3, true, func(p *Packet) { p.Payload[0] = 0x32 }},
		CheckTruncated:    {listen3, false, func(p *Packet) { p.Payload = p.Payload[:15] }},
		CheckChecksum:     {listen3, false, func(p *Packet) { p.Payload[6] ^= 0x80 }},
		CheckVRID:         {listen3, true, func(p *Packet) { p.Payload[1]++ }},
		CheckAuthType:     {listen2, true, func(p *Packet) { p.Payload[4] = 0 }},
		CheckPassword:     {listen2, true, func(p *Packet) { p.Payload[16]++ }},
		CheckNoAddresses:  {listen3, false, func(p *Packet) { dropAddresses(p, 0) }},
		CheckZeroInterval: {listen3, true, func(p *Packet) { p.Payload[5] = 0 }},
		CheckInterval:     {listen2, true, func(p *Packet) { p.Payload[5]++ }},
		CheckLinkLocal:    {listen6, true, func(p *Packet) { p.Payload[8] = 0x20 }},
	}
	for c := Accepted + 1; int(c) < NumChecks; c++ {
		one, ok := alone[c]
		if !ok {
			t.Errorf("nothing fails %v", c)
			continue
		}
		arrives(t, one.m, one.sealed, c, one.change)
	}
}

// Oddities that are no failures drop nothing, not even all of them together.
func odditiesDropNothing(t *testing.T) {
	odd := listen3
	odd.Priority, odd.Interval, odd.Addresses = ownerPriority, 3*time.Second, addrs("192.0.2.9")
	p := packetFor(t, listen3)
	sealPlain(&p)
	p.Payload = append(p.Payload, 0)
	a, check, remarks := Receive(p, odd)
	want := RemarkAddresses | RemarkInterval | RemarkOwner | RemarkPlainChecksum | RemarkTrailing
	if check != Accepted || remarks != want {
		t.Errorf("check %v, remarks %q, want accepted, %q", check, remarks, want)
	}
	if diff := cmp.Diff(listen3.Advert(200), a, compareAddr); diff != "" {
		t.Errorf("advert (-want +got):\n%s", diff)
	}
}

// The fields are those of the settings, one by one, and only the priority is the state's.
func fieldsOfTheSettings(t *testing.T) {
	for _, m := range listeners3 {
		for _, priority := range []byte{0, 1, 100, 254, 255} {
			src, dst := packetFor(t, m).Src, m.Family.Group()
			b, err := m.Advert(priority).Append(nil, src, dst)
			if err != nil {
				t.Fatal(err)
			}
			want := []byte{0x31, m.VRID, priority, byte(len(m.Addresses)), 0, 100, b[6], b[7]}
			for _, a := range m.Addresses {
				want = append(want, a.AsSlice()...)
			}
			if diff := cmp.Diff(want, b); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			whole := slices.Concat(src.AsSlice(), dst.AsSlice(), []byte{0, 0, 0, byte(len(b)), 0, 0, 0, 112}, b)
			if naiveSum(whole) != 0xffff {
				t.Errorf("%v: the checksum %x is not the one over pseudo header and message", m.Family, b[6:8])
			}
		}
	}
}

// A vector of holo has a checksum that covers something else. It is dropped for that, and its fields are read right once the
// checksum is made ours.
func TestVectorOfHolo(t *testing.T) {
	m := Params{VRID: 1, Family: IPv6, Version: V3, Priority: 100, Interval: centisecond, Addresses: addrs("2001:db8::370:7334")}
	p := Packet{Src: addr("fe80::1"), Dst: addr("ff02::12"), TTL: 255, Payload: unhex(t, "31011601 0001b57f 20010db8000000000000000003707334")}
	if _, check, _ := Receive(p, m); check != CheckChecksum {
		t.Errorf("check %v, want %v", check, CheckChecksum)
	}
	reseal(&p, len(p.Payload))
	a, check, remarks := Receive(p, m)
	if check != Accepted || remarks != 0 {
		t.Errorf("check %v, remarks %q", check, remarks)
	}
	if diff := cmp.Diff(m.Advert(22), a, compareAddr); diff != "" {
		t.Errorf("advert (-want +got):\n%s", diff)
	}
}
