package node

import (
	"net/netip"
	"testing"
	"time"

	"standfast/vrrp"
)

// lone is the story with one of its segments only.
func lone(priority uint8, k int) Instance {
	i := story(priority)
	i.VIPs, i.Routes, i.Witnesses = i.VIPs[k:k+1], nil, []Witness{{Addr: netip.MustParseAddr(gates[k]), Port: ports[k]}}
	return i
}

// neighbours are two instances that share a segment and no group.
func neighbours(priority uint8) Config {
	one, other := lone(priority, 0), lone(priority, 0)
	other.Name, other.VRRP.VRID = "VI_1", 51
	other.VIPs = []VIP{
		{Prefix: netip.MustParsePrefix("192.168.10.2/24"), Port: "p3p1"},
		{Prefix: netip.MustParsePrefix("192.168.20.1/24"), Port: "p3p2"},
	}
	return Config{Instances: []Instance{one, other}}
}

// What the peer serves for one instance says nothing about another: that one
// is taken over although the first is not.
func TestServiceOfOneInstanceIsNotServiceOfAnother(t *testing.T) {
	w, a, b := boot(t, neighbours(100), neighbours(50))
	one, other := b.cfg.Instances[0].Key(), b.cfg.Instances[1].Key()
	a.link("p3p2", false) // A says goodbye for the second instance only
	w.until("B serves the second", 2*time.Second, func() bool { return b.state[other] == vrrp.Master })
	w.run(10 * time.Second)
	w.want("and not the first", b.state[one] == vrrp.Backup && a.state[one] == vrrp.Master)
}

// The cable is cut and both instances are served: each is held by its own VIP.
func TestNeighboursAreBothContested(t *testing.T) {
	w, a, b := boot(t, neighbours(100), neighbours(50))
	w.cut()
	for range 300 {
		w.run(100 * time.Millisecond)
		w.want("B holds back", b.bare() && a.serves())
	}
	w.powerOff(a)
	w.until("B serves both", 2*time.Second, b.serves)
}

// A judge that takes longer than the machine waits is unproven, not overruled:
// what is known by then counts.
func TestSlowQuestionsOfANeighbourDoNotOverruleTheJudge(t *testing.T) {
	slow := func(priority uint8) Config {
		c := neighbours(priority)
		c.Instances[1].Rounds, c.Instances[1].Wait = 10, time.Second
		return c
	}
	w, a, b := boot(t, slow(100), slow(50))
	w.cut()
	w.run(30 * time.Second)
	for _, m := range b.moves {
		w.want("B never claims", m.To != vrrp.Master)
	}
	w.want("A serves", a.serves())
}

// Thirty instances on one segment share its budget of questions, and none
// takes what it could not ask for silence.
func TestManyInstancesOnOneSegment(t *testing.T) {
	count := byte(30)
	if testing.Short() {
		count = 10
	}
	many := func(priority uint8) (c Config) {
		for k := range count {
			i := lone(priority, 0)
			i.VRRP.VRID = k + 1
			i.VIPs = []VIP{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 10, k + 1}), 24), Port: "p3p1"}}
			c.Instances = append(c.Instances, i)
		}
		return c
	}
	w, a, b := boot(t, many(100), many(50))
	w.run(time.Duration(seeds(10)) * 30 * time.Second) // half a minute at least
	moves := len(b.moves)
	w.cut()
	w.run(time.Minute)
	w.want("B holds back for all", a.serves() && b.bare() && len(b.moves) == moves)
	w.powerOff(a)
	w.until("B serves all", 5*time.Second, b.serves)
}
