package node

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Third parties are neither this router nor its peer, and no address that anybody may have.
func TestWhoMayBeAWitness(t *testing.T) {
	own := netip.MustParsePrefix("192.168.10.7/24")
	elsewhere := netip.MustParsePrefix("198.51.100.7/24")
	for _, c := range []struct {
		name string
		addr netip.Addr
		mac  MAC
		want bool
	}{
		{"a neighbour", addr("192.168.10.254"), MAC{2, 0xcc}, true},
		{"a neighbour of unknown hardware address", addr("192.168.10.254"), MAC{}, true},
		{"a neighbour in IPv6", addr("2001:db8::1"), MAC{2, 0xcc}, true},
		{"nobody", netip.Addr{}, MAC{2, 0xcc}, false},
		{"0.0.0.0", addr("0.0.0.0"), MAC{2, 0xcc}, false},
		{"::", addr("::"), MAC{2, 0xcc}, false},
		{"a group", addr("224.0.0.18"), MAC{2, 0xcc}, false},
		{"a group in IPv6", addr("ff02::12"), MAC{2, 0xcc}, false},
		{"the virtual address", addr("192.168.10.1"), MAC{2, 0xcc}, false},
		{"a virtual address of another port", addr("203.0.113.1"), MAC{2, 0xcc}, false},
		{"our own address", own.Addr(), MAC{2, 0xcc}, false},
		{"our own address in another subnet", elsewhere.Addr(), MAC{2, 0xcc}, false},
		{"a router", addr("192.168.10.8"), MAC{2, 0xcc}, false},
		{"our own hardware address", addr("192.168.10.254"), MAC{2, 'B', 1}, false},
		{"our own hardware address on another port", addr("192.168.10.254"), MAC{2, 'B', 2}, false},
		{"the peer's hardware address", addr("192.168.10.254"), MAC{2, 'A'}, false},
		{"a hardware address of the peer that asks", addr("192.168.10.254"), MAC{2, 'A', 'A'}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, story(50))
			p := n.byName["p3p1"]
			p.state.Addresses = append(p.state.Addresses, own, elsewhere)
			p.addPeer(MAC{2, 'A'})
			p.addAsker(MAC{2, 'A', 'A'})
			n.byName[cable].routers = []netip.Addr{addr("192.168.10.8")}
			p.dropWitness(addr(gates[0]))
			n.addWitness(p, c.addr, rankOverheard, c.mac)
			if got := slices.Contains(p.witnesses, c.addr); got != c.want || len(p.witnesses) > 1 {
				t.Errorf("witnesses %v, want it among them: %v", p.witnesses, c.want)
			}
			if c.want && p.target(c.addr).mac != c.mac {
				t.Errorf("its hardware address is %v, want %v", p.target(c.addr).mac, c.mac)
			}
		})
	}
}

// The address that nobody may have, by which proxies are known, is no witness: where the port has no address in the
// subnet it is that of the network.
func TestControlIsNoWitness(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	for a, want := range map[string]bool{"192.168.10.0": false, "192.168.10.254": true, "192.168.20.0": true} {
		n.addWitness(p, addr(a), rankGateway, MAC{2, 0xcc})
		if got := slices.Contains(p.witnesses, addr(a)); got != want {
			t.Errorf("%s is a witness: %v", a, got)
		}
	}
}

// host is the k-th address of a segment.
func host(k byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 10, 100 + k}) }

// Witnesses stand in the order of their rank, and among equals in the order of their coming; a better rank moves one, a
// worse one does not.
func TestWitnessesStandByRank(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	p.dropWitness(addr(gates[0]))
	for _, x := range []struct {
		host byte
		rank rank
		mac  MAC
	}{
		{1, rankOverheard, MAC{2, 1}}, {2, rankNeighbour, MAC{}}, {3, rankOverheard, MAC{2, 3}}, {4, rankGateway, MAC{}}, {5, rankNeighbour, MAC{2, 5}},
		{6, rankConfigured, MAC{}}, {3, rankGateway, MAC{2, 9}}, {4, rankOverheard, MAC{2, 4}}, {2, rankNeighbour, MAC{2, 2}},
	} {
		n.addWitness(p, host(x.host), x.rank, x.mac)
	}
	want := []netip.Addr{host(6), host(4), host(3), host(2), host(5), host(1)}
	if !slices.Equal(p.witnesses, want) {
		t.Errorf("witnesses %v, want %v", p.witnesses, want)
	}
	if len(p.ranks) != len(want) || p.ranks[host(3)] != rankGateway || p.ranks[host(4)] != rankGateway {
		t.Errorf("ranks %v", p.ranks)
	}
	if got := p.target(host(3)).mac; got != (MAC{2, 3}) {
		t.Errorf("the hardware address that answered was replaced by %v", got)
	}
}

