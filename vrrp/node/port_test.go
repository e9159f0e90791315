package node

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// What is known of a port, and what follows from it.
func TestStateOfAPort(t *testing.T) {
	for _, c := range []struct {
		name     string
		unread   bool
		state    PortState
		up, down bool
		link     verdict.Link
		cause    Cause // of a fault; 0: none
	}{
		{"never read", true, PortState{Present: true, AdminUp: true, Carrier: CarrierUp}, false, false, verdict.LinkUnknown, 0},
		{"never read, and gone", true, PortState{}, false, false, verdict.LinkUnknown, 0},
		{"up", false, PortState{Present: true, AdminUp: true, Carrier: CarrierUp}, true, false, verdict.LinkUp, 0},
		{"no carrier", false, PortState{Present: true, AdminUp: true, Carrier: CarrierDown}, false, true, verdict.LinkDown, CauseCarrier},
		{"carrier not known", false, PortState{Present: true, AdminUp: true}, false, false, verdict.LinkUnknown, 0},
		{"taken down", false, PortState{Present: true, Carrier: CarrierUp}, false, true, verdict.LinkAdminDown, CauseAdminDown},
		{"gone", false, PortState{AdminUp: true, Carrier: CarrierUp}, false, true, verdict.LinkGone, CauseGone},
	} {
		p := newPort("p3p1")
		p.state, p.known = c.state, !c.unread
		if p.up() != c.up || p.down() != c.down || p.link() != c.link {
			t.Errorf("%s: up %v, down %v, link %v", c.name, p.up(), p.down(), p.link())
		}
		f, ok := p.fault()
		if ok != (c.cause != 0) || f.Cause != c.cause || f.Port != "p3p1" {
			t.Errorf("%s: the fault is %+v, %v", c.name, f, ok)
		}
	}
}

// A port is mute that has carrier and has heard nobody since, for a minute.
func TestMutePort(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	for _, c := range []struct {
		name  string
		heard bool
		after time.Duration
		up    bool
		want  bool
	}{
		{"just up", false, 0, true, true}, {"just under a minute", false, time.Minute - 1, true, true}, {"a minute", false, time.Minute, true, false},
		{"heard somebody", true, 0, true, false}, {"down", false, 0, false, false},
	} {
		p.heard, p.upSince = c.heard, n.now
		p.state.AdminUp = c.up
		if got := p.mute(n.now.Add(c.after)); got != c.want {
			t.Errorf("%s: mute is %v", c.name, got)
		}
	}
}

