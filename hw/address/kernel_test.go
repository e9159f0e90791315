package address

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace moves the test into a network namespace of its own with an open
// Kernel. The thread is never unlocked, so it dies with the test and takes the
// namespace along.
func namespace(t testing.TB) *Kernel {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs the right to make network namespaces: %v", err)
	}
	k, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// port makes a port with a carrier, which is one end of a veth pair, and
// returns its index.
func port(t testing.TB, name string) int {
	t.Helper()
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "peer"}
	if err := netlink.LinkAdd(pair); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{name, name + "peer"} {
		link, err := netlink.LinkByName(end)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
	}
	return pair.Index
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

// until polls a condition for as long as patience lasts.
func until(t testing.TB, patience time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// find is the independent eye: the library's reading of what the kernel has.
func find(t testing.TB, v VIP) (netlink.Addr, bool) {
	t.Helper()
	all, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.LinkIndex == v.Index && a.IPNet.String() == v.Prefix.String() {
			return a, true
		}
	}
	return netlink.Addr{}, false
}

func mustSet(t testing.TB, k *Kernel, v VIP, lease time.Duration) {
	t.Helper()
	if err := k.SetVIP(v, lease); err != nil {
		t.Fatal(err)
	}
}

func TestSetVIPInTheKernel(t *testing.T) {
	tests := []struct {
		name  string
		vip   VIP
		lease time.Duration
		want  netlink.Addr
	}{
		{
			name: "everything", lease: 3 * time.Second,
			vip:  VIP{Prefix: prefix("192.0.2.1/24"), Broadcast: addr("192.0.2.255"), Label: "p3p1:100", Scope: unix.RT_SCOPE_LINK},
			want: netlink.Addr{Broadcast: net.IP{192, 0, 2, 255}, Label: "p3p1:100", Scope: unix.RT_SCOPE_LINK, ValidLft: 3, PreferedLft: 3},
		}, {
			name: "no broadcast unless asked for", lease: 14 * time.Second,
			vip:  VIP{Prefix: prefix("192.0.2.1/24")},
			want: netlink.Addr{Label: "p3p1", ValidLft: 14, PreferedLft: 14},
		}, {
			name: "for ever", lease: 0,
			vip:  VIP{Prefix: prefix("192.0.2.1/32"), Label: "exactly15bytes:"},
			want: netlink.Addr{Label: "exactly15bytes:", Flags: unix.IFA_F_PERMANENT, ValidLft: forever, PreferedLft: forever},
		}, {
			name: "rounded up", lease: 2*time.Second + time.Nanosecond,
			vip:  VIP{Prefix: prefix("192.0.2.1/32")},
			want: netlink.Addr{Label: "p3p1", ValidLft: 3, PreferedLft: 3},
		}, {
			name: "IPv6 without duplicate address detection", lease: 14 * time.Second,
			vip:  VIP{Prefix: prefix("2001:db8::1/64")},
			want: netlink.Addr{Flags: unix.IFA_F_NODAD, ValidLft: 14, PreferedLft: 14},
		}, {
			name: "IPv6 for ever", lease: 0,
			vip:  VIP{Prefix: prefix("2001:db8::1/128")},
			want: netlink.Addr{Flags: unix.IFA_F_NODAD | unix.IFA_F_PERMANENT, ValidLft: forever, PreferedLft: forever},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := namespace(t)
			tt.vip.Index = port(t, "p3p1")
			// Twice: setting what is there is no error and changes nothing.
			mustSet(t, k, tt.vip, tt.lease)
			mustSet(t, k, tt.vip, tt.lease)
			got, ok := find(t, tt.vip)
			if !ok {
				t.Fatalf("%v is not in the kernel", tt.vip)
			}
			// The kernel may have counted one second down already.
			if tt.lease != 0 && got.ValidLft == tt.want.ValidLft-1 {
				got.ValidLft, got.PreferedLft = got.ValidLft+1, got.PreferedLft+1
			}
			type plain netlink.Addr // without Addr's own Equal
			unchecked := cmpopts.IgnoreFields(plain{}, "IPNet", "Peer", "LinkIndex")
			if diff := cmp.Diff(plain(tt.want), plain(got), unchecked); diff != "" {
				t.Errorf("kernel's view (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLeaseEndsInTheKernel(t *testing.T) {
	k := namespace(t)
	index := port(t, "p3p1")
	vips := []VIP{
		{Prefix: prefix("192.0.2.1/24"), Index: index},
		{Prefix: prefix("2001:db8::1/64"), Index: index},
	}
	kept := VIP{Prefix: prefix("198.51.100.1/24"), Index: index}
	start := time.Now()
	for _, v := range vips {
		mustSet(t, k, v, time.Second)
	}
	for _, v := range append(vips, kept) {
		until(t, 6*time.Second, v.String()+" withdrawn, the renewed one kept", func() bool {
			mustSet(t, k, kept, time.Second)
			_, there := find(t, v)
			return there == (v == kept)
		})
	}
	if took := time.Since(start); took < time.Second {
		t.Errorf("the kernel withdrew a lease of 1 s after %v", took)
	}
}

func TestLeaseIsReplaced(t *testing.T) {
	k := namespace(t)
	v := VIP{Prefix: prefix("192.0.2.1/24"), Index: port(t, "p3p1")}
	for _, tt := range []struct {
		lease    time.Duration
		min, max int
	}{
		{2 * time.Second, 1, 2},
		{14 * time.Second, 12, 14},
		{0, forever, forever},
		{14 * time.Second, 12, 14},
		{5 * time.Second, 3, 5},
	} {
		mustSet(t, k, v, tt.lease)
		if got, ok := find(t, v); !ok || got.ValidLft < tt.min || got.ValidLft > tt.max {
			t.Errorf("lease %v: kernel has %d s (present: %v), want %d … %d", tt.lease, got.ValidLft, ok, tt.min, tt.max)
		}
	}
}

func TestDropVIP(t *testing.T) {
	k := namespace(t)
	index := port(t, "p3p1")
	for _, p := range []string{"192.0.2.1/24", "2001:db8::1/64"} {
		v := VIP{Prefix: prefix(p), Index: index, Scope: unix.RT_SCOPE_UNIVERSE}
		mustSet(t, k, v, 0)
		for range 2 {
			if err := k.DropVIP(v); err != nil {
				t.Errorf("drop %v: %v", v, err)
			}
			if _, ok := find(t, v); ok {
				t.Errorf("%v is still there", v)
			}
		}
		v.Index = 4711
		if err := k.DropVIP(v); err != nil {
			t.Errorf("drop on a port that is gone: %v", err)
		}
	}
}

// Who asks for an IPv6 address by multicast reaches whoever has it, and nobody else: the kernel is in the group with the
// address only.
func TestSolicitedNodeGroup(t *testing.T) {
	k := namespace(t)
	v := VIP{Prefix: prefix("2001:db8::a1:b2c3/64"), Index: port(t, "p3p1")}
	const group = "ff0200000000000000000001ffa1b2c3" // RFC 4291 §2.7.1
	member := func() bool {
		groups, err := os.ReadFile("/proc/thread-self/net/igmp6")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(groups)) {
			if f := strings.Fields(line); len(f) > 2 && f[1] == "p3p1" && f[2] == group {
				return true
			}
		}
		return false
	}
	if member() {
		t.Fatal("in the group before there is an address")
	}
	mustSet(t, k, v, 0)
	until(t, 5*time.Second, "in the group with the address", member)
	if err := k.DropVIP(v); err != nil {
		t.Fatal(err)
	}
	until(t, 5*time.Second, "out of the group without it", func() bool { return !member() })
}

// Removing a primary address takes its secondaries along, and each is reported.
func TestSecondariesAreReported(t *testing.T) {
	for _, promote := range []bool{false, true} {
		t.Run(fmt.Sprintf("promote_secondaries=%v", promote), func(t *testing.T) {
			k := namespace(t)
			index := port(t, "p3p1")
			if promote {
				if err := os.WriteFile("/proc/sys/net/ipv4/conf/p3p1/promote_secondaries", []byte("1"), 0); err != nil {
					t.Skipf("needs a writable /proc/sys: %v", err)
				}
			}
			w := watcher(t)
			first := VIP{Prefix: prefix("192.0.2.1/24"), Index: index, Label: "p3p1"}
			second := VIP{Prefix: prefix("192.0.2.2/24"), Index: index, Label: "p3p1"}
			mustSet(t, k, first, 0)
			mustSet(t, k, second, 0)
			if err := k.DropVIP(first); err != nil {
				t.Fatal(err)
			}
			_, there := find(t, second)
			want := []VIP{first}
			if !promote {
				// The kernel takes the secondaries first.
				want = []VIP{second, first}
			}
			if there != promote {
				t.Errorf("secondary present: %v, want %v", there, promote)
			}
			if diff := cmp.Diff(want, w.vips(t, len(want)), values); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeld(t *testing.T) {
	k := namespace(t)
	index, other := port(t, "p3p1"), port(t, "p3p2")
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	foreign := func(p string, lease int) VIP {
		a, err := netlink.ParseAddr(p)
		if err != nil {
			t.Fatal(err)
		}
		a.ValidLft, a.PreferedLft = lease, lease
		if err := netlink.AddrAdd(link, a); err != nil {
			t.Fatal(err)
		}
		return VIP{Prefix: prefix(p), Index: index}
	}
	permanent, permanent6 := foreign("192.0.2.1/24", 0), foreign("2001:db8::1/64", 0)
	leased := foreign("192.0.2.2/24", 1000)
	ours := VIP{Prefix: prefix("192.0.2.3/24"), Index: index}
	oursForever := VIP{Prefix: prefix("2001:db8::2/64"), Index: index}
	mustSet(t, k, ours, MaxLease)
	mustSet(t, k, oursForever, 0)
	elsewhere, narrower := ours, ours
	elsewhere.Index = other
	narrower.Prefix = prefix("192.0.2.3/32")
	for _, tt := range []struct {
		vip  VIP
		want Holding
	}{
		{permanent, Permanent}, {permanent6, Permanent}, {leased, Leased},
		{ours, marked(t)}, {oursForever, marked(t)}, {elsewhere, Absent}, {narrower, Absent},
	} {
		if got, err := k.Held(tt.vip); err != nil || got != tt.want {
			t.Errorf("Held(%v) = %v, %v; want %v", tt.vip, got, err, tt.want)
		}
	}
}

// marked skips where addresses carry no protocol number.
func marked(t *testing.T) Holding {
	t.Helper()
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	release := unix.ByteSliceToString(uts.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("kernel release %q: %v", release, err)
	}
	if major < 5 || major == 5 && minor < 18 {
		t.Skipf("kernel %s marks no address with its origin (5.18 does)", release)
	}
	return Ours
}

func TestRoutesInTheKernel(t *testing.T) {
	const subnet, subnet6 = "192.0.2.1/24", "2001:db8::1/64"
	tests := []struct {
		name  string
		route Route
		want  string // as ip(8) would have it
	}{
		{"gateway behind a VIP", Route{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254")}, "198.51.100.0/24 via 192.0.2.254 dev P src <nil> metric 0 table 254 scope 0"},
		{"default in a table", Route{Dst: prefix("0.0.0.0/0"), Via: addr("192.0.2.254"), Table: 50}, "0.0.0.0/0 via 192.0.2.254 dev P src <nil> metric 0 table 50 scope 0"},
		{"table above 255", Route{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254"), Table: 70000}, "198.51.100.0/24 via 192.0.2.254 dev P src <nil> metric 0 table 70000 scope 0"},
		{"source and metric", Route{Dst: prefix("198.51.100.7/24"), Via: addr("192.0.2.254"), Src: addr("192.0.2.1"), Metric: 7}, "198.51.100.0/24 via 192.0.2.254 dev P src 192.0.2.1 metric 7 table 254 scope 0"},
		{"attached", Route{Dst: prefix("198.51.100.0/24")}, "198.51.100.0/24 via <nil> dev P src <nil> metric 0 table 254 scope 253"},
		{"IPv6", Route{Dst: prefix("2001:db8:1::/48"), Via: addr("2001:db8::fe")}, "2001:db8:1::/48 via 2001:db8::fe dev P src <nil> metric 1024 table 254 scope 0"},
		{"IPv6 default in a table", Route{Dst: prefix("::/0"), Via: addr("2001:db8::fe"), Src: addr("2001:db8::1"), Metric: 9, Table: 50}, "::/0 via 2001:db8::fe dev P src 2001:db8::1 metric 9 table 50 scope 0"},
		{"IPv6 attached", Route{Dst: prefix("2001:db8:1::/48")}, "2001:db8:1::/48 via <nil> dev P src <nil> metric 1024 table 254 scope 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := namespace(t)
			index := port(t, "p1p1")
			mustSet(t, k, VIP{Prefix: prefix(subnet), Index: index}, 0)
			mustSet(t, k, VIP{Prefix: prefix(subnet6), Index: index}, 0)
			tt.route.Index = index
			for range 2 {
				if err := k.SetRoute(tt.route); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]string{tt.want}, kernelRoutes(t, index, Protocol)); diff != "" {
				t.Errorf("kernel's routes (-want +got):\n%s", diff)
			}
			_, owned, err := k.Owned()
			if diff := cmp.Diff([]Route{tt.route.Normal()}, owned, values); err != nil || diff != "" {
				t.Errorf("owned: %v (-want +got):\n%s", err, diff)
			}
			for range 2 {
				if err := k.DropRoute(tt.route); err != nil {
					t.Fatal(err)
				}
			}
			if left := kernelRoutes(t, index, Protocol); len(left) != 0 {
				t.Errorf("left after the drop: %q", left)
			}
		})
	}
}

// values lets cmp compare what VIPs and routes are made of.
var values = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// kernelRoutes reads the routes of one port and protocol through the library.
func kernelRoutes(t testing.TB, index, protocol int) []string {
	t.Helper()
	var all []string
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		filter := &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Protocol: netlink.RouteProtocol(protocol)}
		routes, err := netlink.RouteListFiltered(family, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes {
			if r.LinkIndex == index {
				all = append(all, fmt.Sprintf("%v via %v dev P src %v metric %d table %d scope %d",
					r.Dst, r.Gw, r.Src, r.Priority, r.Table, r.Scope))
			}
		}
	}
	return all
}

// A route that somebody else configured survives ours, and the drop of ours.
func TestForeignRouteSurvives(t *testing.T) {
	k := namespace(t)
	index := port(t, "p1p1")
	mustSet(t, k, VIP{Prefix: prefix("192.0.2.1/24"), Index: index}, 0)
	const dst, static = "198.51.100.0/24", unix.RTPROT_STATIC
	_, network, err := net.ParseCIDR(dst)
	if err != nil {
		t.Fatal(err)
	}
	foreign := netlink.Route{Dst: network, Gw: net.IP{192, 0, 2, 253}, LinkIndex: index, Protocol: static}
	if err := netlink.RouteAdd(&foreign); err != nil {
		t.Fatal(err)
	}
	before := kernelRoutes(t, index, static)
	for _, via := range []string{"192.0.2.254", "192.0.2.253"} {
		r := Route{Dst: prefix(dst), Via: addr(via), Index: index}
		if err := k.SetRoute(r); err != nil {
			t.Fatal(err)
		}
		if got := kernelRoutes(t, index, Protocol); len(got) != 1 {
			t.Errorf("via %s: our routes are %q, want one", via, got)
		}
		chosen, err := netlink.RouteGet(net.IP{198, 51, 100, 9})
		if err != nil || len(chosen) != 1 || chosen[0].Gw.String() != via {
			t.Errorf("the kernel routes by %v (%v), want via %s", chosen, err, via)
		}
		if err := k.DropRoute(r); err != nil {
			t.Fatal(err)
		}
		if err := k.DropRoute(r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, kernelRoutes(t, index, static)); diff != "" {
			t.Errorf("via %s: the foreign route (-before +after):\n%s", via, diff)
		}
	}
}

func TestLeftoversOfAPreviousRun(t *testing.T) {
	marked(t)
	k := namespace(t)
	index := port(t, "p1p1")
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.IP{203, 0, 113, 9}, Mask: net.CIDRMask(24, 32)}}); err != nil {
		t.Fatal(err)
	}
	vips := []VIP{
		{Prefix: prefix("192.0.2.1/24"), Index: index, Broadcast: addr("192.0.2.255"), Label: "p1p1:100"},
		{Prefix: prefix("2001:db8::1/64"), Index: index},
	}
	routes := []Route{
		{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254"), Index: index, Table: 254},
		{Dst: prefix("0.0.0.0/0"), Via: addr("192.0.2.254"), Index: index, Table: 50},
		{Dst: prefix("2001:db8:1::/48"), Via: addr("2001:db8::fe"), Index: index, Table: 254, Metric: 1024},
	}
	previous, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	mustSet(t, previous, vips[0], MaxLease)
	mustSet(t, previous, vips[1], 0)
	for _, r := range routes {
		if err := previous.SetRoute(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := previous.Close(); err != nil {
		t.Fatal(err)
	}

	gotVIPs, gotRoutes, err := k.Owned()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(vips, gotVIPs, values); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	byTable := cmpopts.SortSlices(func(a, b Route) bool { return a.String() < b.String() })
	if diff := cmp.Diff(routes, gotRoutes, values, byTable); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for _, r := range gotRoutes {
		if err := k.DropRoute(r); err != nil {
			t.Error(err)
		}
	}
	for _, v := range gotVIPs {
		if err := k.DropVIP(v); err != nil {
			t.Error(err)
		}
	}
	if gotVIPs, gotRoutes, err = k.Owned(); len(gotVIPs) != 0 || len(gotRoutes) != 0 || err != nil {
		t.Errorf("after dropping what was found: %v, %v, %v", gotVIPs, gotRoutes, err)
	}
	if held, err := k.Held(VIP{Prefix: prefix("203.0.113.9/24"), Index: index}); held != Permanent || err != nil {
		t.Errorf("the administrator's address is %v, %v", held, err)
	}
}

func TestRefusals(t *testing.T) {
	good := VIP{Prefix: prefix("192.0.2.1/24")}
	toGateway := Route{Dst: prefix("198.51.100.0/24"), Via: addr("192.0.2.254")}
	tests := []struct {
		name string
		do   func(k *Kernel, index int) error
		is   []error
		not  error
		says string
	}{
		{
			name: "no such port",
			do:   func(k *Kernel, _ int) error { v := good; v.Index = 4711; return k.SetVIP(v, 0) },
			is:   []error{unix.ENODEV, fs.ErrNotExist}, not: fs.ErrPermission,
			says: "cannot add 192.0.2.1/24 on port index 4711: the port does not exist",
		}, {
			name: "route by no such port",
			do: func(k *Kernel, _ int) error {
				return k.SetRoute(Route{Dst: prefix("198.51.100.0/24"), Index: 4711})
			},
			is: []error{unix.ENODEV, fs.ErrNotExist}, not: fs.ErrPermission,
			says: "cannot add route 198.51.100.0/24 by port index 4711 table 254: the port does not exist",
		}, {
			name: "gateway by no such port",
			do:   func(k *Kernel, _ int) error { r := toGateway; r.Index = 4711; return k.SetRoute(r) },
			is:   []error{unix.ENETUNREACH},
			says: "or that port is gone",
		}, {
			name: "gateway out of reach",
			do:   func(k *Kernel, index int) error { r := toGateway; r.Index = index; return k.SetRoute(r) },
			is:   []error{unix.ENETUNREACH}, not: fs.ErrNotExist,
			says: "no address in the gateway's subnet",
		}, {
			name: "IPv6 gateway out of reach",
			do: func(k *Kernel, index int) error {
				return k.SetRoute(Route{Dst: prefix("2001:db8:1::/48"), Via: addr("2001:db8::fe"), Index: index})
			},
			is:   []error{unix.EHOSTUNREACH},
			says: "no address in the gateway's subnet",
		}, {
			name: "source that is not ours",
			do: func(k *Kernel, index int) error {
				return k.SetRoute(Route{Dst: prefix("198.51.100.0/24"), Src: addr("192.0.2.77"), Index: index})
			},
			is:   []error{unix.EINVAL},
			says: "table 254: invalid argument (kernel: Invalid prefsrc address)",
		}, {
			name: "label too long",
			do: func(k *Kernel, index int) error {
				return k.SetVIP(VIP{Prefix: good.Prefix, Index: index, Label: "sixteen-bytes:00"}, 0)
			},
			is:   []error{unix.EINVAL},
			says: `the label "sixteen-bytes:00" is longer than 15 bytes`,
		}, {
			name: "IPv6 label",
			do: func(k *Kernel, index int) error {
				return k.SetVIP(VIP{Prefix: prefix("2001:db8::1/64"), Index: index, Label: "x"}, 0)
			},
			is:   []error{unix.EINVAL},
			says: "only IPv4 addresses can have a label",
		}, {
			name: "IPv6 broadcast",
			do: func(k *Kernel, index int) error {
				return k.SetVIP(VIP{Prefix: prefix("2001:db8::1/64"), Index: index, Broadcast: addr("192.0.2.255")}, 0)
			},
			is:   []error{unix.EINVAL},
			says: "only IPv4 addresses can have a broadcast address",
		}, {
			name: "no address",
			do:   func(k *Kernel, index int) error { return k.SetVIP(VIP{Index: index}, 0) },
			is:   []error{unix.EINVAL},
			says: "it is no address with a prefix length",
		}, {
			name: "no port",
			do:   func(k *Kernel, _ int) error { return k.DropVIP(good) },
			is:   []error{unix.EINVAL},
			says: "the port is not known",
		}, {
			name: "lease too long",
			do: func(k *Kernel, index int) error {
				return k.SetVIP(VIP{Prefix: good.Prefix, Index: index}, MaxLease+1)
			},
			is:   []error{unix.EINVAL},
			says: "a lease of 14.000000001s is outside 1s … 14s",
		}, {
			name: "negative lease",
			do:   func(k *Kernel, index int) error { return k.SetVIP(VIP{Prefix: good.Prefix, Index: index}, -1) },
			is:   []error{unix.EINVAL},
			says: "a lease of -1ns",
		}, {
			name: "route to nowhere",
			do:   func(k *Kernel, index int) error { return k.SetRoute(Route{Index: index}) },
			is:   []error{unix.EINVAL},
			says: "it has no destination",
		}, {
			name: "route by nothing",
			do:   func(k *Kernel, _ int) error { return k.DropRoute(Route{Dst: prefix("198.51.100.0/24")}) },
			is:   []error{unix.EINVAL},
			says: "neither a gateway nor a port",
		}, {
			name: "mixed gateway",
			do: func(k *Kernel, _ int) error {
				return k.SetRoute(Route{Dst: prefix("198.51.100.0/24"), Via: addr("2001:db8::1")})
			},
			is:   []error{unix.EINVAL},
			says: "the gateway 2001:db8::1 is of another address family",
		}, {
			name: "mixed source",
			do: func(k *Kernel, index int) error {
				return k.SetRoute(Route{Dst: prefix("2001:db8:1::/48"), Index: index, Src: addr("192.0.2.1")})
			},
			is:   []error{unix.EINVAL},
			says: "the source 192.0.2.1 is of another address family",
		}, {
			name: "port down",
			do: func(k *Kernel, index int) error {
				if err := netlink.LinkSetDown(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}); err != nil {
					return err
				}
				return k.SetRoute(Route{Dst: prefix("198.51.100.0/24"), Index: index})
			},
			is:   []error{unix.ENETDOWN},
			says: "the port is down",
		}, {
			name: "IPv6 off",
			do: func(k *Kernel, index int) error {
				if err := os.WriteFile("/proc/sys/net/ipv6/conf/p3p1/disable_ipv6", []byte("1"), 0); err != nil {
					return errors.Join(errors.ErrUnsupported, err)
				}
				return k.SetVIP(VIP{Prefix: prefix("2001:db8::1/64"), Index: index}, 0)
			},
			is:   []error{unix.EACCES},
			says: "IPv6 is disabled on this port",
		}, {
			name: "no right",
			do: func(k *Kernel, index int) error {
				if err := dropRights(); err != nil {
					return err
				}
				v := good
				v.Index = index
				return k.SetVIP(v, 0)
			},
			is: []error{unix.EPERM, fs.ErrPermission}, not: fs.ErrNotExist,
			says: "CAP_NET_ADMIN",
		}, {
			name: "no right to set a route",
			do: func(k *Kernel, index int) error {
				if err := dropRights(); err != nil {
					return err
				}
				return k.SetRoute(Route{Dst: prefix("198.51.100.0/24"), Index: index})
			},
			is: []error{unix.EPERM, fs.ErrPermission}, not: fs.ErrNotExist,
			says: "CAP_NET_ADMIN",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := namespace(t)
			err := tt.do(k, port(t, "p3p1"))
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skipf("cannot make the condition: %v", err)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, target := range tt.is {
				if !errors.Is(err, target) {
					t.Errorf("%q is not %v", err, target)
				}
			}
			if tt.not != nil && errors.Is(err, tt.not) {
				t.Errorf("%q is %v", err, tt.not)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not say %q", err, tt.says)
			}
			t.Log(err)
		})
	}
}

// dropRights takes every capability from this thread, which dies with the test.
func dropRights() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&head, &none[0])
}

// BenchmarkTakeover is what a BACKUP that becomes MASTER asks of the kernel:
// three addresses and three routes.
func BenchmarkTakeover(b *testing.B) {
	k := namespace(b)
	index := port(b, "p3p1")
	var vips []VIP
	var routes []Route
	for i := range byte(3) {
		vips = append(vips, VIP{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, i, 1}), 24), Index: index})
		routes = append(routes, Route{
			Dst: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, i, 0}), 24),
			Via: netip.AddrFrom4([4]byte{10, 0, i, 254}), Index: index,
		})
	}
	for b.Loop() {
		for _, v := range vips {
			mustSet(b, k, v, 3*time.Second)
		}
		for _, r := range routes {
			if err := k.SetRoute(r); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		for _, r := range routes {
			if err := k.DropRoute(r); err != nil {
				b.Fatal(err)
			}
		}
		for _, v := range vips {
			if err := k.DropVIP(v); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
