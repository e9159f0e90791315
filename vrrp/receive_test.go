package vrrp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The three kinds of router that the tests of this file listen with.
var (
	listen2 = Params{
		VRID: 10, Family: IPv4, Version: V2, Priority: 100, Interval: time.Second,
		Addresses: addrs("192.0.2.1", "192.0.2.2"), Auth: AuthPass, Password: [8]byte([]byte("sanitize")),
	}
	listen3 = Params{
		VRID: 10, Family: IPv4, Version: V3, Priority: 100, Interval: time.Second,
		Addresses: addrs("192.0.2.1", "192.0.2.2"),
	}
	listen6 = Params{
		VRID: 10, Family: IPv6, Version: V3, Priority: 100, Interval: time.Second,
		Addresses: addrs("fe80::1", "2001:db8::1"),
	}
)

// packetFor is what a MASTER with the settings m sends.
func packetFor(t testing.TB, m Params) Packet {
	t.Helper()
	p := Packet{Src: addr("192.0.2.251"), Dst: m.Family.Group(), TTL: 255}
	if m.Family == IPv6 {
		p.Src = addr("fe80::c8")
	}
	var err error
	if p.Payload, err = m.Advert(200).Append(nil, p.Src, p.Dst); err != nil {
		t.Fatal(err)
	}
	return p
}

// reseal sets the right checksum again after a test has changed the message.
func reseal(p *Packet, length int) {
	message := p.Payload[:length]
	message[6], message[7] = 0, 0
	var extra uint32
	if message[0]>>4 != byte(V2) {
		extra = pseudoSum(p.Src, p.Dst, length)
	}
	binary.BigEndian.PutUint16(message[6:], ^fold(sum(message)+extra))
}

// spoiled is one way to spoil a good packet, or to change it without spoiling it.
type spoiled struct {
	name    string
	change  func(*Packet)
	seal    bool // the checksum is made right again
	want    Check
	remarks Remarks
}

// spoil runs the table against a router and the packets of its MASTER.
func spoil(t *testing.T, m Params, tests []spoiled) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := packetFor(t, m)
			tt.change(&p)
			if tt.seal {
				reseal(&p, len(p.Payload))
			}
			before := slices.Clone(p.Payload)
			got, check, remarks := Receive(p, m)
			if check != tt.want || remarks != tt.remarks {
				t.Errorf("check %v, remarks %q, want %v, %q", check, remarks, tt.want, tt.remarks)
			}
			if check != Accepted && !cmp.Equal(got, Advert{}, compareAddr) {
				t.Errorf("a dropped packet gave %+v", got)
			}
			if check == Accepted && got.VRID != m.VRID {
				t.Errorf("an accepted packet gave %+v", got)
			}
			if !slices.Equal(before, p.Payload) {
				t.Errorf("the payload was changed")
			}
		})
	}
}

