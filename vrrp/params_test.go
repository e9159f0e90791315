package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// router2, router3 and router6 are complete settings of each kind.
func router2() Params {
	return Params{
		VRID: 50, Family: IPv4, Version: V2, Priority: 100, Interval: time.Second, Preempt: true,
		Addresses: addrs("192.168.10.1", "192.168.20.1"), Auth: AuthPass, Password: [8]byte([]byte("sanitize")),
	}
}

func router3() Params {
	return Params{
		VRID: 50, Family: IPv4, Version: V3, Priority: 100, Interval: time.Second, Preempt: true,
		Addresses: addrs("192.168.10.1"),
	}
}

func router6() Params {
	return Params{
		VRID: 50, Family: IPv6, Version: V3, Priority: 100, Interval: time.Second, Preempt: true,
		Addresses: addrs("fe80::1", "2001:db8::1"),
	}
}

func TestValidate(t *testing.T) {
	many := slices.Repeat(addrs("192.0.2.1"), 256)
	tests := []struct {
		name   string
		base   func() Params
		change func(*Params)
		want   string // part of the complaint; "" if there must be none
	}{
		{"version 2", router2, func(*Params) {}, ""},
		{"version 3", router3, func(*Params) {}, ""},
		{"IPv6", router6, func(*Params) {}, ""},
		{"VRID 0", router3, func(p *Params) { p.VRID = 0 }, "the virtual router id is 0: use 1 to 255"},
		{"VRID 1", router3, func(p *Params) { p.VRID = 1 }, ""},
		{"VRID 255", router3, func(p *Params) { p.VRID = 255 }, ""},
		{"priority 0", router3, func(p *Params) { p.Priority = 0 }, "the priority is 0"},
		{"priority 1", router3, func(p *Params) { p.Priority = 1 }, ""},
		{"priority 255", router3, func(p *Params) { p.Priority = 255 }, ""},
		{"no family", router3, func(p *Params) { p.Family = 0 }, "address family 0 is unknown"},
		{"family 5", router3, func(p *Params) { p.Family = 5 }, "address family 5 is unknown"},
		{"no version", router3, func(p *Params) { p.Version = 0 }, "protocol version 0 is unknown"},
		{"version 4", router3, func(p *Params) { p.Version = 4 }, "protocol version 4 is unknown"},
		{"version 2 over IPv6", router6, func(p *Params) { p.Version = V2 }, "version 2 has no IPv6"},
		{"no interval", router3, func(p *Params) { p.Interval = 0 }, "advert interval 0s cannot be sent"},
		{"negative interval", router3, func(p *Params) { p.Interval = -time.Second }, "advert interval -1s cannot be sent"},
		{"10 ms", router3, func(p *Params) { p.Interval = 10 * time.Millisecond }, ""},
		{"9 ms", router3, func(p *Params) { p.Interval = 9 * time.Millisecond }, "9ms cannot be sent in version 3"},
		{"11 ms", router3, func(p *Params) { p.Interval = 11 * time.Millisecond }, "11ms cannot be sent in version 3"},
		{"40.95 s", router3, func(p *Params) { p.Interval = 40950 * time.Millisecond }, ""},
		{"40.96 s", router3, func(p *Params) { p.Interval = 40960 * time.Millisecond }, "40.96s cannot be sent in version 3"},
		{"half a second in version 2", router2, func(p *Params) { p.Interval = time.Second / 2 }, "500ms cannot be sent in version 2"},
		{"255 s in version 2", router2, func(p *Params) { p.Interval = 255 * time.Second }, ""},
		{"256 s in version 2", router2, func(p *Params) { p.Interval = 256 * time.Second }, "4m16s cannot be sent in version 2"},
		{"preemption delay", router3, func(p *Params) { p.PreemptDelay = time.Hour }, ""},
		{"negative preemption delay", router3, func(p *Params) { p.PreemptDelay = -1 }, "preemption delay -1ns is negative"},
		{"default adverts", router3, func(p *Params) { p.DownAdverts = 0 }, ""},
		{"one advert", router3, func(p *Params) { p.DownAdverts = 1 }, ""},
		{"100 adverts", router3, func(p *Params) { p.DownAdverts = 100 }, ""},
		{"101 adverts", router3, func(p *Params) { p.DownAdverts = 101 }, "101 missed adverts are allowed: use 1 to 100, or 0 for 3"},
		{"-1 adverts", router3, func(p *Params) { p.DownAdverts = -1 }, "-1 missed adverts"},
		{"no addresses", router3, func(p *Params) { p.Addresses = nil }, "0 virtual addresses"},
		{"255 addresses", router3, func(p *Params) { p.Addresses = many[:255] }, ""},
		{"256 addresses", router3, func(p *Params) { p.Addresses = many }, "256 virtual addresses cannot be carried by an advert: use 1 to 255"},
		{"address of the other family", router3, func(p *Params) { p.Addresses = addrs("192.0.2.1", "2001:db8::1") }, "virtual address 2001:db8::1 is not IPv4"},
		{"IPv4 address for IPv6", router6, func(p *Params) { p.Addresses = addrs("192.0.2.1") }, "virtual address 192.0.2.1 is not IPv6"},
		{"wrapped address", router6, func(p *Params) { p.Addresses = addrs("::ffff:192.0.2.1") }, "is not IPv6"},
		{"invalid address", router3, func(p *Params) { p.Addresses = []netip.Addr{{}} }, "is not IPv4"},
		{"IPv6 without link-local address", router6, func(p *Params) { p.Addresses = addrs("2001:db8::1") }, ""},
		{"authentication header", router2, func(p *Params) { p.Auth = 2 }, "authentication type 2 is not spoken"},
		{"no authentication", router2, func(p *Params) { p.Auth, p.Password = AuthNone, [8]byte{} }, ""},
		{"empty password", router2, func(p *Params) { p.Password = [8]byte{} }, ""},
		{"password without authentication", router2, func(p *Params) { p.Auth = AuthNone }, "password is given without"},
		{"authentication in version 3", router3, func(p *Params) { p.Auth = AuthPass }, "version 3 has no authentication"},
		{"patience", router3, func(p *Params) { p.Patience = time.Second }, ""},
		{"negative patience", router3, func(p *Params) { p.Patience = -1 }, "patience -1ns is negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.base()
			tt.change(&p)
			err := p.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("complaint %q", err)
			case tt.want != "" && err == nil:
				t.Errorf("no complaint, want %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("complaint %q, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "\n"):
				t.Errorf("one mistake, two complaints: %q", err)
			}
		})
	}
}