// The draws of a port are the hash of its hardware address and a count, FNV-1a, as a fraction.
func TestDrawsOfAPort(t *testing.T) {
	for _, mac := range []MAC{{}, {2, 'A', 1}, {2, 'B', 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		p := newPort("p")
		p.state.MAC = mac
		p.draws = 1<<40 - 3
		for count := uint64(1<<40 - 2); count < 1<<40+3; count++ {
			h := fnv.New64a()
			h.Write(mac[:])
			h.Write(binary.LittleEndian.AppendUint64(nil, count))
			if got, want := p.fraction(), float64(h.Sum64()>>11)/float64(1<<53); got != want {
				t.Errorf("draw %d of %v is %v, want %v", count, mac, got, want)
			}
		}
	}
}

// A short list keeps what was seen last, at its front, once.
func TestShortLists(t *testing.T) {
	for _, c := range []struct {
		list []int
		v    int
		want []int
	}{
		{nil, 1, []int{1}}, {[]int{1}, 1, []int{1}}, {[]int{1, 2}, 3, []int{3, 1, 2}}, {[]int{1, 2, 3}, 4, []int{4, 1, 2}},
		{[]int{1, 2, 3}, 3, []int{3, 1, 2}}, {[]int{1, 2, 3}, 1, []int{1, 2, 3}},
	} {
		if got := remember(slices.Clone(c.list), c.v, 3); !slices.Equal(got, c.want) {
			t.Errorf("%v and %d: %v, want %v", c.list, c.v, got, c.want)
		}
	}
}

// Peers, those who ask as we do, and proxies: who is which, and how many are remembered.
func TestWhoIsThePeer(t *testing.T) {
	m := func(k byte) MAC { return MAC{2, 0xaa, k} }
	p := newPort("p")
	if !p.maySpeak(m(1)) {
		t.Error("where nobody is known, somebody may not speak for the peer")
	}
	p.addPeer(MAC{})
	p.addAsker(MAC{})
	if len(p.allPeers()) > 0 {
		t.Error("nobody is the peer")
	}
	for k := range byte(6) {
		p.addPeer(m(k))
		p.addAsker(m(k + 4))
	}
	if got, want := p.allPeers(), []MAC{m(5), m(4), m(3), m(2), m(9), m(8), m(7), m(6)}; !slices.Equal(got, want) {
		t.Errorf("peers %v, want %v", got, want)
	}
	p.addAsker(m(5))
	if got, want := p.allPeers(), []MAC{m(5), m(4), m(3), m(2), m(9), m(8), m(7)}; !slices.Equal(got, want) {
		t.Errorf("one that is both: %v, want %v", got, want)
	}
	for k, want := range map[byte]bool{2: true, 9: true, 1: false, 6: false} {
		if p.isPeer(m(k)) != want || p.maySpeak(m(k)) != want {
			t.Errorf("%v is the peer: %v, may speak: %v", m(k), p.isPeer(m(k)), p.maySpeak(m(k)))
		}
	}
	p.addProxy(m(5))
	p.addProxy(m(9))
	p.addPeer(m(5))
	p.addAsker(m(9))
	if p.isPeer(m(5)) || p.isPeer(m(9)) || !p.isProxy(m(5)) || p.isProxy(m(4)) || !p.isPeer(m(4)) {
		t.Errorf("a proxy is a peer: %v, %v", p.allPeers(), p.proxies)
	}
	for k := range byte(4) {
		p.addProxy(m(20 + k))
	}
	if len(p.proxies) != maxProxies || p.isProxy(m(9)) {
		t.Errorf("proxies %v", p.proxies)
	}
	asker := newPort("p")
	asker.addAsker(m(1))
	if asker.maySpeak(m(2)) {
		t.Error("where one asks as we do, another may speak for the peer")
	}
}

// Routers are counted by family.
func TestRoutersOfAFamily(t *testing.T) {
	p := newPort("p")
	p.routers = []netip.Addr{addr("10.0.0.1"), addr("fe80::1"), addr("10.0.0.2")}
	if four, six := p.routersOf(vrrp.IPv4), p.routersOf(vrrp.IPv6); four != 2 || six != 1 {
		t.Errorf("%d and %d routers", four, six)
	}
}

// readAs tells a brain the state of one port.
func readAs(n *Node, p Port, change func(*PortState)) {
	s := n.byName[p].state
	s.Port = p
	change(&s)
	n.takePorts(PortsRead{Ports: []PortState{s}})
}

// When carrier comes, everything about the segment is to be learnt again; when it goes, that is a loss, once.
func TestCarrierComesAndGoes(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	down := func(s *PortState) { s.Carrier = CarrierDown }
	up := func(s *PortState) { s.Carrier = CarrierUp }
	n.now = n.now.Add(time.Second)
	n.out = nil
	readAs(n, "p3p1", up)
	if p.upSince == n.now || len(n.out) > 0 {
		t.Error("a port that is up has come up")
	}
	readAs(n, "p3p1", down)
	if !p.lostAt.within(n.now, 0) || !slices.Contains(n.out, Action(ReadPorts{})) {
		t.Errorf("no loss was noted, or the ports are not read: %+v, %v", p.lostAt, n.out)
	}
	n.now = n.now.Add(time.Second)
	readAs(n, "p3p1", down)
	if p.lostAt.within(n.now, 0) {
		t.Error("a port that is down was lost again")
	}
	p.heard, p.learned, p.fast, p.nextAsk = true, true, 0, n.now.Add(time.Hour)
	readAs(n, "p3p1", up)
	if p.upSince != n.now || p.heard || p.learned || p.fast != fastQuestions || p.nextAsk != n.now {
		t.Errorf("the port came up and is not to be learnt again: %+v", p)
	}
	n.takePorts(PortsRead{Ports: []PortState{{Port: "eth7"}, {Port: "p3p1"}}})
	if p.state.Present {
		t.Error("what is told behind a port that nobody uses is not read")
	}
	if n.byName["eth7"] != nil {
		t.Error("a port that nobody uses is remembered")
	}
}

// A port that is without carrier when it is first read has lost it then, which is no flap.
func TestFirstReadingWithoutCarrier(t *testing.T) {
	for _, c := range []struct {
		carrier Carrier
		want    bool
	}{{CarrierDown, true}, {CarrierUp, false}, {CarrierUnknown, false}} {
		n := New(vrrp.Instant(time.Hour), Config{Instances: []Instance{lone(50, 0)}})
		p := n.byName["p3p1"]
		readAs(n, "p3p1", func(s *PortState) { s.Present, s.AdminUp, s.Carrier = true, true, c.carrier })
		if p.lostAt.ok != c.want || len(p.losses) > 0 || len(n.out) > 0 {
			t.Errorf("carrier %d: lost %v, losses %v, %v", c.carrier, p.lostAt.ok, p.losses, n.out)
		}
		n.now = n.now.Add(time.Second)
		readAs(n, "p3p1", func(s *PortState) { s.Carrier = CarrierDown })
		if p.lostAt.within(n.now, 0) != (c.carrier == CarrierUp) {
			t.Errorf("carrier %d, and then none: lost %v", c.carrier, p.lostAt)
		}
	}
}

// A loss that is reported twice within 50 ms is one; either way the ports are read.
func TestLossesAreReportedTwice(t *testing.T) {
	for after, want := range map[time.Duration]int{0: 1, 50 * time.Millisecond: 1, 50*time.Millisecond + 1: 2} {
		n := single(t, lone(50, 0))
		p := n.byName[cable]
		n.takeCarrierLost(CarrierLost{Port: cable})
		n.now = n.now.Add(after)
		n.out = nil
		n.takeCarrierLost(CarrierLost{Port: cable})
		if len(p.losses) != want || !slices.Contains(n.out, Action(ReadPorts{})) {
			t.Errorf("%v later: %d losses, %v", after, len(p.losses), n.out)
		}
		n.out = nil
		n.takeCarrierLost(CarrierLost{Port: "eth7"})
		if len(n.out) > 0 {
			t.Errorf("a port that nobody uses: %v", n.out)
		}
	}
}

// Three losses within ten seconds are a flapping port, until it was quiet for ten seconds.
func TestFlappingPort(t *testing.T) {
	for _, c := range []struct {
		losses []time.Duration // when
		until  time.Duration   // 0: it does not flap
	}{
		{[]time.Duration{0, time.Second}, 0},
		{[]time.Duration{0, time.Second, 2 * time.Second}, 12 * time.Second},
		{[]time.Duration{0, 5 * time.Second, 10 * time.Second}, 20 * time.Second},
		{[]time.Duration{0, 5 * time.Second, 10*time.Second + 1}, 0},
		{[]time.Duration{0, 1 * time.Second, 2 * time.Second, 12*time.Second - 1}, 22*time.Second - 1},
		{[]time.Duration{0, 1 * time.Second, 2 * time.Second, 12 * time.Second}, 12 * time.Second},
		{[]time.Duration{0, 1 * time.Second, 2 * time.Second, 12*time.Second + 1}, 12 * time.Second},
		{[]time.Duration{0, 1 * time.Second, 2 * time.Second, 13 * time.Second, 14 * time.Second}, 12 * time.Second},
	} {
		t.Run(fmt.Sprint(c.losses), func(t *testing.T) {
			n := single(t, lone(50, 0))
			p, begin := n.byName[cable], n.now
			for _, at := range c.losses {
				n.now = begin.Add(at)
				n.lost(p)
			}
			if want := begin.Add(c.until); c.until > 0 && p.flaps != want || c.until == 0 && p.flaps != 0 {
				t.Errorf("flaps until %v, want %v", p.flaps.Sub(begin), c.until)
			}
			if c.until > 0 && (!p.flapping(p.flaps-1) || p.flapping(p.flaps)) {
				t.Error("it does not flap until then")
			}
		})
	}
}

// Ports of this host that nobody uses are ours too; a reading that does not speak of them changes nothing.
func TestOwnHardwareAddresses(t *testing.T) {
	n := single(t, lone(50, 0))
	spare := MAC{2, 'B', 0x99}
	for _, step := range []struct {
		own  []MAC
		want bool
	}{{nil, false}, {[]MAC{spare}, true}, {nil, true}, {[]MAC{}, false}} {
		n.takePorts(PortsRead{Own: step.own})
		if n.own(spare) != step.want || !n.own(MAC{2, 'B', 1}) || n.own(MAC{}) || n.own(peerMAC) {
			t.Errorf("told %v: the spare port is ours: %v", step.own, n.own(spare))
		}
	}
}

// What the kernel knows becomes witnesses: first its gateways, then its neighbours, these in the order of their addresses.
func TestNeighboursBecomeWitnesses(t *testing.T) {
	for range 10 { // a map has no order
		n := single(t, lone(50, 0))
		p := n.byName["p3p1"]
		n.takeNeighbours(Neighbours{Port: "p3p1", Gateways: []netip.Addr{host(9)}, Known: map[netip.Addr]MAC{
			host(3): {2, 3}, host(1): {2, 1}, host(2): {2, 2}, addr("192.168.10.1"): {2, 4},
		}})
		want := []netip.Addr{addr(gates[0]), host(9), host(1), host(2), host(3)}
		if !slices.Equal(p.witnesses, want) || p.ranks[host(9)] != rankGateway || p.ranks[host(1)] != rankNeighbour || p.target(host(3)).mac != (MAC{2, 3}) {
			t.Fatalf("witnesses %v, want %v; ranks %v", p.witnesses, want, p.ranks)
		}
		n.takeNeighbours(Neighbours{Port: "eth7", Gateways: []netip.Addr{host(9)}})
	}
}