// everyKind are the cases that do not depend on version and family.
func everyKind() []spoiled {
	return []spoiled{
		{name: "good", change: func(*Packet) {}, want: Accepted},
		{name: "TTL 254", change: func(p *Packet) { p.TTL = 254 }, want: CheckTTL},
		{name: "TTL 0", change: func(p *Packet) { p.TTL = 0 }, want: CheckTTL},
		{name: "TTL 256", change: func(p *Packet) { p.TTL = 256 }, want: CheckTTL},
		{name: "TTL unknown", change: func(p *Packet) { p.TTL = -1 }, want: CheckTTL},
		{name: "no source", change: func(p *Packet) { p.Src = netip.Addr{} }, want: CheckFamily},
		{name: "no destination", change: func(p *Packet) { p.Dst = netip.Addr{} }, want: CheckFamily},
		{name: "multicast source", change: func(p *Packet) { p.Src = p.Dst }, want: CheckSource},
		{name: "empty", change: func(p *Packet) { p.Payload = nil }, want: CheckTruncated},
		{name: "one byte", change: func(p *Packet) { p.Payload = p.Payload[:1] }, want: CheckTruncated},
		{name: "seven bytes", change: func(p *Packet) { p.Payload = p.Payload[:7] }, want: CheckTruncated},
		{name: "header only", change: func(p *Packet) { p.Payload = p.Payload[:8] }, want: CheckTruncated},
		{name: "one byte short", change: func(p *Packet) { p.Payload = p.Payload[:len(p.Payload)-1] }, want: CheckTruncated},
		{name: "255 addresses promised", change: func(p *Packet) { p.Payload[3] = 255 }, want: CheckTruncated},
		{name: "version 0", change: func(p *Packet) { p.Payload[0] = 0x01 }, seal: true, want: CheckVersion},
		{name: "version 1", change: func(p *Packet) { p.Payload[0] = 0x11 }, seal: true, want: CheckVersion},
		{name: "version 4", change: func(p *Packet) { p.Payload[0] = 0x41 }, seal: true, want: CheckVersion},
		{name: "version 15", change: func(p *Packet) { p.Payload[0] = 0xf1 }, seal: true, want: CheckVersion},
		{name: "type 0", change: func(p *Packet) { p.Payload[0] &= 0xf0 }, seal: true, want: CheckType},
		{name: "type 2", change: func(p *Packet) { p.Payload[0] = p.Payload[0]&0xf0 | 2 }, seal: true, want: CheckType},
		{name: "type 15", change: func(p *Packet) { p.Payload[0] |= 0x0f }, seal: true, want: CheckType},
		{name: "checksum 0", change: func(p *Packet) { p.Payload[6], p.Payload[7] = 0, 0 }, want: CheckChecksum},
		{name: "checksum off by one", change: func(p *Packet) { p.Payload[7]++ }, want: CheckChecksum},
		{name: "priority changed on the way", change: func(p *Packet) { p.Payload[2]++ }, want: CheckChecksum},
		{name: "address changed on the way", change: func(p *Packet) { p.Payload[8]++ }, want: CheckChecksum},
		{name: "VRID 0", change: func(p *Packet) { p.Payload[1] = 0 }, seal: true, want: CheckVRID},
		{name: "VRID 11", change: func(p *Packet) { p.Payload[1] = 11 }, seal: true, want: CheckVRID},
		{name: "VRID 255", change: func(p *Packet) { p.Payload[1] = 255 }, seal: true, want: CheckVRID},
		{name: "priority 0", change: func(p *Packet) { p.Payload[2] = 0 }, seal: true, want: Accepted},
		{name: "priority 255", change: func(p *Packet) { p.Payload[2] = 255 }, seal: true, want: Accepted},
		{name: "zero interval", change: func(p *Packet) { p.Payload[4] &= 0x0f; p.Payload[5] = 0; clearInterval(p) }, seal: true, want: CheckZeroInterval},
		{name: "padded frame", change: func(p *Packet) { p.Payload = append(p.Payload, 0, 0, 0) }, want: Accepted, remarks: RemarkTrailing},
		{name: "28 bytes of somebody's trailer", change: func(p *Packet) { p.Payload = append(p.Payload, slices.Repeat([]byte{0xa5}, 28)...) }, want: Accepted, remarks: RemarkTrailing},
		{name: "another address", change: func(p *Packet) { p.Payload[11] ^= 0x40 }, seal: true, want: Accepted, remarks: RemarkAddresses},
	}
}

// clearInterval zeroes the interval and leaves the authentication type of version 2.
func clearInterval(p *Packet) {
	if p.Payload[0]>>4 == byte(V3) {
		p.Payload[4] = 0
	}
}

