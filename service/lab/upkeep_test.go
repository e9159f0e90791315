package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// of matches the kernel's announcement about an address.
func of(kind hwtest.Kind, addr netip.Addr) func(hwtest.Event) bool {
	return func(e hwtest.Event) bool { return e.Kind == kind && e.Prefix.Addr() == addr }
}

// TestRemovedByHand removes what a MASTER has: it comes back, and nobody moves.
func TestRemovedByHand(t *testing.T) {
	t.Parallel()
	s := settled(t)
	events, err := s.A.Namespace().Watch()
	check(t, err)
	defer events.Close()
	sniffer, err := s.LANs[0].Client.Sniff()
	check(t, err)
	defer sniffer.Close()
	vip := s.LANs[0].VIP
	link, err := s.A.Namespace().Link(s.LANs[0].Port)
	check(t, err)
	begun := time.Now()
	check(t, s.A.Namespace().Kernel().AddrDel(link, &netlink.Addr{IPNet: &net.IPNet{IP: vip.Addr().AsSlice(), Mask: net.CIDRMask(vip.Bits(), 32)}}))
	gone, err := events.Await(begun, interval, of(hwtest.AddressRemoved, vip.Addr()))
	check(t, err)
	back, err := events.Await(gone.At, 5*interval, of(hwtest.AddressAdded, vip.Addr()))
	check(t, err)
	t.Logf("the address was back %v after the removal began", back.At.Sub(begun))
	if took := back.At.Sub(begun); took > repairBound {
		t.Errorf("the address came back after %v, promised are %v", took, repairBound)
	}
	_, err = sniffer.Await(interval, func(a hwtest.ARP) bool {
		return a.Gratuitous && a.Sender == vip.Addr() && a.At.After(begun) // the daemon is more urgent than this test, which may read of the removal later
	})
	if err != nil {
		t.Errorf("what was put back is not announced: %v", err)
	}
	for _, r := range routes() { // the address took its routes along, or not; all have to be there
		s.awaitRoute(s.A, r, true, repairBound+interval)
	}
	removed := time.Now()
	lost := routes()[1]
	_, all, err := net.ParseCIDR(lost.prefix.String())
	check(t, err)
	check(t, s.A.Namespace().Kernel().RouteDel(&netlink.Route{Dst: all, Table: lost.table}))
	returned, err := events.Await(removed, 5*interval, func(e hwtest.Event) bool {
		return e.Kind == hwtest.RouteAdded && e.Prefix == lost.prefix && e.Table == lost.table
	})
	check(t, err)
	t.Logf("the route was back after %v", returned.At.Sub(removed))
	if took := returned.At.Sub(removed); took > repairBound {
		t.Errorf("the route came back after %v, promised are %v", took, repairBound)
	}
	s.watch(interval)
	for _, m := range s.Members() {
		if got := m.Log.Transitions(begun, time.Time{}); len(got) > 0 {
			t.Errorf("%s went through %v", m.Name(), got)
		}
	}
}

// has tells whether a router's kernel has a route.
func (s *scene) has(m *Member, r route) bool {
	s.t.Helper()
	list, err := m.Namespace().Kernel().RouteListFiltered(unix.AF_INET, &netlink.Route{Table: r.table}, netlink.RT_FILTER_TABLE)
	check(s.t, err)
	return slices.ContainsFunc(list, func(x netlink.Route) bool { return x.Dst != nil && x.Dst.String() == r.prefix.String() })
}

func (s *scene) awaitRoute(m *Member, r route, there bool, patience time.Duration) {
	s.t.Helper()
	if !Eventually(patience, func() bool { return s.has(m, r) == there }) {
		s.t.Errorf("route %v on %s: there %v, want %v", r.prefix, m.Name(), !there, there)
	}
}

