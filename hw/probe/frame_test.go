package probe

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	macA = [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x0a}
	macB = [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x0b}
	addr = netip.MustParseAddr
)

// octets reads hexadecimal digits, spaces ignored.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEncode has every form of a question as it goes on the wire behind the Ethernet header.
func TestEncode(t *testing.T) {
	everybody := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	tests := []struct {
		name string
		q    Question
		to   [6]byte
		want string
	}{
		{
			name: "ARP broadcast from nobody",
			q:    Question{Target: addr("192.168.10.1")},
			to:   everybody,
			want: "0001 0800 06 04 0001 02005e10000a 00000000 000000000000 c0a80a01",
		},
		{
			name: "ARP broadcast from 0.0.0.0",
			q:    Question{Target: addr("192.168.10.1"), Sender: addr("0.0.0.0")},
			to:   everybody,
			want: "0001 0800 06 04 0001 02005e10000a 00000000 000000000000 c0a80a01",
		},
		{
			name: "ARP broadcast from an own address",
			q:    Question{Target: addr("192.168.10.1"), Sender: addr("192.168.10.2")},
			to:   everybody,
			want: "0001 0800 06 04 0001 02005e10000a c0a80a02 000000000000 c0a80a01",
		},
		{
			name: "ARP unicast from nobody",
			q:    Question{Target: addr("192.168.10.1"), To: macB},
			to:   macB,
			want: "0001 0800 06 04 0001 02005e10000a 00000000 000000000000 c0a80a01",
		},
		{
			name: "ARP unicast from an own address",
			q:    Question{Target: addr("192.168.10.1"), Sender: addr("192.168.10.2"), To: macB},
			to:   macB,
			want: "0001 0800 06 04 0001 02005e10000a c0a80a02 000000000000 c0a80a01",
		},
		{
			name: "ND to the solicited-node group",
			q:    Question{Target: addr("2001:db8::1:203"), Sender: addr("fe80::a")},
			to:   [6]byte{0x33, 0x33, 0xff, 0x01, 0x02, 0x03},
			want: "60000000 0020 3a ff fe80000000000000000000000000000a ff0200000000000000000001ff010203" +
				"8700 e938 00000000 20010db8000000000000000000010203 0101 02005e10000a",
		},
		{
			name: "ND unicast",
			q:    Question{Target: addr("2001:db8::1:203"), Sender: addr("fe80::a"), To: macB},
			to:   macB,
			want: "60000000 0020 3a ff fe80000000000000000000000000000a 20010db8000000000000000000010203" +
				"8700 b984 00000000 20010db8000000000000000000010203 0101 02005e10000a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Conn{mac: macA}
			e, packet, to, err := c.encode(tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(octets(t, tt.want), packet); diff != "" {
				t.Errorf("packet (-want +got):\n%s", diff)
			}
			if to != tt.to {
				t.Errorf("to %x, want %x", to, tt.to)
			}
			if want := &c.sockets[map[bool]int{true: 0, false: 1}[tt.q.Target.Is4()]]; e != want {
				t.Error("by the wrong socket")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct {
		name string
		q    Question
	}{
		{"no target", Question{Sender: addr("192.168.10.2")}},
		{"IPv4 from IPv6", Question{Target: addr("192.168.10.1"), Sender: addr("fe80::a")}},
		{"IPv6 from IPv4", Question{Target: addr("2001:db8::1"), Sender: addr("192.168.10.2")}},
		{"IPv6 from nobody", Question{Target: addr("2001:db8::1")}},
		{"IPv6 from ::", Question{Target: addr("2001:db8::1"), Sender: addr("::")}},
		{"IPv6 from a global address", Question{Target: addr("2001:db8::1"), Sender: addr("2001:db8::2")}},
		{"IPv6 group", Question{Target: addr("ff02::1"), Sender: addr("fe80::a")}},
		{"IPv6 ::", Question{Target: addr("::"), Sender: addr("fe80::a")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, packet, _, err := (&Conn{mac: macA}).encode(tt.q); err == nil {
				t.Errorf("encoded as %x", packet)
			}
		})
	}
}

func TestDecodeARP(t *testing.T) {
	const kind = "0001 0800 06 04"
	tests := []struct {
		name, frame string
		want        Heard
		err         error
	}{
		{
			name: "reply", frame: kind + "0002 02005e10000b c0a80a01 02005e10000a c0a80a02",
			want: Heard{Op: Reply, Sender: addr("192.168.10.1"), MAC: macB, Target: addr("192.168.10.2")},
		},
		{
			name: "reply to nobody", frame: kind + "0002 02005e10000b c0a80a01 02005e10000a 00000000",
			want: Heard{Op: Reply, Sender: addr("192.168.10.1"), MAC: macB, Target: addr("0.0.0.0")},
		},
		{
			name: "request", frame: kind + "0001 02005e10000b c0a80a02 000000000000 c0a80a01",
			want: Heard{Op: Request, Sender: addr("192.168.10.2"), MAC: macB, Target: addr("192.168.10.1")},
		},
		{
			name: "request by nobody", frame: kind + "0001 02005e10000b 00000000 000000000000 c0a80a01",
			want: Heard{Op: Request, Sender: addr("0.0.0.0"), MAC: macB, Target: addr("192.168.10.1")},
		},
		{
			name: "gratuitous request", frame: kind + "0001 02005e10000b c0a80a01 ffffffffffff c0a80a01",
			want: Heard{Op: Gratuitous, Sender: addr("192.168.10.1"), MAC: macB, Target: addr("192.168.10.1")},
		},
		{
			name: "gratuitous reply", frame: kind + "0002 02005e10000b c0a80a01 02005e10000b c0a80a01",
			want: Heard{Op: Gratuitous, Sender: addr("192.168.10.1"), MAC: macB, Target: addr("192.168.10.1")},
		},
		{
			name: "with Ethernet padding", frame: kind + "0001 02005e10000b c0a80a02 000000000000 c0a80a01" + strings.Repeat("5a", 18),
			want: Heard{Op: Request, Sender: addr("192.168.10.2"), MAC: macB, Target: addr("192.168.10.1")},
		},
		{name: "nothing", frame: "", err: errTruncated},
		{name: "cut off", frame: kind + "0002 02005e10000b c0a80a01 02005e10000a c0a80a", err: errTruncated},
		{name: "another network", frame: "0006 0800 06 04 0002 02005e10000b c0a80a01 02005e10000a c0a80a02", err: errOther},
		{name: "another protocol", frame: "0001 86dd 06 04 0002 02005e10000b c0a80a01 02005e10000a c0a80a02", err: errOther},
		{name: "long hardware addresses", frame: "0001 0800 08 04 0002 02005e10000b c0a80a01 02005e10000a c0a80a02", err: errOther},
		{name: "long addresses", frame: "0001 0800 06 10 0002 02005e10000b c0a80a01 02005e10000a c0a80a02", err: errOther},
		{name: "reverse ARP", frame: kind + "0003 02005e10000b c0a80a01 02005e10000a c0a80a02", err: errOther},
		{name: "from no station", frame: kind + "0002 000000000000 c0a80a01 02005e10000a c0a80a02", err: errInvalid},
		{name: "from a group", frame: kind + "0002 01005e000001 c0a80a01 02005e10000a c0a80a02", err: errInvalid},
		{name: "reply for no address", frame: kind + "0002 02005e10000b 00000000 02005e10000a c0a80a02", err: errInvalid},
		{name: "request for nothing by nobody", frame: kind + "0001 02005e10000b 00000000 000000000000 00000000", err: errInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeARP(octets(t, tt.frame))
			check(t, got, err, tt.want, tt.err)
		})
	}
}

// check compares what a decoder returned.
func check(t *testing.T, got Heard, err error, want Heard, wantErr error) {
	t.Helper()
	if !errors.Is(err, wantErr) {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// neighbour is an IPv6 packet with a neighbour message, its checksum made right.
func neighbour(t testing.TB, src, dst, message string) []byte {
	t.Helper()
	m := octets(t, message)
	b := append(octets(t, "60000000 0000 3a ff"), addr(src).AsSlice()...)
	b = append(append(b, addr(dst).AsSlice()...), m...)
	b[5] = byte(len(m))
	s := ^sum(b[8:headerLen6], b[headerLen6:])
	b[headerLen6+2], b[headerLen6+3] = byte(s>>8), byte(s)
	return b
}

// set returns b with one octet changed and the checksum left as it was.
func set(b []byte, at int, value byte) []byte {
	b[at] = value
	return b
}

func TestDecodeND(t *testing.T) {
	const (
		ns, na     = "8700 0000 00000000", "8800 0000"
		target     = "20010db8000000000000000000000001"
		sourceB    = "0101 02005e10000b"
		targetB    = "0201 02005e10000b"
		group      = "ff02::1:ff00:1"
		solicitedF = "60000000" // solicited, override
	)
	vip := addr("2001:db8::1")
	link := [6]byte{0x02, 0, 0x5e, 0x10, 0, 0x0c}
	tests := []struct {
		name  string
		frame []byte
		want  Heard
		err   error
	}{
		{
			name: "solicitation", frame: neighbour(t, "fe80::b", group, ns+target+sourceB),
			want: Heard{Op: Request, Sender: addr("fe80::b"), MAC: macB, Target: vip},
		},
		{
			name: "solicitation without option", frame: neighbour(t, "fe80::b", "2001:db8::1", ns+target),
			want: Heard{Op: Request, Sender: addr("fe80::b"), MAC: link, Target: vip},
		},
		{
			name: "duplicate address detection", frame: neighbour(t, "::", group, ns+target),
			want: Heard{Op: Request, Sender: addr("::"), MAC: link, Target: vip},
		},
		{
			name: "duplicate address detection with a nonce", frame: neighbour(t, "::", group, ns+target+"0e01 010203040506"),
			want: Heard{Op: Request, Sender: addr("::"), MAC: link, Target: vip},
		},
		{
			name: "answer", frame: neighbour(t, "2001:db8::1", "fe80::a", na+solicitedF+target+targetB),
			want: Heard{Op: Reply, Sender: vip, MAC: macB, Target: addr("fe80::a")},
		},
		{
			name: "answer from another address of the station", frame: neighbour(t, "fe80::b", "fe80::a", na+solicitedF+target+targetB),
			want: Heard{Op: Reply, Sender: vip, MAC: macB, Target: addr("fe80::a")},
		},
		{
			name: "answer without option", frame: neighbour(t, "2001:db8::1", "fe80::a", na+solicitedF+target),
			want: Heard{Op: Reply, Sender: vip, MAC: link, Target: addr("fe80::a")},
		},
		{
			name: "answer with another option first", frame: neighbour(t, "2001:db8::1", "fe80::a", na+solicitedF+target+"0e02 0000000000000000000000000000"+targetB),
			want: Heard{Op: Reply, Sender: vip, MAC: macB, Target: addr("fe80::a")},
		},
		{
			name: "claim", frame: neighbour(t, "2001:db8::1", "ff02::1", na+"a0000000"+target+targetB),
			want: Heard{Op: Gratuitous, Sender: vip, MAC: macB, Target: vip},
		},
		{
			name: "with Ethernet padding", frame: append(neighbour(t, "2001:db8::1", "fe80::a", na+solicitedF+target+targetB), 1, 2, 3),
			want: Heard{Op: Reply, Sender: vip, MAC: macB, Target: addr("fe80::a")},
		},
		{name: "nothing", err: errTruncated},
		{name: "header cut off", frame: neighbour(t, "fe80::b", group, ns+target)[:39], err: errTruncated},
		{name: "message cut off", frame: neighbour(t, "fe80::b", group, ns+target)[:63], err: errTruncated},
		{name: "message too short", frame: neighbour(t, "fe80::b", group, ns+target[2:]), err: errTruncated},
		{name: "router solicitation", frame: neighbour(t, "fe80::b", "ff02::2", "8500 0000 00000000"+target), err: errOther},
		{name: "another protocol", frame: set(neighbour(t, "fe80::b", group, ns+target), 6, 17), err: errOther},
		{name: "another version", frame: set(neighbour(t, "fe80::b", group, ns+target), 0, 0x40), err: errOther},
		{name: "came through a router", frame: set(neighbour(t, "fe80::b", group, ns+target), 7, 254), err: errInvalid},
		{name: "wrong checksum", frame: set(neighbour(t, "fe80::b", group, ns+target), 63, 2), err: errInvalid},
		{name: "a code", frame: neighbour(t, "fe80::b", group, "8701 0000 00000000"+target), err: errInvalid},
		{name: "target is a group", frame: neighbour(t, "fe80::b", group, ns+"ff020000000000000000000000000001"), err: errInvalid},
		{name: "target is nobody", frame: neighbour(t, "fe80::b", group, ns+"00000000000000000000000000000000"), err: errInvalid},
		{name: "solicited, yet to all", frame: neighbour(t, "2001:db8::1", "ff02::1", na+solicitedF+target+targetB), err: errInvalid},
		{name: "nobody with a hardware address", frame: neighbour(t, "::", group, ns+target+sourceB), err: errInvalid},
		{name: "option without length", frame: neighbour(t, "fe80::b", group, ns+target+"0100 02005e10000b"), err: errInvalid},
		{name: "option longer than the message", frame: neighbour(t, "fe80::b", group, ns+target+"0102 02005e10000b"), err: errInvalid},
		{name: "half an option", frame: neighbour(t, "fe80::b", group, ns+target+sourceB+"0101"), err: errInvalid},
		{name: "a group as hardware address", frame: neighbour(t, "fe80::b", group, ns+target+"0101 333300000001"), err: errInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeND(tt.frame, link)
			check(t, got, err, tt.want, tt.err)
		})
	}
}

func TestSum(t *testing.T) {
	// An odd octet counts as the high half of a pair.
	if got, want := sum(nil, []byte{1, 2, 3}), uint16(0x0102+0x0300+3+58); got != want {
		t.Errorf("sum %#x, want %#x", got, want)
	}
}

func TestOpString(t *testing.T) {
	for op, want := range map[Op]string{Unknown: "unknown", Reply: "reply", Request: "request", Gratuitous: "gratuitous", 9: "unknown"} {
		if got := op.String(); got != want {
			t.Errorf("%d is %q, want %q", op, got, want)
		}
	}
}
