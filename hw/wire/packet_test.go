package wire

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
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
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

func TestAppendHeader(t *testing.T) {
	tests := []struct {
		name, src, dst, want string
		encode               func(b []byte, src, dst netip.Addr, n int) []byte
	}{
		{
			name: "IPv4", src: "10.255.0.1", dst: "224.0.0.18", encode: appendHeader4,
			want: "45c0 001c 0000 0000 ff70 cf9f 0aff0001 e0000012",
		},
		{
			name: "IPv4 that has lost its address", src: "0.0.0.0", dst: "224.0.0.18", encode: appendHeader4,
			want: "45c0 001c 0000 0000 ff70 da9f 00000000 e0000012",
		},
		{
			name: "IPv6", src: "fe80::1", dst: "ff02::12", encode: appendHeader6,
			want: "6c000000 0008 70 ff fe800000000000000000000000000001 ff020000000000000000000000000012",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []byte("before")
			got := tt.encode(before, netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst), 8)
			if diff := cmp.Diff(append(before, octets(t, tt.want)...), got); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	const (
		from4 = "0aff0001 e0000012"
		from6 = "fe800000000000000000000000000001 ff020000000000000000000000000012"
	)
	frame4 := Frame{Src: netip.MustParseAddr("10.255.0.1"), Dst: group4, TTL: 255}
	frame6 := Frame{Src: netip.MustParseAddr("fe80::1"), Dst: group6, TTL: 255}
	payload := func(f Frame, b ...byte) Frame { f.Payload = b; return f }
	hops := func(f Frame, n int) Frame { f.TTL = n; return f }
	tests := []struct {
		name   string
		decode func([]byte) (Frame, error)
		packet string
		want   Frame
		err    error
	}{
		{name: "IPv4", decode: decode4, packet: "45c0001600000000ff70cfa5" + from4 + "2132", want: payload(frame4, 0x21, 0x32)},
		{name: "IPv4 without payload", decode: decode4, packet: "45c0001400000000ff70cfa7" + from4, want: frame4},
		{name: "IPv4 with Ethernet padding", decode: decode4, packet: "45c0001600000000ff70cfa5" + from4 + "2132 0000 0000", want: payload(frame4, 0x21, 0x32)},
		{name: "IPv4 with options", decode: decode4, packet: "46c0001a00000000ff703a9d" + from4 + "94040000 2132", want: payload(frame4, 0x21, 0x32)},
		{name: "IPv4 with all the options that fit", decode: decode4, packet: "4fc0003c00000000ff70b16b" + from4 + strings.Repeat("01", 40), want: frame4},
		{name: "IPv4 that was routed", decode: decode4, packet: "45c0001400000000fe70d0a7" + from4, want: hops(frame4, 254)},
		{name: "IPv4 that must not be fragmented", decode: decode4, packet: "45c0001400004000ff708fa7" + from4, want: frame4},
		{name: "IPv4, nothing", decode: decode4, packet: "", err: errTruncated},
		{name: "IPv4, header cut off", decode: decode4, packet: "45c0001400000000ff70cf26 0aff0001 e00000", err: errTruncated},
		{name: "IPv4, options cut off", decode: decode4, packet: "46c0001800000000ff700000" + from4 + "9404", err: errTruncated},
		{name: "IPv4, payload cut off", decode: decode4, packet: "45c0001600000000ff70cfa5" + from4 + "21", err: errTruncated},
		{name: "IPv4 shorter than its header", decode: decode4, packet: "45c0001300000000ff70cfa8" + from4, err: errTruncated},
		{name: "IPv4, header length below the minimum", decode: decode4, packet: "44c0001400000000ff70d026" + from4, err: errHeader},
		{name: "IPv6 where IPv4 was expected", decode: decode4, packet: "65c0001400000000ff70af26" + from4, err: errHeader},
		{name: "IPv4, wrong checksum", decode: decode4, packet: "45c0001400000000ff70cf27" + from4, err: errChecksum},
		{name: "IPv4, first fragment", decode: decode4, packet: "45c0001400002000ff70afa7" + from4, err: errFragment},
		{name: "IPv4, last fragment", decode: decode4, packet: "45c0001400000001ff70cfa6" + from4, err: errFragment},
		{name: "IPv4, another protocol", decode: decode4, packet: "45c0001400000000ff11d006" + from4, err: errProtocol},
		{name: "IPv6", decode: decode6, packet: "6c000000000270ff" + from6 + "3132", want: payload(frame6, 0x31, 0x32)},
		{name: "IPv6 without payload", decode: decode6, packet: "6c000000000070ff" + from6, want: frame6},
		{name: "IPv6 with Ethernet padding", decode: decode6, packet: "6c000000000270ff" + from6 + "3132 0000", want: payload(frame6, 0x31, 0x32)},
		{name: "IPv6 that was routed", decode: decode6, packet: "6c000000000070fe" + from6, want: hops(frame6, 254)},
		{name: "IPv6, nothing", decode: decode6, packet: "", err: errTruncated},
		{name: "IPv6, header cut off", decode: decode6, packet: "6c000000000070ff fe80", err: errTruncated},
		{name: "IPv6, payload cut off", decode: decode6, packet: "6c000000000370ff" + from6 + "3132", err: errTruncated},
		{name: "IPv4 where IPv6 was expected", decode: decode6, packet: "4c000000000070ff" + from6, err: errHeader},
		{name: "IPv6 with a fragment header", decode: decode6, packet: "6c00000000082cff" + from6 + "7000000000000001", err: errProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.decode(octets(t, tt.packet))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroupMAC(t *testing.T) {
	tests := []struct{ group, want string }{
		{"224.0.0.18", "01005e000012"},
		{"239.255.1.2", "01005e7f0102"}, // 23 of the 28 bits
		{"ff02::12", "333300000012"},
		{"ff02::1:ff01:203", "3333ff010203"},
	}
	for _, tt := range tests {
		mac := groupMAC(netip.MustParseAddr(tt.group))
		if got := hex.EncodeToString(mac[:]); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.group, got, tt.want)
		}
	}
}