// reload gives a member another configuration and has its daemon read it. It waits for the line that ends a reload.
func (s *scene) reload(m *Member, config []byte, said string) time.Time {
	s.t.Helper()
	_, err := s.daemon.install(m.Dir(), config)
	check(s.t, err)
	begun := time.Now()
	check(s.t, m.Daemon().Signal(syscall.SIGHUP))
	s.awaitLine(m, begun, said, 5*time.Second)
	return begun
}

// TestReload adds and removes a virtual address and a route on a MASTER, and gives it a broken file. Nothing else is touched.
func TestReload(t *testing.T) {
	t.Parallel()
	s := settled(t)
	events, err := s.A.Namespace().Watch()
	check(t, err)
	defer events.Close()
	stream, err := s.LANs[0].Client.Stream(s.LANs[0].VIP.Addr(), streamEvery)
	check(t, err)
	begun := time.Now()

	more := netip.MustParsePrefix("192.168.10.7/24")
	way := route{netip.MustParsePrefix("198.18.0.0/24"), tableMain}
	with := bytes.Replace(s.A.Config, []byte("    virtual_ipaddress {\n"), []byte("    virtual_ipaddress {\n        192.168.10.7/24 dev p3p1\n"), 1)
	with = bytes.Replace(with, []byte("    virtual_routes {\n"), []byte("    virtual_routes {\n        198.18.0.0/24 via 192.168.20.254 dev p3p2\n"), 1)
	added := s.reload(s.A, with, "Reloaded")
	if _, err := events.Await(added, 2*interval, of(hwtest.AddressAdded, more.Addr())); err != nil {
		t.Errorf("the added address: %v", err)
	}
	s.awaitRoute(s.A, way, true, 2*interval)

	broken := s.reload(s.A, []byte("vrrp_instance VI_0 {\n    interface p4p1\n    virtual_routr_id 50\n"), "not reloaded")
	s.awaitLine(s.A, broken, "router.conf:3:5", interval)
	s.watch(2 * interval)
	if !s.has(s.A, way) {
		t.Error("a broken file took a route away")
	}
	if held, err := s.A.Router.Addresses(); err != nil || !slices.Contains(held, more) {
		t.Errorf("after a broken file the kernel has %v, %v", held, err)
	}

	removed := s.reload(s.A, s.A.Config, "Reloaded")
	if _, err := events.Await(removed, 2*interval, of(hwtest.AddressRemoved, more.Addr())); err != nil {
		t.Errorf("the removed address: %v", err)
	}
	s.awaitRoute(s.A, way, false, 2*interval)
	s.watch(2 * interval)

	if losses := stream.Stop(); losses.Lost > 0 {
		t.Errorf("%d of %d packets lost, the longest gap %v", losses.Lost, losses.Sent, losses.Gap)
	}
	s.undisturbed(begun)
	for _, e := range events.All() {
		touched := e.Kind == hwtest.AddressRemoved && e.Prefix.Addr() != more.Addr() ||
			e.Kind == hwtest.RouteRemoved && e.Prefix != way.prefix && e.Table != tableLocal
		if !e.At.Before(begun) && touched {
			t.Errorf("%v of table %d was taken away", e.Prefix, e.Table)
		}
	}
}

// tableLocal has the routes that the kernel makes of addresses.
const tableLocal = 255

// TestFirstOfItsSubnetIsRemoved removes by reload the address that the kernel had first in a subnet, on which by the kernel's
// ways the others depend.
func TestFirstOfItsSubnetIsRemoved(t *testing.T) {
	t.Parallel()
	s := stage(t, Options{})
	var err error
	first := []byte("        192.168.10.1/24 brd 192.168.10.255 dev p3p1 label p3p1:100\n")
	plain := s.A.Config
	s.A.Config = bytes.Replace(plain, first, append([]byte("        192.168.10.7/24 dev p3p1\n"), first...), 1)
	s.observer, err = s.Observe(0)
	check(t, err)
	s.start(s.A)
	s.await(bootWait+masterDownA+interval, SideA)
	events, err := s.A.Namespace().Watch()
	check(t, err)
	defer events.Close()
	begun := s.reload(s.A, plain, "Reloaded")
	_, err = events.Await(begun, 2*interval, of(hwtest.AddressRemoved, netip.MustParseAddr("192.168.10.7")))
	check(t, err)
	s.watch(2 * interval)
	missing := absence(events, s.LANs[0].VIP, begun)
	t.Logf("the other address of the subnet was missing for %v", missing)
	if missing > repairBound {
		t.Errorf("the other address of the subnet was missing for %v", missing)
	}
	s.serving(s.since(time.Now().Add(-interval)))
	for _, r := range routes() {
		s.awaitRoute(s.A, r, true, interval)
	}
	if got := s.A.Log.Transitions(begun, time.Time{}); len(got) > 0 {
		t.Errorf("A went through %v", got)
	}
}

