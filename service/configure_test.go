package service

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/configfs"
	"standfast/hw/address"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// compareAddresses lets cmp look at addresses, which keep their fields to
// themselves.
var compareAddresses = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// Everything in a configuration reaches the brain or the edges.
func TestConfigure(t *testing.T) {
	file := `global_defs {
    storage_watch /srv /var
    storage_yield off
    storage_fence 60
}
vrrp_instance V6 {
    interface eth0
    dont_track_primary
    virtual_router_id 7
    version 3
    priority 200
    nopreempt
    preempt_delay 5
    advert_int 0.5
    mcast_src_ip fe80::5
    fault_prior yield
    fault_contested take
    fault_probe 4 0.02
    fault_witness 2001:db8::9 dev eth1
    vip_lease 6
    garp_master_delay 2
    garp_master_repeat 3
    garp_master_refresh 60
    garp_master_refresh_repeat 2
    track_interface {
        eth2
    }
    virtual_ipaddress {
        fe80::1/64 dev eth0
        2001:db8::1/64 dev eth1
    }
    virtual_ipaddress_excluded {
        192.0.2.1/24 brd 192.0.2.255 dev eth1 label eth1:v
    }
    virtual_routes {
        2001:db8:1::/48 via 2001:db8::fe dev eth1 metric 5
        2001:db8:2::/48 via 2001:db8::fe dev eth1 table 50
    }
}
vrrp_instance V4 {
    interface eth0
    virtual_router_id 8
    priority 100
    vip_lease off
    authentication {
        auth_type PASS
        auth_pass secret
    }
    virtual_ipaddress {
        198.51.100.1/24
    }
    virtual_routes {
        default via 198.51.100.254
    }
}
vrrp_sync_group G {
    group {
        V6
        V4
    }
    notify_master /etc/group
}
`
	files := fstest.MapFS{"etc/x.conf": &fstest.MapFile{Data: []byte(file), Mode: 0o644}}
	got, _, err := load(files, "/etc/x.conf")
	if err != nil {
		t.Fatal(err)
	}
	v6 := node.Key{Port: "eth0", VRID: 7, Family: vrrp.IPv6}
	v4 := node.Key{Port: "eth0", VRID: 8, Family: vrrp.IPv4}
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	want := node.Config{
		Instances: []node.Instance{{
			Name: "V6", Port: "eth0",
			VRRP: vrrp.Params{
				VRID: 7, Family: vrrp.IPv6, Version: vrrp.V3, Priority: 200, Interval: 500 * time.Millisecond,
				PreemptDelay: 5 * time.Second, DownAdverts: 3, Addresses: []netip.Addr{addr("fe80::1"), addr("2001:db8::1")},
			},
			Source: addr("fe80::5"),
			VIPs: []node.VIP{
				{Prefix: prefix("fe80::1/64"), Port: "eth0"}, {Prefix: prefix("2001:db8::1/64"), Port: "eth1"},
				{Prefix: prefix("192.0.2.1/24"), Port: "eth1"},
			},
			Routes: []node.Port{"eth1"}, Track: []node.Port{"eth2"},
			Prior: node.PriorYield, Contested: node.ContestedTake, Rounds: 4, Wait: 20 * time.Millisecond,
			Witnesses: []node.Witness{{Addr: addr("2001:db8::9"), Port: "eth1"}, {Addr: addr("2001:db8::fe"), Port: "eth1"}},
			Lease:     6 * time.Second,
			Announce:  node.Announcing{Repeat: 3, Delay: 2 * time.Second, Refresh: time.Minute, RefreshRepeat: 2},
		}, {
			Name: "V4", Port: "eth0",
			VRRP: vrrp.Params{
				VRID: 8, Family: vrrp.IPv4, Version: vrrp.V2, Priority: 100, Interval: time.Second, Preempt: true,
				DownAdverts: 3, Addresses: []netip.Addr{addr("198.51.100.1")},
				Auth: vrrp.AuthPass, Password: [8]byte{'s', 'e', 'c', 'r', 'e', 't'},
			},
			VIPs:      []node.VIP{{Prefix: prefix("198.51.100.1/24"), Port: "eth0"}},
			Rounds:    3,
			Witnesses: []node.Witness{{Addr: addr("198.51.100.254")}},
			Announce:  node.Announcing{Repeat: 5, Delay: 5 * time.Second, RefreshRepeat: 1},
		}},
		Groups:  []node.Group{{Name: "G", Members: []node.Key{v6, v4}}},
		Storage: node.StoragePolicy{Keep: true, Fence: time.Minute},
	}
	if diff := cmp.Diff(watched{paths: []string{"/srv", "/var"}}, got.watch, cmp.AllowUnexported(watched{})); diff != "" {
		t.Errorf("what is looked at (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got.node, compareAddresses); diff != "" {
		t.Errorf("what the brain is told (-want +got):\n%s", diff)
	}
	wantVIPs := []vipLine{
		{"eth0", address.VIP{Prefix: prefix("fe80::1/64")}}, {"eth1", address.VIP{Prefix: prefix("2001:db8::1/64")}},
		{"eth1", address.VIP{Prefix: prefix("192.0.2.1/24"), Broadcast: addr("192.0.2.255"), Label: "eth1:v"}},
	}
	if diff := cmp.Diff(wantVIPs, got.tables[v6].vips, compareAddresses, cmp.AllowUnexported(vipLine{})); diff != "" {
		t.Errorf("addresses of V6 (-want +got):\n%s", diff)
	}
	wantRoutes := []routeLine{{"", address.Route{Dst: prefix("0.0.0.0/0"), Via: addr("198.51.100.254"), Table: 254}}}
	if diff := cmp.Diff(wantRoutes, got.tables[v4].routes, compareAddresses, cmp.AllowUnexported(routeLine{})); diff != "" {
		t.Errorf("routes of V4 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]node.Port{"eth0", "eth1", "eth2"}, got.ports()); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	if argv := got.groups["G"].Master.Argv; len(argv) != 1 || argv[0] != "/etc/group" {
		t.Errorf("notify_master of G is %v", argv)
	}
	if got, want := advertGroup(got.node.Instances[1]), addr("224.0.0.18"); got != want {
		t.Errorf("adverts go to %v, want %v", got, want)
	}
}

// A lease that the kernel edge does not take is shortened, not refused.
func TestLeaseIsBounded(t *testing.T) {
	i := brainInstance(configfs.Instance{Lease: configfs.Lease{Fixed: time.Hour}})
	if i.Lease != address.MaxLease {
		t.Errorf("the lease is %v, want %v", i.Lease, address.MaxLease)
	}
}

func TestConfigErrorNamesEverything(t *testing.T) {
	files := fstest.MapFS{}
	_, _, err := load(files, "/etc/missing.conf")
	var config *ConfigError
	if !errors.As(err, &config) || config.File != "/etc/missing.conf" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}
