package vrrp

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSum(t *testing.T) {
	tests := []struct {
		name string
		hex  string
		want uint32
	}{
		{"nothing", "", 0},
		{"odd byte is the high half", "12", 0x1200},
		{"one word", "1234", 0x1234},
		{"word and odd byte", "123456", 0x1234 + 0x5600},
		{"RFC 1071 section 3", "0001f203f4f5f6f7", 0x0001 + 0xf203 + 0xf4f5 + 0xf6f7},
		{"carries are kept", "ffffffff", 0x1fffe},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sum(unhex(t, tt.hex)); got != tt.want {
				t.Errorf("sum is %#x, want %#x", got, tt.want)
			}
		})
	}
}

func TestFold(t *testing.T) {
	tests := []struct {
		in   uint32
		want uint16
	}{
		{0, 0},
		{0xffff, 0xffff},
		{0x10000, 1},
		{0x1fffe, 0xffff},
		{0x2ddf0, 0xddf2}, // RFC 1071 section 3
		{0xffffffff, 0xffff},
		{0xffff0001, 1}, // the carry of the carry
	}
	for _, tt := range tests {
		if got := fold(tt.in); got != tt.want {
			t.Errorf("fold(%#x) is %#x, want %#x", tt.in, got, tt.want)
		}
	}
}

// naiveSum adds one byte at a time and folds at each step.
func naiveSum(b []byte) uint16 {
	var s uint32
	for i, x := range b {
		if i%2 == 0 {
			s += uint32(x) * 256
		} else {
			s += uint32(x)
		}
		if s > 0xffff {
			s = s - 0x10000 + 1
		}
	}
	return uint16(s)
}

func TestSumAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "bytes")
		if got, want := fold(sum(b)), naiveSum(b); got != want {
			t.Fatalf("sum %#x, byte by byte %#x", got, want)
		}
	})
}

// The largest payload that IP can carry does not overflow the sum.
func TestSumLargest(t *testing.T) {
	b := make([]byte, 65535)
	for i := range b {
		b[i] = 0xff
	}
	if got := fold(sum(b)); got != naiveSum(b) {
		t.Errorf("sum %#x, byte by byte %#x", got, naiveSum(b))
	}
}

// The pseudo header sums to the same as its bytes written out, in both families.
func TestPseudoSum(t *testing.T) {
	tests := []struct {
		name     string
		src, dst string
		length   int
		hex      string
	}{
		{"IPv4", "192.0.2.251", "224.0.0.18", 16, "c00002fb e0000012 00 70 0010"},
		{"IPv6", "fe80::c8", "ff02::12", 40, "fe8000000000000000000000000000c8 ff020000000000000000000000000012 00000028 000000 70"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := fold(pseudoSum(addr(tt.src), addr(tt.dst), tt.length))
			if want := fold(sum(unhex(t, tt.hex))); got != want {
				t.Errorf("sum %#x, want %#x", got, want)
			}
		})
	}
}