// TestStop ends a MASTER in good order: it says goodbye and takes away all it put there; B follows within the skew time.
func TestStop(t *testing.T) {
	t.Parallel()
	s := settled(t)
	heard := s.adverts()
	begun := time.Now()
	check(t, s.A.Daemon().Signal(syscall.SIGTERM))
	if err := s.A.Daemon().Wait(); err != nil {
		t.Errorf("the end of A: %v", err)
	}
	ended := time.Now()
	t.Logf("A ended after %v", ended.Sub(begun).Round(time.Millisecond))
	held, err := s.A.Router.Addresses()
	check(t, err)
	for _, lan := range s.LANs {
		if slices.Contains(held, lan.VIP) {
			t.Errorf("%v stays", lan.VIP)
		}
	}
	for _, r := range routes() {
		if s.has(s.A, r) {
			t.Errorf("route %v stays", r.prefix)
		}
	}
	goodbye := heard.Between(s.A, begun, time.Time{})
	if len(goodbye) == 0 || goodbye[len(goodbye)-1].Priority != 0 {
		t.Errorf("the last words of A: %v, want priority 0", goodbye)
	}
	took := s.await(2*interval, SideB).Sub(begun)
	t.Logf("B serves %v after the end began", took.Round(time.Millisecond))
	skew := MasterDown - 3*interval
	if bound := skew + 300*time.Millisecond; took > bound {
		t.Errorf("B serves after %v, later than %v", took, bound)
	}
}

// TestLeftovers starts again after a SIGKILL, before the leases end: what the killed run left is removed before anything else.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	s := watched(t, Options{})
	s.start(s.A)
	s.await(bootWait+masterDownA+interval, SideA)
	for _, r := range routes() {
		s.awaitRoute(s.A, r, true, interval)
	}
	killed := s.signal(s.A, syscall.SIGKILL)
	<-s.A.Daemon().Done()
	left := s.has(s.A, routes()[0])
	again := time.Now()
	s.start(s.A)
	if started := time.Since(killed); !left && started > 2*interval {
		t.Skipf("the machine took %v from the kill to the start: the leases had ended", started)
	}
	if !left {
		t.Fatal("the routes went with the process: nothing is left to remove")
	}
	s.awaitLine(s.A, again, "that a previous run left behind", interval)
	if held, err := s.A.Router.Addresses(); err != nil || slices.ContainsFunc(s.LANs, func(l *LAN) bool { return slices.Contains(held, l.VIP) }) {
		t.Errorf("after the cleaning the kernel has %v, %v", held, err)
	}
	for _, r := range routes() {
		if s.has(s.A, r) {
			t.Errorf("after the cleaning there is route %v", r.prefix)
		}
	}
	back := s.await(bootWait+masterDownA+interval, SideA)
	t.Logf("started again %v after the kill, it serves %v later", again.Sub(killed).Round(time.Millisecond), back.Sub(again).Round(time.Millisecond))
	if back.Sub(again) < masterDownA {
		t.Errorf("serves %v after the start: it did not listen", back.Sub(again))
	}
}