func TestReceiveVersion2(t *testing.T) {
	spoil(t, listen2, everyKind())
	spoil(t, listen2, []spoiled{
		{name: "version 3", change: func(p *Packet) { *p = packetFor(t, listen3) }, want: CheckVersion},
		{name: "IPv6 source", change: func(p *Packet) { p.Src = addr("fe80::c8") }, want: CheckFamily},
		{name: "IPv6 destination", change: func(p *Packet) { p.Dst = addr("ff02::12") }, want: CheckFamily},
		{name: "source wrapped in IPv6", change: func(p *Packet) { p.Src = addr("::ffff:192.0.2.251") }, want: Accepted},
		{name: "unspecified source", change: func(p *Packet) { p.Src = addr("0.0.0.0") }, want: Accepted},
		{name: "another source does not matter to the checksum", change: func(p *Packet) { p.Src = addr("192.0.2.99") }, want: Accepted},
		{name: "without authentication data", change: func(p *Packet) { p.Payload = p.Payload[:16]; reseal(p, 16) }, want: CheckTruncated},
		{name: "pseudo header covered", change: func(p *Packet) { sealWithPseudo(p) }, want: CheckChecksum},
		{name: "authentication none", change: func(p *Packet) { p.Payload[4] = 0 }, seal: true, want: CheckAuthType},
		{name: "authentication header", change: func(p *Packet) { p.Payload[4] = 2 }, seal: true, want: CheckAuthType},
		{name: "authentication unknown", change: func(p *Packet) { p.Payload[4] = 255 }, seal: true, want: CheckAuthType},
		{name: "first byte of the password", change: func(p *Packet) { p.Payload[16]++ }, seal: true, want: CheckPassword},
		{name: "last byte of the password", change: func(p *Packet) { p.Payload[23]++ }, seal: true, want: CheckPassword},
		{name: "another interval", change: func(p *Packet) { p.Payload[5] = 2 }, seal: true, want: CheckInterval},
		{name: "longest interval", change: func(p *Packet) { p.Payload[5] = 255 }, seal: true, want: CheckInterval},
		{name: "another interval in a goodbye", change: func(p *Packet) { p.Payload[2], p.Payload[5] = 0, 2 }, seal: true, want: CheckInterval},
		{name: "no addresses", change: func(p *Packet) { dropAddresses(p, 8) }, want: CheckNoAddresses},
	})
}

func TestReceiveVersion2WithoutAuthentication(t *testing.T) {
	m := listen2
	m.Auth, m.Password = AuthNone, [8]byte{}
	spoil(t, m, everyKind())
	spoil(t, m, []spoiled{
		{name: "password", change: func(p *Packet) { p.Payload[4] = 1 }, seal: true, want: CheckAuthType},
		{name: "data that means nothing", change: func(p *Packet) { p.Payload[20] = 7 }, seal: true, want: Accepted},
	})
	p := packetFor(t, m)
	p.Payload[20] = 7
	reseal(&p, len(p.Payload))
	if a, _, _ := Receive(p, m); a.Password != [8]byte{} {
		t.Errorf("a password was read where there is none: %x", a.Password)
	}
}

func TestReceiveVersion3(t *testing.T) {
	spoil(t, listen3, everyKind())
	spoil(t, listen3, []spoiled{
		{name: "version 2", change: func(p *Packet) { *p = packetFor(t, listen2) }, want: CheckVersion},
		{name: "IPv6", change: func(p *Packet) { *p = packetFor(t, listen6) }, want: CheckFamily},
		{name: "checksum without pseudo header", change: func(p *Packet) { sealPlain(p) }, want: Accepted, remarks: RemarkPlainChecksum},
		{name: "checksum for another source", change: func(p *Packet) { p.Src = addr("192.0.2.252") }, want: CheckChecksum},
		{name: "checksum for another destination", change: func(p *Packet) { p.Dst = addr("192.0.2.9") }, want: CheckChecksum},
		{name: "checksum sealed for unicast", change: func(p *Packet) { p.Dst = addr("192.0.2.9") }, seal: true, want: Accepted},
		{name: "reserved bits", change: func(p *Packet) { p.Payload[4] |= 0xf0 }, seal: true, want: Accepted},
		{name: "reserved bits and no interval", change: func(p *Packet) { p.Payload[4], p.Payload[5] = 0xf0, 0 }, seal: true, want: CheckZeroInterval},
		{name: "shortest interval", change: func(p *Packet) { p.Payload[4], p.Payload[5] = 0, 1 }, seal: true, want: Accepted, remarks: RemarkInterval},
		{name: "longest interval", change: func(p *Packet) { p.Payload[4], p.Payload[5] = 0x0f, 0xff }, seal: true, want: Accepted, remarks: RemarkInterval},
		{name: "no addresses", change: func(p *Packet) { dropAddresses(p, 0) }, want: CheckNoAddresses},
		{name: "trailer of version 2", change: func(p *Packet) { p.Payload = append(p.Payload, make([]byte, 8)...) }, want: Accepted, remarks: RemarkTrailing},
		{name: "trailer under the checksum", change: func(p *Packet) { p.Payload = append(p.Payload, 1, 2, 3, 4) }, seal: true, want: CheckChecksum},
		{name: "fewer addresses", change: func(p *Packet) { p.Payload[3] = 1; p.Payload = p.Payload[:12] }, seal: true, want: Accepted, remarks: RemarkAddresses},
	})
}

