package hwtest_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/hw/hwtest"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// hold gives a router's port an address, or takes it away, as a daemon would.
func hold(t *testing.T, p *hwtest.Port, prefix netip.Prefix, on bool) {
	t.Helper()
	addr, err := netlink.ParseAddr(prefix.String())
	check(t, err)
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: p.Index()}}
	if on {
		check(t, p.Router().Namespace().Kernel().AddrAdd(link, addr))
	} else {
		check(t, p.Router().Namespace().Kernel().AddrDel(link, addr))
	}
}

func TestObserver(t *testing.T) {
	bed := newBed(t)
	o, err := bed.lab.Observe(hwtest.Watch{Routers: []*hwtest.Router{bed.a, bed.b},
		VIPs: []hwtest.VIP{{Addr: vip.Addr(), From: bed.client}}})
	check(t, err)
	a, b := bed.a.Port("p3p1"), bed.b.Port("p3p1")
	await := func(owners, answers hwtest.Set) {
		t.Helper()
		_, err := o.Await(patience, func(s hwtest.Sample) bool { return s.Owners[0] == owners && s.Answers[0] == answers })
		check(t, err)
	}
	await(0, 0)
	hold(t, a, vip, true)
	await(1, 1)
	hold(t, b, vip, true)
	await(3, 3)
	_, err = bed.a.PowerOff(nil)
	check(t, err)
	await(2, 2)
	hold(t, b, vip, false)
	await(0, 0)
	line := o.Stop()

	var owned []hwtest.Set
	for _, s := range line.Spans(0, hwtest.Owners) {
		owned = append(owned, s.Who)
	}
	if diff := cmp.Diff([]hwtest.Set{0, 1, 3, 2, 0}, owned); diff != "" {
		t.Errorf("owners (-want +got):\n%s\n%v", diff, line)
	}
	tally := line.Tally(0, hwtest.Owners)
	if tally.Changes != 4 || tally.Nobody.Samples == 0 || tally.One.Time == 0 || tally.Several.Time == 0 || tally.Several.Time != tally.LongestSeveral {
		t.Errorf("tally %+v of\n%v", tally, line)
	}
	if line.Misses != 0 {
		t.Errorf("%d reads failed", line.Misses)
	}
	if _, err := o.Await(patience, func(hwtest.Sample) bool { return true }); err == nil {
		t.Error("a stopped observer sees")
	}
}

func TestStream(t *testing.T) {
	bed := newBed(t)
	check(t, bed.a.Port("p3p1").AddAddress(vip))
	s := sniff(t, bed.client)
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Fatal("no answer before")
	}
	stream, err := bed.client.Stream(vip.Addr(), 5*time.Millisecond)
	check(t, err)
	time.Sleep(200 * time.Millisecond)
	if l := stream.Stop(); l.Sent < 10 || l.Lost != 0 {
		t.Errorf("over a sound LAN: %+v", l)
	}
	stream, err = bed.client.Stream(vip.Addr(), 5*time.Millisecond)
	check(t, err)
	time.Sleep(100 * time.Millisecond)
	bed.a.Pause()
	time.Sleep(100 * time.Millisecond)
	bed.a.Resume()
	time.Sleep(100 * time.Millisecond)
	if l := stream.Stop(); l.Lost < 5 || l.Lost > l.Sent-5 || l.Gap < 80*time.Millisecond {
		t.Errorf("over a pause of 100 ms: %+v", l)
	}
}