// TestNotify has a router go through every state and looks at what its scripts were told.
func TestNotify(t *testing.T) {
	t.Parallel()
	s := stage(t, Options{})
	var err error
	dir := s.A.Dir()
	check(t, os.WriteFile(filepath.Join(dir, "any"), []byte("#!/bin/sh\necho any \"$@\" >> "+dir+"/notified\n"), 0o755))
	s.A.Config = bytes.Replace(s.A.Config, []byte("    advert_int 1\n"), []byte(`    advert_int 1
    notify /etc/keepalived/any
    notify_fault "/etc/keepalived/any --fault VI_0"
    notify_stop /etc/keepalived/any
`), 1)
	s.observer, err = s.Observe(0)
	check(t, err)
	s.start(s.A)
	s.await(bootWait+masterDownA+interval, SideA)
	port := s.A.Port(s.LANs[0].Port).Link()
	s.notified(2 * 2)
	check(t, port.Cut())
	s.awaitLine(s.A, s.began, "Entering FAULT STATE", 5*interval)
	s.notified(3 * 2)
	check(t, port.Mend())
	s.await(bootWait+masterDownA+interval, SideA)
	s.notified(5 * 2)
	check(t, s.A.Daemon().Signal(syscall.SIGTERM))
	<-s.A.Daemon().Done()
	want := []string{
		"promotebackup", "any INSTANCE VI_0 BACKUP 100",
		"promotemaster", "any INSTANCE VI_0 MASTER 100",
		"any --fault VI_0", "any INSTANCE VI_0 FAULT 100",
		"promotebackup", "any INSTANCE VI_0 BACKUP 100",
		"promotemaster", "any INSTANCE VI_0 MASTER 100",
		"any", "any INSTANCE VI_0 STOP 100",
	}
	if diff := cmp.Diff(want, s.notified(len(want))); diff != "" {
		t.Errorf("the scripts were told (-want +got):\n%s", diff)
	}
}

// notified waits until the scripts of A have been told so many things, and returns all they were told.
func (s *scene) notified(n int) (told []string) {
	s.t.Helper()
	Eventually(5*time.Second, func() bool {
		text, _ := os.ReadFile(filepath.Join(s.A.Dir(), "notified")) // not there before the first
		told = nil
		for line := range strings.Lines(string(text)) {
			told = append(told, strings.TrimSpace(line))
		}
		return len(told) >= n
	})
	return told
}

// TestStatusFields wants the fields that are promised to whoever reads the status by program.
func TestStatusFields(t *testing.T) {
	t.Parallel()
	s := settled(t)
	for _, m := range s.Members() {
		text, err := m.Ask("status", "--json")
		check(t, err)
		var all map[string]any
		check(t, json.Unmarshal([]byte(text), &all))
		got := shape(all)
		for _, want := range []string{
			"node.storage", "instances.name", "instances.state", "instances.since", "instances.priority", "instances.effective_priority",
			"instances.interface", "instances.vrid", "instances.verdict.finding", "instances.verdict.rule", "instances.faults",
			"instances.vips", "ports.name", "ports.roles", "ports.carrier", "ports.driver",
		} {
			if !got[want] {
				t.Errorf("status of %s has no %s, only %v", m.Name(), want, slices.Sorted(maps.Keys(got)))
			}
		}
		status, err := m.Status()
		check(t, err)
		if state := status.Instances[0].State; (state == "MASTER") != (m == s.A) {
			t.Errorf("%s is %s", m.Name(), state)
		}
		for _, p := range status.Ports {
			if p.Carrier != "up" {
				t.Errorf("port %s of %s: carrier %s", p.Name, m.Name(), p.Carrier)
			}
		}
	}
}

// shape lists the fields of a JSON value, those of an array's elements without their number.
func shape(value any) map[string]bool {
	found := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, inner := range v {
				at := strings.TrimPrefix(fmt.Sprintf("%s.%s", path, name), ".")
				found[at] = true
				walk(at, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path, inner)
			}
		}
	}
	walk("", value)
	return found
}