func TestReceiveIPv6(t *testing.T) {
	spoil(t, listen6, everyKind())
	spoil(t, listen6, []spoiled{
		{name: "IPv4", change: func(p *Packet) { *p = packetFor(t, listen3) }, want: CheckFamily},
		{name: "source wrapped from IPv4", change: func(p *Packet) { p.Src = addr("::ffff:192.0.2.251") }, want: CheckFamily},
		{name: "source with a zone", change: func(p *Packet) { p.Src = addr("fe80::c8%eth0") }, want: Accepted},
		{name: "global source", change: func(p *Packet) { p.Src = addr("2001:db8::c8") }, seal: true, want: Accepted},
		{name: "checksum without pseudo header", change: func(p *Packet) { sealPlain(p) }, want: CheckChecksum},
		{name: "checksum for another source", change: func(p *Packet) { p.Src = addr("fe80::c9") }, want: CheckChecksum},
		{name: "first address global", change: func(p *Packet) { copy(p.Payload[8:], p.Payload[24:40]) }, seal: true, want: CheckLinkLocal},
		{name: "first address multicast", change: func(p *Packet) { p.Payload[8], p.Payload[9] = 0xff, 0x02 }, seal: true, want: CheckLinkLocal},
		{name: "end of the link-local range", change: func(p *Packet) { p.Payload[9] = 0xbf }, seal: true, want: Accepted, remarks: RemarkAddresses},
		{name: "behind the link-local range", change: func(p *Packet) { p.Payload[9] = 0xc0 }, seal: true, want: CheckLinkLocal},
		{name: "no addresses", change: func(p *Packet) { dropAddresses(p, 0) }, want: CheckNoAddresses},
		{name: "one IPv4 address promised", change: func(p *Packet) { p.Payload[3] = 1; p.Payload = p.Payload[:12] }, seal: true, want: CheckTruncated},
	})
}

// sealPlain makes the checksum of version 3 without pseudo header.
func sealPlain(p *Packet) {
	p.Payload[6], p.Payload[7] = 0, 0
	binary.BigEndian.PutUint16(p.Payload[6:], ^fold(sum(p.Payload)))
}

// sealWithPseudo makes the checksum of version 2 with a pseudo header, which is wrong.
func sealWithPseudo(p *Packet) {
	p.Payload[6], p.Payload[7] = 0, 0
	binary.BigEndian.PutUint16(p.Payload[6:], ^fold(sum(p.Payload)+pseudoSum(p.Src, p.Dst, len(p.Payload))))
}

// dropAddresses empties the list, keeps the last trailer bytes and seals.
func dropAddresses(p *Packet, trailer int) {
	p.Payload = append(p.Payload[:8:8], p.Payload[len(p.Payload)-trailer:]...)
	p.Payload[3] = 0
	reseal(p, len(p.Payload))
}