// All mistakes are told at once, one line each.
func TestValidateTellsAll(t *testing.T) {
	p := Params{PreemptDelay: -1, DownAdverts: -1, Patience: -1, Auth: 9, Family: 9, Version: 9}
	err := p.Validate()
	if err == nil {
		t.Fatal("no complaint")
	}
	if got := strings.Split(err.Error(), "\n"); len(got) != 8 {
		t.Errorf("%d complaints, want 8:\n%v", len(got), err)
	}
}

// What Validate accepts can be sent, and what it refuses for the wire cannot.
func TestValidateAgreesWithAppend(t *testing.T) {
	sources := map[Family]netip.Addr{IPv4: addr("192.0.2.9"), IPv6: addr("fe80::9")}
	for _, base := range []func() Params{router2, router3, router6} {
		for _, interval := range []time.Duration{
			0, 1, time.Millisecond, 10 * time.Millisecond, 15 * time.Millisecond, time.Second, 1500 * time.Millisecond,
			40 * time.Second, 40950 * time.Millisecond, 41 * time.Second, 255 * time.Second, 256 * time.Second, -time.Second,
		} {
			p := base()
			p.Interval = interval
			_, err := p.Advert(p.Priority).Append(nil, sources[p.Family], p.Family.Group())
			if valid := p.Validate() == nil; valid != (err == nil) {
				t.Errorf("version %d, interval %v: valid is %v, but sending says %v", p.Version, interval, valid, err)
			}
		}
	}
}

func TestAdvertOfParams(t *testing.T) {
	p := router2()
	want := Advert{
		Version: V2, VRID: 50, Priority: 7, Interval: time.Second, Auth: AuthPass,
		Password: [8]byte([]byte("sanitize")), Addresses: addrs("192.168.10.1", "192.168.20.1"),
	}
	if diff := cmp.Diff(want, p.Advert(7), compareAddr); diff != "" {
		t.Errorf("advert (-want +got):\n%s", diff)
	}
}

func TestFamily(t *testing.T) {
	tests := []struct {
		family Family
		name   string
		group  netip.Addr
		size   int
	}{
		{IPv4, "IPv4", addr("224.0.0.18"), 4},
		{IPv6, "IPv6", addr("ff02::12"), 16},
		{0, "family 0", netip.Addr{}, 4},
		{7, "family 7", netip.Addr{}, 4},
	}
	for _, tt := range tests {
		if got := tt.family.String(); got != tt.name {
			t.Errorf("family %d is called %q, want %q", tt.family, got, tt.name)
		}
		if got := tt.family.Group(); got != tt.group {
			t.Errorf("group of %v is %v, want %v", tt.family, got, tt.group)
		}
		if got := tt.family.size(); got != tt.size {
			t.Errorf("size of %v is %v, want %v", tt.family, got, tt.size)
		}
	}
	members := map[string]Family{"192.0.2.1": IPv4, "fe80::1": IPv6, "::": IPv6, "0.0.0.0": IPv4, "::ffff:192.0.2.1": 0}
	for a, want := range members {
		for _, f := range []Family{0, IPv4, IPv6, 9} {
			if got := f.of(addr(a)); got != (f == want && want != 0) {
				t.Errorf("%v of %v is %v", a, f, got)
			}
		}
	}
}