// TestLatency keeps the pumps honest: a measured takeover is ours only if the cable costs nothing.
func TestLatency(t *testing.T) {
	bed := newBed(t)
	check(t, bed.a.Port("p3p1").AddAddress(vip))
	s := sniff(t, bed.client)
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Fatal("no answer before")
	}
	var trips []time.Duration
	for range 200 {
		s.Take()
		start := time.Now()
		check(t, s.Ask(vip.Addr()))
		for deadline := start.Add(patience); time.Now().Before(deadline); {
			if heard := s.Take(); len(heard) > 0 {
				trips = append(trips, heard[0].At.Sub(start))
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
	slices.Sort(trips)
	t.Logf("round trip through two pumps: median %v, p90 %v, worst %v", trips[len(trips)/2], trips[len(trips)*9/10], trips[len(trips)-1])
	if median := trips[len(trips)/2]; median > 2*time.Millisecond {
		t.Errorf("median round trip %v, want well under 2 ms", median)
	}
}

func TestSplit(t *testing.T) {
	bed := newBed(t)
	a, b := bed.a.Port("p3p1"), bed.b.Port("p3p1")
	check(t, a.AddAddress(vip))
	s := sniff(t, bed.client)
	if _, ok := answered(t, s, vip.Addr(), patience); !ok || !reaches(t, a, b, patience) {
		t.Fatal("the LAN is not whole before")
	}
	check(t, bed.lan.Split(a))
	if _, ok := answered(t, s, vip.Addr(), brief); ok || reaches(t, a, b, brief) {
		t.Error("a LAN that was split is whole")
	}
	check(t, bed.lan.Split(b))
	if !reaches(t, a, b, patience) {
		t.Error("two ports on the same island don't reach each other")
	}
	check(t, bed.lan.Join(a, b))
	if _, ok := answered(t, s, vip.Addr(), patience); !ok || !reaches(t, a, b, patience) {
		t.Error("a LAN that was joined is not whole")
	}
	if err := bed.lan.Split(bed.a.Port("p4p1")); err == nil {
		t.Error("a port on a cable was moved")
	}
}

// TestSuppress makes the switch answer for a router that has no power.
func TestSuppress(t *testing.T) {
	bed := newBed(t)
	a := bed.a.Port("p3p1")
	check(t, a.AddAddress(vip))
	s := sniff(t, bed.client)
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Fatal("no answer before")
	}
	check(t, bed.lan.Suppress(a, true))
	check(t, bed.lan.Remember(vip.Addr(), a))
	_, err := bed.a.PowerOff(nil)
	check(t, err)
	if m, ok := answered(t, s, vip.Addr(), patience); !ok || m.MAC != a.MAC() {
		t.Errorf("the switch answers %+v, %v for the dead router", m, ok)
	}
	check(t, bed.lan.Suppress(a, false))
	if m, ok := answered(t, s, vip.Addr(), brief); ok {
		t.Errorf("answered without suppression: %+v", m)
	}
}

func TestGateway(t *testing.T) {
	bed := newBed(t)
	s := sniff(t, bed.client)
	if m, ok := answered(t, s, gateway.Addr(), patience); !ok || m.MAC != bed.lan.GatewayMAC() {
		t.Errorf("the gateway answers %+v, %v", m, ok)
	}
	check(t, bed.lan.RemoveGateway(gateway))
	if m, ok := answered(t, s, gateway.Addr(), brief); ok {
		t.Errorf("a removed gateway answers %+v", m)
	}
}

func TestEvents(t *testing.T) {
	bed := newBed(t)
	port := bed.a.Port("p3p1")
	events := watch(t, bed.a)
	start := time.Now()
	hold(t, port, vip, true)
	is := func(kind hwtest.Kind, prefix netip.Prefix) func(hwtest.Event) bool {
		return func(e hwtest.Event) bool { return e.Kind == kind && e.Prefix == prefix && e.Index == port.Index() }
	}
	_, err := events.Await(start, patience, is(hwtest.AddressAdded, vip))
	check(t, err)
	route := &netlink.Route{LinkIndex: port.Index(), Gw: gateway.Addr().AsSlice(), Table: 50}
	check(t, bed.a.Namespace().Kernel().RouteAdd(route))
	e, err := events.Await(start, patience, is(hwtest.RouteAdded, netip.MustParsePrefix("0.0.0.0/0")))
	check(t, err)
	if e.Table != 50 {
		t.Errorf("route in table %d, want 50", e.Table)
	}
	check(t, bed.a.Namespace().Kernel().RouteDel(route))
	_, err = events.Await(start, patience, is(hwtest.RouteRemoved, netip.MustParsePrefix("0.0.0.0/0")))
	check(t, err)
	hold(t, port, vip, false)
	_, err = events.Await(start, patience, is(hwtest.AddressRemoved, vip))
	check(t, err)
	// The kernel goes on telling of what it tidies up behind an address, so only a moment that has not come is sure to be empty.
	if _, err := events.Await(time.Now().Add(patience), brief, func(hwtest.Event) bool { return true }); err == nil {
		t.Error("an event of the future")
	}
}