// A router that was configured without a link-local address hears its like.
func TestReceiveIPv6WithoutLinkLocal(t *testing.T) {
	m := listen6
	m.Addresses = addrs("2001:db8::1")
	if _, check, remarks := Receive(packetFor(t, m), m); check != Accepted || remarks != 0 {
		t.Errorf("check %v, remarks %q", check, remarks)
	}
	if _, check, remarks := Receive(packetFor(t, listen6), m); check != Accepted || remarks != RemarkAddresses {
		t.Errorf("from a router with a link-local address: check %v, remarks %q", check, remarks)
	}
	global := packetFor(t, m)
	m.Addresses = nil
	if _, check, remarks := Receive(global, m); check != Accepted || remarks != RemarkAddresses {
		t.Errorf("without own addresses: check %v, remarks %q", check, remarks)
	}
}

// One link-local address is enough to want it first from others.
func TestReceiveIPv6WithOnlyALinkLocal(t *testing.T) {
	m := listen6
	m.Addresses = addrs("fe80::1")
	global := m
	global.Addresses = addrs("2001:db8::1")
	if _, check, _ := Receive(packetFor(t, global), m); check != CheckLinkLocal {
		t.Errorf("check %v, want %v", check, CheckLinkLocal)
	}
}

// A packet with several faults is dropped for the first of them in the documented order.
func TestReceiveOrder(t *testing.T) {
	p := packetFor(t, listen2)
	worse := []struct {
		change func()
		want   Check
	}{
		{func() { p.Payload[5] = 9; reseal(&p, 24) }, CheckInterval},
		{func() { p.Payload[5] = 0; reseal(&p, 24) }, CheckZeroInterval},
		{func() { p.Payload[23]++; reseal(&p, 24) }, CheckPassword},
		{func() { p.Payload[4] = 0; reseal(&p, 24) }, CheckAuthType},
		{func() { p.Payload[1] = 99; reseal(&p, 24) }, CheckVRID},
		{func() { p.Payload[7]++ }, CheckChecksum},
		{func() { p.Payload = p.Payload[:20] }, CheckTruncated},
		{func() { p.Payload[0] = 0x22 }, CheckType},
		{func() { p.Payload[0] = 0x32 }, CheckVersion},
		{func() { p.Payload = p.Payload[:7] }, CheckTruncated},
		{func() { p.TTL = 64 }, CheckTTL},
		{func() { p.Src = addr("224.0.0.18") }, CheckSource},
		{func() { p.Src = addr("fe80::1") }, CheckFamily},
	}
	for _, w := range worse {
		w.change()
		if _, check, _ := Receive(p, listen2); check != w.want {
			t.Errorf("check %v, want %v", check, w.want)
		}
	}
}

func TestReceiveRemarks(t *testing.T) {
	order := listen3
	order.Addresses = addrs("192.0.2.2", "192.0.2.1")
	fewer := listen3
	fewer.Addresses = addrs("192.0.2.1")
	twice := listen3
	twice.Addresses = addrs("192.0.2.1", "192.0.2.1")
	slower := listen3
	slower.Interval = 2 * time.Second
	owner := listen3
	owner.Priority = 255
	all := owner
	all.Addresses, all.Interval = addrs("192.0.2.9"), 10*time.Second
	tests := []struct {
		name string
		own  Params
		want Remarks
	}{
		{"the same", listen3, 0},
		{"the same in another order", order, 0},
		{"we have fewer", fewer, RemarkAddresses},
		{"we have one twice", twice, RemarkAddresses},
		{"another interval", slower, RemarkInterval},
		{"we are the owner", owner, RemarkOwner},
		{"everything", all, RemarkAddresses | RemarkInterval | RemarkOwner},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, check, remarks := Receive(packetFor(t, listen3), tt.own)
			if check != Accepted || remarks != tt.want {
				t.Errorf("check %v, remarks %q, want %q", check, remarks, tt.want)
			}
		})
	}
}

