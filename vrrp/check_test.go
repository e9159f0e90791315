package vrrp

import (
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var stableName = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

func TestCheckNames(t *testing.T) {
	seen := map[string]Check{}
	for c := range Check(NumChecks) {
		name := c.String()
		if !stableName.MatchString(name) || name == "unknown" {
			t.Errorf("check %d is called %q", c, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("checks %d and %d are both called %q", other, c, name)
		}
		seen[name] = c
	}
	if Accepted != 0 || Accepted.String() != "accepted" {
		t.Errorf("the zero check is %v", Accepted)
	}
	if got := Check(NumChecks).String(); got != "unknown" {
		t.Errorf("a check that does not exist is called %q", got)
	}
}

func TestRemarks(t *testing.T) {
	tests := []struct {
		remarks Remarks
		want    string
	}{
		{0, ""},
		{RemarkAddresses, "addresses"},
		{RemarkInterval, "interval"},
		{RemarkOwner, "owner"},
		{RemarkPlainChecksum, "plain-checksum"},
		{RemarkTrailing, "trailing"},
		{RemarkTrailing | RemarkAddresses, "addresses,trailing"},
		{RemarkAddresses | RemarkInterval | RemarkOwner | RemarkPlainChecksum | RemarkTrailing, "addresses,interval,owner,plain-checksum,trailing"},
	}
	for _, tt := range tests {
		if got := tt.remarks.String(); got != tt.want {
			t.Errorf("remarks %b are %q, want %q", tt.remarks, got, tt.want)
		}
		if !tt.remarks.Has(tt.remarks) || !tt.remarks.Has(0) {
			t.Errorf("remarks %v do not have themselves", tt.remarks)
		}
	}
	both := RemarkAddresses | RemarkOwner
	if !both.Has(RemarkOwner) || both.Has(RemarkInterval) || both.Has(RemarkOwner|RemarkInterval) {
		t.Errorf("membership of %v is wrong", both)
	}
}

func TestSameAddresses(t *testing.T) {
	tests := []struct {
		name string
		a, b []netip.Addr
		want bool
	}{
		{"none", nil, nil, true},
		{"same", addrs("192.0.2.1", "192.0.2.2"), addrs("192.0.2.1", "192.0.2.2"), true},
		{"other order", addrs("192.0.2.1", "192.0.2.2"), addrs("192.0.2.2", "192.0.2.1"), true},
		{"fewer", addrs("192.0.2.1"), addrs("192.0.2.1", "192.0.2.2"), false},
		{"other", addrs("192.0.2.1"), addrs("192.0.2.2"), false},
		{"one twice", addrs("192.0.2.1", "192.0.2.1"), addrs("192.0.2.1", "192.0.2.2"), false},
		{"one twice and alone", addrs("192.0.2.1", "192.0.2.1"), addrs("192.0.2.1"), false},
		{"other twice", addrs("192.0.2.1", "192.0.2.2"), addrs("192.0.2.2", "192.0.2.2"), false},
	}
	for _, tt := range tests {
		if got := sameAddresses(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if got := sameAddresses(tt.b, tt.a); got != tt.want {
			t.Errorf("%s, turned round: %v", tt.name, got)
		}
	}
}

func TestSameAddressesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a []netip.Addr
		for _, b := range rapid.SliceOfNDistinct(rapid.Byte(), 1, 50, rapid.ID[byte]).Draw(t, "hosts") {
			a = append(a, netip.AddrFrom4([4]byte{192, 0, 2, b}))
		}
		b := rapid.Permutation(a).Draw(t, "permuted")
		if !sameAddresses(a, b) {
			t.Fatalf("%v and %v differ", a, b)
		}
		b = slices.Clone(b)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "spoiled")] = addr("198.51.100.1")
		if sameAddresses(a, b) {
			t.Fatalf("%v and %v are the same", a, b)
		}
	})
}
