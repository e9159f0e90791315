package segment

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/icmp"
	xipv4 "golang.org/x/net/ipv4"

	"standfast/vrrp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARP(t *testing.T) {
	request := arp{op: arpRequest, mac: macA, sender: addr("192.168.10.2"), target: vip}
	want := unhex(t, "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a c0a80a02 000000000000 c0a80a01"+strings.Repeat("00", 18))
	if diff := cmp.Diff(want, request.frame(broadcast())); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	reply := arp{op: arpReply, mac: macB, sender: vip, target: addr("192.168.10.2"), targetMAC: macA}
	want = unhex(t, "02000000000a 02000000000b 0806 0001 0800 06 04 0002 02000000000b c0a80a01 02000000000a c0a80a02"+strings.Repeat("00", 18))
	if diff := cmp.Diff(want, reply.frame(macA)); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	for _, m := range []arp{request, reply} {
		if got, ok := decodeARP(m.frame(macA)); !ok || got != m {
			t.Errorf("%+v came back as %+v, %v", m, got, ok)
		}
	}
}

func TestARPRefused(t *testing.T) {
	good := arp{op: arpReply, mac: macB, sender: vip, target: vip}.frame(broadcast())
	tests := []struct {
		name  string
		spoil func(b []byte) []byte
	}{
		{"no frame", func(b []byte) []byte { return b[:etherSize-1] }},
		{"cut off", func(b []byte) []byte { return b[:etherSize+arpSize-1] }},
		{"another protocol", func(b []byte) []byte { b[12] = 0x86; return b }},
		{"another kind", func(b []byte) []byte { b[etherSize+4] = 8; return b }},
		{"reverse ARP", func(b []byte) []byte { b[etherSize+7] = 3; return b }},
		{"from a group", func(b []byte) []byte { b[etherSize+8] |= 1; return b }},
	}
	for _, tt := range tests {
		if got, ok := decodeARP(tt.spoil(bytes.Clone(good))); ok {
			t.Errorf("%s: decoded as %+v", tt.name, got)
		}
	}
}

// ping is a whole frame with an echo request.
func ping() []byte {
	p := ipv4{ttl: ipv4TTL, protocol: protocolICMP, src: addr("192.168.10.2"), dst: vip,
		payload: echo{kind: icmpEcho, id: 7, sequence: 9, data: []byte("odd")}.bytes()}
	return pad(append(appendEther(nil, macB, macA, etherIPv4), p.bytes()...))
}

// TestEchoAsOthersReadIt has what is encoded here decoded by another implementation.
func TestEchoAsOthersReadIt(t *testing.T) {
	packet := ping()[etherSize:]
	h, err := xipv4.ParseHeader(packet)
	if err != nil {
		t.Fatal(err)
	}
	if h.Version != 4 || h.Len != ipv4Size || h.TotalLen != 31 || h.TTL != 64 || h.Protocol != 1 || h.Dst.String() != vip.String() {
		t.Errorf("header %v", h)
	}
	m, err := icmp.ParseMessage(1, packet[h.Len:h.TotalLen])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&icmp.Echo{ID: 7, Seq: 9, Data: []byte("odd")}, m.Body); diff != "" || m.Type != xipv4.ICMPTypeEcho {
		t.Errorf("%v (-want +got):\n%s", m.Type, diff)
	}
	if checksum(packet[:h.Len]) != 0 || checksum(packet[h.Len:h.TotalLen]) != 0 {
		t.Error("wrong checksum")
	}
	theirs, err := m.Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(theirs, packet[h.Len:h.TotalLen]); diff != "" {
		t.Errorf("ICMP (-theirs +ours):\n%s", diff)
	}
}

func TestIPv4Refused(t *testing.T) {
	if _, ok := decodeIPv4(ping()); !ok {
		t.Fatal("a good packet is refused")
	}
	// set changes one octet of the header and makes its checksum right again.
	set := func(at int, value byte) func([]byte) []byte {
		return func(b []byte) []byte {
			h := b[etherSize:]
			h[at], h[10], h[11] = value, 0, 0
			sum := checksum(h[:ipv4Size])
			h[10], h[11] = byte(sum>>8), byte(sum)
			return b
		}
	}
	tests := []struct {
		name  string
		spoil func(b []byte) []byte
	}{
		{"no frame", func([]byte) []byte { return nil }},
		{"cut off", func(b []byte) []byte { return b[:etherSize+ipv4Size-1] }},
		{"wrong checksum", func(b []byte) []byte { b[etherSize+8]--; return b }},
		{"version 6", set(0, 0x65)},
		{"header too short", set(0, 0x44)},
		{"shorter than its header", set(3, ipv4Size-1)},
		{"longer than the frame", set(2, 1)},
		{"more fragments", set(6, 0x20)},
		{"a later fragment", set(7, 1)},
	}
	for _, tt := range tests {
		if got, ok := decodeIPv4(tt.spoil(ping())); ok {
			t.Errorf("%s: decoded as %+v", tt.name, got)
		}
	}
}