// Settings that Validate refuses must not make a decoder panic either.
func TestReceiveWithInvalidSettings(t *testing.T) {
	good := packetFor(t, listen3)
	for _, m := range []Params{
		{},
		{Version: V3},
		{Family: IPv4},
		{Family: 9, Version: 9, VRID: 10},
		{Family: IPv6, Version: V2, VRID: 10},
		{Family: IPv4, Version: V3, VRID: 10},
	} {
		for n := range len(good.Payload) + 1 {
			p := good
			p.Payload = good.Payload[:n]
			if _, check, _ := Receive(p, m); check == Accepted && n < len(good.Payload) {
				t.Errorf("%d bytes accepted with %+v", n, m)
			}
		}
	}
}

func TestReceiveAllocates(t *testing.T) {
	tests := []struct {
		name   string
		params Params
		change func(*Packet)
		want   float64
	}{
		{"accepted, version 2", listen2, func(*Packet) {}, 1},
		{"accepted, version 3", listen3, func(*Packet) {}, 1},
		{"accepted, IPv6", listen6, func(*Packet) {}, 1},
		{"TTL", listen3, func(p *Packet) { p.TTL = 1 }, 0},
		{"truncated", listen3, func(p *Packet) { p.Payload[3] = 255 }, 0},
		{"checksum", listen3, func(p *Packet) { p.Payload[7]++ }, 0},
		{"VRID", listen3, func(p *Packet) { p.Payload[1]++; reseal(p, len(p.Payload)) }, 0},
		{"password", listen2, func(p *Packet) { p.Payload[20]++; reseal(p, len(p.Payload)) }, 0},
		{"link-local", listen6, func(p *Packet) { p.Payload[8] = 0x20; reseal(p, len(p.Payload)) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := packetFor(t, tt.params)
			tt.change(&p)
			if got := testing.AllocsPerRun(100, func() { Receive(p, tt.params) }); got != tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
}

// The advert does not refer to the buffer it was read from.
func TestReceiveKeepsNothing(t *testing.T) {
	p := packetFor(t, listen2)
	a, check, _ := Receive(p, listen2)
	if check != Accepted {
		t.Fatal(check)
	}
	clear(p.Payload)
	if diff := cmp.Diff(listen2.Advert(200), a, compareAddr); diff != "" {
		t.Errorf("advert after the buffer was used again (-want +got):\n%s", diff)
	}
}

func TestPeek(t *testing.T) {
	tests := []struct {
		name    string
		payload []byte
		version Version
		vrid    uint8
		ok      bool
	}{
		{"nothing", nil, 0, 0, false},
		{"one byte", []byte{0x31}, 0, 0, false},
		{"two bytes", []byte{0x31, 7}, V3, 7, true},
		{"version 2", []byte{0x21, 255, 0}, V2, 255, true},
		{"any version and type", []byte{0xfe, 0}, 15, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			version, vrid, ok := Peek(tt.payload)
			if version != tt.version || vrid != tt.vrid || ok != tt.ok {
				t.Errorf("got %v %v %v, want %v %v %v", version, vrid, ok, tt.version, tt.vrid, tt.ok)
			}
		})
	}
}

// Every check drops a packet somewhere in this file: a check that cannot be reached
// would be a counter that nobody ever sees.
func TestEveryCheckIsReached(t *testing.T) {
	seen := map[Check]bool{}
	for _, m := range []Params{listen2, listen3, listen6} {
		for _, tt := range everyKind() {
			seen[tt.want] = true
		}
		for i := range packetFor(t, m).Payload {
			for bit := range 8 {
				p := packetFor(t, m)
				p.Payload[i] ^= 1 << bit
				reseal(&p, len(p.Payload))
				_, check, _ := Receive(p, m)
				seen[check] = true
			}
		}
	}
	p := packetFor(t, listen3)
	dropAddresses(&p, 0)
	_, check, _ := Receive(p, listen3)
	seen[check] = true
	for c := range Check(NumChecks) {
		if !seen[c] {
			t.Errorf("check %v was never reached", c)
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	for name, m := range map[string]Params{"v2": listen2, "v3": listen3, "v6": listen6} {
		b.Run(name, func(b *testing.B) {
			p := packetFor(b, m)
			b.ReportAllocs()
			for b.Loop() {
				Receive(p, m)
			}
		})
	}
}