// Eight candidates are kept. A better one takes the place of the worst, an equal one that of one that was asked in vain.
func TestWitnessesAreBounded(t *testing.T) {
	const asked, answered, forgotten = 1, 2, 3
	for _, c := range []struct {
		name  string
		ranks []rank
		state map[byte]int
		comer rank
		gone  byte // 0: the newcomer is not taken
	}{
		{"seven", slices.Repeat([]rank{rankNeighbour}, 7), nil, rankOverheard, 99},
		{"all as good, none asked", slices.Repeat([]rank{rankNeighbour}, 8), nil, rankNeighbour, 0},
		{"all as good, one asked in vain", slices.Repeat([]rank{rankNeighbour}, 8), map[byte]int{3: asked, 5: answered}, rankNeighbour, 3},
		{"all as good, all answered", slices.Repeat([]rank{rankNeighbour}, 8), map[byte]int{1: answered, 2: answered}, rankNeighbour, 0},
		{"all as good, one forgotten, one asked in vain", slices.Repeat([]rank{rankNeighbour}, 8), map[byte]int{2: forgotten, 4: asked}, rankNeighbour, 4},
		{"a better one", slices.Repeat([]rank{rankOverheard}, 8), nil, rankNeighbour, 8},
		{"a better one, all answered", slices.Repeat([]rank{rankOverheard}, 8), map[byte]int{8: answered}, rankNeighbour, 8},
		{"a worse one", slices.Repeat([]rank{rankGateway}, 8), map[byte]int{3: asked}, rankOverheard, 0},
		{"one as the worst", append(slices.Repeat([]rank{rankGateway}, 6), rankOverheard, rankOverheard), map[byte]int{1: asked, 7: asked}, rankOverheard, 7},
		{"one as the best", append(slices.Repeat([]rank{rankGateway}, 6), rankOverheard, rankOverheard), map[byte]int{1: asked}, rankGateway, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, lone(50, 0))
			p := n.byName["p3p1"]
			p.dropWitness(addr(gates[0]))
			for k, r := range c.ranks {
				n.addWitness(p, host(byte(k+1)), r, MAC{2, byte(k + 1)})
			}
			for k, s := range c.state {
				p.target(host(k)).lastAsk.set(n.now)
				switch s {
				case answered:
					p.target(host(k)).answered[unicast].set(n.now)
				case forgotten:
					delete(p.targets, host(k))
				}
			}
			comer := addr("192.168.10.200")
			n.addWitness(p, comer, c.comer, MAC{2, 200})
			if got := slices.Contains(p.witnesses, comer); got != (c.gone != 0) {
				t.Errorf("the newcomer is taken: %v", got)
			}
			for k := range c.ranks {
				if here := slices.Contains(p.witnesses, host(byte(k+1))); here != (byte(k+1) != c.gone) {
					t.Errorf("%v is kept: %v", host(byte(k+1)), here)
				}
			}
			if len(p.ranks) != len(p.witnesses) || len(p.witnesses) > maxWitnesses {
				t.Errorf("%d witnesses with %d ranks", len(p.witnesses), len(p.ranks))
			}
		})
	}
}

// Asked are first those that answered in this form, then in another, then those never asked, then the rest; of one
// family, and never the peer under another name.
func TestBestWitnesses(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	now := n.now
	p.dropWitness(addr(gates[0]))
	six := addr("2001:db8::9")
	n.addWitness(p, six, rankConfigured, MAC{2, 0xcc, 9})
	for k := byte(1); k <= 6; k++ {
		n.addWitness(p, host(k), rankNeighbour, MAC{2, 0xcc, k})
	}
	asked := func(k byte, at time.Duration, f ...form) {
		p.target(host(k)).lastAsk.set(now.Add(-at))
		for _, f := range f {
			p.target(host(k)).answered[f].set(now.Add(-at))
		}
	}
	asked(1, time.Second)                       // in vain
	p.addPeer(MAC{2, 0xcc, 2})                  // the peer
	asked(4, time.Second, unicast)              // to one form
	asked(5, 2*time.Minute, unicast, broadcast) // long ago
	asked(6, time.Second, broadcast)            // to the other
	for _, c := range []struct {
		form  form
		v6    bool
		limit int
		want  []netip.Addr
	}{
		{broadcast, false, 9, []netip.Addr{host(6), host(4), host(3), host(1), host(5)}},
		{unicast, false, 9, []netip.Addr{host(4), host(6), host(3), host(1), host(5)}},
		{unicast, false, 2, []netip.Addr{host(4), host(6)}},
		{broadcast, true, 9, []netip.Addr{six}},
	} {
		t.Run(fmt.Sprintf("form %d, IPv6 %v, %d", c.form, c.v6, c.limit), func(t *testing.T) {
			var got []netip.Addr
			for _, x := range p.bestWitnesses(c.v6, c.form, now, c.limit) {
				got = append(got, x.addr)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("asked are %v, want %v", got, c.want)
			}
		})
	}
}
