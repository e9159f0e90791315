package node

import (
	"net/netip"
	"testing"
	"time"

	"standfast/vrrp"
)

// wide are two instances of one group of which the first has two segments.
func wide(priority uint8) Config {
	c := group2(priority)
	all := story(priority).VIPs
	c.Instances[0].VIPs, c.Instances[1].VIPs = all[:2], all[2:]
	c.Instances[0].Witnesses = append(c.Instances[0].Witnesses, Witness{Addr: netip.MustParseAddr(gates[1]), Port: ports[1]})
	return c
}

func TestContestedGroupTakesWhereThePolicySaysSo(t *testing.T) {
	take := group2(50)
	for k := range take.Instances {
		take.Instances[k].Contested = ContestedTake
	}
	w, _, b := boot(t, group2(100), take)
	w.cut()
	w.until("B claims", 10*time.Second, func() bool { return b.is(vrrp.Master) })
}

// A group whose one member hears a MASTER it must obey does not preempt with
// the other.
func TestGroupDoesNotPreemptByHalf(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A"), w.add("B")
	a.cfg, b.cfg = group2(100), group2(50)
	a.cfg.Instances[1].VRRP.Priority = 20 // outranked in one of the two
	b.start()
	w.run(10 * time.Second)
	a.start()
	w.run(time.Minute)
	w.want("nobody moves", b.serves() && a.bare() && len(a.moves) == 2 && len(b.moves) == 4)
}

// One dead access switch does not take a group off every other segment, and
// does not make it wander; a whole group is better than half a one.
func TestPartialServiceOfAGroup(t *testing.T) {
	w, a, b := boot(t, wide(100), wide(50))
	a.link("p3p1", false)
	b.link("p3p1", false)
	w.run(30 * time.Second)
	moves := len(a.moves) + len(b.moves)
	w.run(2 * time.Minute)
	w.want("nobody wanders", len(a.moves)+len(b.moves) == moves)
	for _, vip := range []string{"192.168.20.1", "203.0.113.1"} {
		w.want("the rest is served by one", a.has(netip.MustParseAddr(vip)) != b.has(netip.MustParseAddr(vip)))
	}
	b.link("p3p1", true)
	w.run(20 * time.Second)
	w.want("B serves everything", b.serves() && a.bare())
	a.link("p3p1", true)
	w.run(20 * time.Second)
	w.want("A serves everything again", a.serves() && b.bare())
}

// A group whose one member has no port left stays in FAULT, quietly.
func TestGroupWithoutAMemberStaysInFault(t *testing.T) {
	w, a, b := boot(t, group2(100), group2(50))
	a.link("p3p1", false)
	b.link("p3p1", false)
	w.run(30 * time.Second)
	moves := len(a.moves) + len(b.moves)
	w.run(2 * time.Minute)
	w.want("nobody wanders", len(a.moves)+len(b.moves) == moves && a.is(vrrp.Fault) && b.is(vrrp.Fault))
}

func TestReloadDoesNotTouchAFault(t *testing.T) {
	w, a, _ := boot(t, group2(100), group2(50))
	a.link("p3p1", false)
	w.run(time.Minute)
	moves := len(a.moves)
	a.tell(Reload{Config: a.cfg})
	w.run(time.Minute)
	w.want("nothing moved", len(a.moves) == moves && a.is(vrrp.Fault))
}