func TestEchoRefused(t *testing.T) {
	good := echo{kind: icmpEcho, id: 7, sequence: 9}.bytes()
	tests := []struct {
		name   string
		packet ipv4
	}{
		{"another protocol", ipv4{protocol: 17, payload: good}},
		{"cut off", ipv4{protocol: protocolICMP, payload: good[:7]}},
		{"wrong checksum", ipv4{protocol: protocolICMP, payload: append([]byte{0}, good[1:]...)}},
		{"another message", ipv4{protocol: protocolICMP, payload: echo{kind: 13}.bytes()}},
	}
	for _, tt := range tests {
		if got, ok := decodeEcho(tt.packet); ok {
			t.Errorf("%s: decoded as %+v", tt.name, got)
		}
	}
}

// advert is a whole frame with an advert as standfast sends it.
func advert(t testing.TB, mac MAC, src netip.Addr, a vrrp.Advert) []byte {
	t.Helper()
	group := addr("224.0.0.18")
	pdu, err := a.Append(nil, src, group)
	if err != nil {
		t.Fatal(err)
	}
	p := ipv4{ttl: 255, protocol: vrrp.Protocol, src: src, dst: group, payload: pdu}
	return pad(append(appendEther(nil, MAC{0x01, 0, 0x5e, 0, 0, 18}, mac, etherIPv4), p.bytes()...))
}

func TestDecodeAdvert(t *testing.T) {
	src := addr("10.255.0.1")
	for _, version := range []vrrp.Version{vrrp.V2, vrrp.V3} {
		for _, priority := range []uint8{0, 100} {
			frame := advert(t, macA, src, vrrp.Advert{Version: version, VRID: 51, Priority: priority, Interval: time.Second, Addresses: []netip.Addr{vip}})
			p, ok := decodeIPv4(frame)
			if !ok {
				t.Fatal("no packet")
			}
			got, ok := decodeAdvert(p)
			want := Advert{Source: src, Version: version, VRID: 51, Priority: priority}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); !ok || diff != "" {
				t.Errorf("advert, %v (-want +got):\n%s", ok, diff)
			}
			p.payload = p.payload[:2]
			if _, ok := decodeAdvert(p); ok {
				t.Error("an advert without priority")
			}
			p.protocol = 17
			if _, ok := decodeAdvert(p); ok {
				t.Error("an advert over UDP")
			}
		}
	}
}

func TestReadFrame(t *testing.T) {
	stream := bytes.NewReader(append(appendFrame(appendFrame(nil, []byte("one")), bytes.Repeat([]byte{7}, maxFrame)), 0, 0))
	if got, err := readFrame(stream); err != nil || string(got) != "one" {
		t.Errorf("read %q, %v", got, err)
	}
	if got, err := readFrame(stream); err != nil || len(got) != maxFrame {
		t.Errorf("read %d octets, %v", len(got), err)
	}
	if _, err := readFrame(stream); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a length: %v", err)
	}
	tests := []struct {
		name, stream string
		want         error
	}{
		{"end", "", io.EOF},
		{"no length", "00000000", errLength},
		{"too long", "00011001", errLength},
		{"longest number", "ffffffff", errLength},
		{"frame missing", "00000004", io.EOF},
		{"frame cut off", "00000004 010203", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		if got, err := readFrame(bytes.NewReader(unhex(t, tt.stream))); !errors.Is(err, tt.want) {
			t.Errorf("%s: %x, %v; want %v", tt.name, got, err, tt.want)
		}
	}
}

// FuzzFrame has frames of any content come from a machine: nothing may panic, and what is decoded is encoded as it came (of two
// checksums that mean the same, as one of them).
func FuzzFrame(f *testing.F) {
	f.Add(ping())
	f.Add(arp{op: arpRequest, mac: macB, sender: addr("192.168.10.2"), target: vip}.frame(macA))
	f.Add(arp{op: arpReply, mac: macB, sender: vip, target: vip}.frame(broadcast()))
	f.Add(advert(f, macB, addr("192.168.10.2"), vrrp.Advert{Version: vrrp.V3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: []netip.Addr{vip}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, ok := decodeARP(data); ok {
			if again, ok := decodeARP(m.frame(MAC(data[:6]))); !ok || again != m {
				t.Errorf("%+v came back as %+v", m, again)
			}
		}
		if p, ok := decodeIPv4(data); ok {
			decodeAdvert(p)
			if e, ok := decodeEcho(p); ok && !bytes.Equal(e.bytes()[4:], p.payload[4:]) {
				t.Errorf("%x came back as %x", p.payload, e.bytes())
			}
		}
		// A host and an asker hear it, as frames come to them from the segment.
		if len(data) < etherSize {
			return
		}
		s := newSegment("LAN", time.Now(), "A")
		h := &Host{segment: s, name: "host", mac: macA, addr: netip.PrefixFrom(vip, 24), neighbours: neighbours{}, pingers: map[uint16]*Pinger{}}
		h.pingers[7] = &Pinger{host: h, to: addr("192.168.10.2"), echoes: make([]Echo, 1)}
		a := &Asker{host: h, records: []Record{{VIP: vip}}}
		h.hear(data)
		a.see(Frame{From: "A", Data: data})
		s.Adverts()
		s.forward(s.ports[0], data)
	})
}
