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

// Where one member would take a contested address and the other would wait, the one that takes leads: a group has one state, and
// two policies must not pull it to and fro.
func TestGroupOfTwoPolicies(t *testing.T) {
	mixed := group2(50)
	mixed.Instances[0].Contested, mixed.Instances[1].VRRP.Priority = ContestedTake, 20 // the first leads
	w := newPair(t)
	a, b := w.add("A", two(100)[0]), w.add("B") // A has nothing of the second
	b.cfg = mixed
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.cut()
	w.until("B claims", 10*time.Second, func() bool { return b.is(vrrp.Master) })
	moves := len(b.moves)
	w.run(2 * time.Second)
	w.want("and stays what it is", len(b.moves) == moves)
}

// A reload moves no state where the members of a group are not of one mind: one serves half, the other has nothing to serve on.
func TestReloadDoesNotTouchHalfAGroup(t *testing.T) {
	w := newPair(t)
	a := w.add("A")
	a.cfg = wide(100)
	a.start()
	w.until("A serves", 20*time.Second, a.serves)
	a.link("p3p1", false)
	w.run(time.Minute)
	a.link("p1p1", false)
	w.run(10 * time.Second)
	half := netip.MustParseAddr("192.168.20.1")
	moves := len(a.moves)
	w.want("A serves half", a.has(half) && a.state[a.cfg.Instances[1].Key()] == vrrp.Fault)
	a.tell(Reload{Config: a.cfg})
	w.run(10 * time.Second)
	w.want("and still does", a.has(half) && len(a.moves) == moves)
}

// An instance that joins a group, first or last in its list, follows the MASTER that is there.
func TestReloadThatEnlargesAGroup(t *testing.T) {
	for _, k := range []int{0, 1} {
		w := newPair(t)
		whole := group2(100)
		half := Config{Instances: whole.Instances[1-k : 2-k], Groups: []Group{{Name: whole.Groups[0].Name, Members: whole.Groups[0].Members[1-k : 2-k]}}}
		a := w.add("A")
		a.cfg = half
		a.start()
		w.until("A serves", 20*time.Second, a.serves)
		moves := len(a.moves)
		a.cfg = whole
		a.tell(Reload{Config: a.cfg})
		w.until("A serves all", 20*time.Second, a.serves)
		key := half.Instances[0].Key()
		for _, m := range a.moves[moves:] {
			if m.Key == key {
				t.Errorf("member %d joined, and %v moved from %v to %v", k, key, m.From, m.To)
			}
		}
	}
}

// A member that could serve half waits for one that can serve nothing at all, instead of going to and fro beside it.
func TestGroupWithAMemberThatIsLostStaysInFault(t *testing.T) {
	w := newPair(t)
	a := w.add("A")
	a.cfg = wide(100)
	a.cfg.Instances[1].VIPs[0].Port = "p3p1" // and nowhere else
	a.start()
	w.until("A serves", 20*time.Second, a.serves)
	a.link("p3p1", false)
	w.run(time.Minute)
	moves := len(a.moves)
	w.run(2 * time.Minute)
	w.want("nothing wanders", len(a.moves) == moves && a.is(vrrp.Fault))
}

// A member whose MASTER is heard after its doubt began holds the group, although another member's peer is proved dead: the proof of
// life counts for as long as it would for that member alone. Each member has a heartbeat port of its own, and both go dark.
func TestGroupHoldsWhileAMemberIsServed(t *testing.T) {
	apart := func(priority uint8) Config {
		c := group2(priority)
		all := story(priority).VIPs
		for k := range c.Instances {
			i := &c.Instances[k]
			i.Routes, i.Witnesses, i.VIPs = nil, []Witness{{Addr: netip.MustParseAddr(gates[k]), Port: ports[k]}}, all[k:k+1]
			i.VRRP.Addresses = []netip.Addr{all[k].Prefix.Addr()}
		}
		c.Instances[1].Port, c.Instances[1].Source = "p1p1", netip.AddrFrom4([4]byte{203, 0, 113, priority})
		c.Groups[0].Members[1] = c.Instances[1].Key()
		return c
	}
	w, a, b := boot(t, apart(100), apart(50))
	i := a.cfg.Instances[1]
	dst := i.VRRP.Family.Group()
	payload, err := i.VRRP.Advert(100).Append(nil, i.Source, dst)
	if err != nil {
		t.Fatal(err)
	}
	w.powerOff(a)
	b.link("p1p1", false)
	w.run(2 * time.Millisecond)
	b.tell(Frame{Port: i.Port, MAC: a.macs[i.Port], Src: i.Source, Dst: dst, TTL: 255, Payload: payload})
	w.run(time.Second)
	w.want("B holds still", b.is(vrrp.Backup))
	w.until("B serves when the advert is old", 4*time.Second, b.serves)
}
