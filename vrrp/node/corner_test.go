package node

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// boot starts A and B with these configurations and runs them until A serves
// and B is calibrated.
func boot(t *testing.T, ca, cb Config) (w *pair, a, b *box) {
	t.Helper()
	w = newPair(t)
	a, b = w.add("A"), w.add("B")
	a.cfg, b.cfg = ca, cb
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.want("A serves everything", a.serves() && b.bare())
	return w, a, b
}

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

// A proxy that answers first does not hide the peer that answers as well.
func TestProxyDoesNotHideThePeer(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", lone(100, 0)), w.add("B", lone(50, 0))
	w.lans["p3p1"].proxy = MAC{2, 0xee, 1}
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.cut()
	w.run(20 * time.Second)
	w.want("B holds back", a.serves() && b.bare() && b.changes() == 0)
}

// Whoever answers a broadcast first does not answer for the others, a station
// answers a question once, and a unicast is answered by whom it was put to.
func TestAnswersBelongToQuestions(t *testing.T) {
	quick, slow := MAC{2, 1}, MAC{2, 2}
	x := &target{pending: []pending{{form: broadcast, at: 10}, {form: unicast, to: slow, at: 20}}}
	for _, c := range []struct {
		mac  MAC
		form form
		ok   bool
	}{
		{quick, broadcast, true}, {slow, broadcast, true}, {quick, 0, false}, {slow, unicast, true}, {slow, 0, false},
	} {
		if q, _, ok := x.match(30, c.mac); ok != c.ok || q.form != c.form {
			t.Errorf("%v: an answer to %v (%v), want %v (%v)", c.mac, q.form, ok, c.form, c.ok)
		}
	}
	if _, _, ok := x.match(vrrp.Instant(time.Second), MAC{2, 3}); ok {
		t.Error("an answer a second late belongs to no question")
	}
}

// A survivor is not driven away by a fabric that answers broadcasts for the
// dead peer from its cache.
func TestCacheDoesNotDriveTheSurvivorAway(t *testing.T) {
	w, a, b := newStory(t)
	for k, p := range ports {
		w.lans[p].cache = map[netip.Addr]MAC{story(1).VIPs[k].Prefix.Addr(): a.macs[p]}
	}
	w.run(40 * time.Second)
	w.powerOff(a)
	w.until("B serves", time.Second, b.serves)
	moves := len(b.moves)
	w.run(2 * time.Minute)
	w.want("B serves on", b.serves() && len(b.moves) == moves)
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

func TestStallOfAnUnansweredConsultationIsJudged(t *testing.T) {
	w, a, b := newStory(t)
	w.cut()
	w.until("B's machine asks", 10*time.Second, func() bool { return b.n.instances[0].consult != nil })
	b.paused = true
	w.run(time.Second)
	b.paused = false
	b.tell(Expired{})
	w.run(20 * time.Millisecond)
	w.want("B holds back", b.is(vrrp.Backup) && a.serves())
}

// A router in FAULT that hears a MASTER does not offer half a service, however
// silent the segments are.
func TestNoPartialServiceBesideAMaster(t *testing.T) {
	w, a, b := newStory(t)
	b.mum = true
	a.link("p3p1", false)
	w.until("B serves", 5*time.Second, b.serves)
	moves := len(a.moves)
	w.run(time.Minute)
	w.want("A stays in FAULT", a.is(vrrp.Fault) && len(a.moves) == moves && b.serves())
}

func TestPartialServiceFollowsThePorts(t *testing.T) {
	w, a, b := newStory(t)
	for _, x := range []*box{a, b} {
		x.link("p3p1", false)
		x.link("p3p2", false)
	}
	w.run(20 * time.Second)
	w.want("one serves what is left", a.is(vrrp.Master) != b.is(vrrp.Master))
	m := a
	if b.is(vrrp.Master) {
		m = b
	}
	m.link("p3p2", true)
	w.until("and what comes back", time.Second, func() bool { return m.has(netip.MustParseAddr("192.168.20.1")) })
	w.want("but not the rest", !m.has(netip.MustParseAddr("192.168.10.1")))
}

func TestPartialServiceKeepsItsPriorityOverAReload(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(b)
	a.link("p3p1", false)
	w.run(20 * time.Second)
	w.want("A serves partially", a.is(vrrp.Master) && a.n.Status().Instances[0].Partial)
	a.cfg = Config{Instances: []Instance{story(120)}}
	a.tell(Reload{Config: a.cfg})
	w.run(time.Second)
	w.want("at priority 1", a.n.Status().Instances[0].Effective == 1)
	a.link("p3p1", true)
	w.run(time.Second)
	w.want("and then at its own", a.n.Status().Instances[0].Effective == 120)
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

func TestFlappingLastsUntilTheCarrierWasQuiet(t *testing.T) {
	w, _, b := newStory(t)
	flap := func() {
		w.cut()
		w.run(100 * time.Millisecond)
		w.join()
	}
	for range 3 {
		flap()
		w.run(2 * time.Second)
	}
	for range 4 { // never quiet for ten seconds
		w.run(6 * time.Second)
		w.want("flapping", b.n.byName[cable].flapping(w.now))
		flap()
	}
	w.run(flapWindow + time.Second)
	w.want("quiet", !b.n.byName[cable].flapping(w.now))
}

// dual is the story with a second instance for IPv6 on the same ports.
func dual(priority uint8) Config {
	six := story(priority)
	six.Name = "VI_6"
	six.VRRP = vrrp.Params{VRID: 50, Family: vrrp.IPv6, Version: vrrp.V3, Priority: priority, Interval: time.Second, Preempt: true}
	six.VIPs, six.Routes, six.Witnesses = nil, nil, nil
	six.VRRP.Addresses = []netip.Addr{netip.MustParseAddr("fe80::50")}
	for k, p := range ports {
		v := netip.MustParsePrefix([]string{"2001:db8:1::1/64", "2001:db8:2::1/64", "2001:db8:3::1/64"}[k])
		six.VIPs = append(six.VIPs, VIP{Prefix: v, Port: p})
		six.Witnesses = append(six.Witnesses, Witness{Addr: v.Addr().Next().Next(), Port: p})
	}
	return Config{Instances: []Instance{story(priority), six}}
}

// One peer with two families is one router, not two: its death is acted upon
// at once.
func TestBothFamiliesOfOnePeerAreOneRouter(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A"), w.add("B")
	a.cfg, b.cfg = dual(100), dual(50)
	for k, p := range ports {
		w.lans[p].gateway2 = a.cfg.Instances[1].Witnesses[k].Addr
	}
	a.start()
	b.start()
	w.run(40 * time.Second)
	w.want("A serves", a.serves() && b.bare())
	w.powerOff(a)
	took := w.until("B serves both families", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v", took)
	}
}

// A virtual link-local address is neither the source of adverts nor of
// questions.
func TestVirtualLinkLocalAddressIsNoSource(t *testing.T) {
	c := dual(100)
	virtual := netip.MustParsePrefix("fe80::50/64")
	c.Instances = c.Instances[1:]
	c.Instances[0].VIPs = append(c.Instances[0].VIPs, VIP{Prefix: virtual, Port: cable})
	w := newPair(t)
	a := w.add("A")
	a.cfg = c
	a.onAdvert = func(x SendAdvert) { w.want("adverts come from an own address", x.Src != virtual.Addr()) }
	a.start()
	w.run(10 * time.Second)
	w.want("A serves", a.serves())
	r := a.read()
	r.Ports[0].Addresses = append([]netip.Prefix{virtual}, r.Ports[0].Addresses...)
	a.tell(r)
	w.run(5 * time.Second)
}

// A stranger who answers in one place does not make two out of one answer: an
// old MASTER goes only where the peer answers on every port.
func TestOnlyThePeersAnswersDriveAMasterAway(t *testing.T) {
	w, a, b := newStory(t)
	w.run(30 * time.Second)
	_ = b
	peer := b.macs["p3p1"]
	i := a.n.instances[0]
	a.n.byName["p3p1"].addPeer(peer)
	a.n.byName["p3p2"].addPeer(MAC{2, 'B', 2})
	a.n.byName["p1p1"].addPeer(MAC{2, 'B', 3})
	a.onAsk = func(q Ask) { // the peer answers on one port, printers on the others
		if !a.n.isVIP(q.Target) {
			return
		}
		mac := MAC{2, 0xdd, q.Port[1], q.Port[3]}
		if q.Port == "p3p1" {
			mac = peer
		}
		if q.To == (MAC{}) || q.To == mac {
			w.at(2*flight, func() { a.tell(Heard{Port: q.Port, Op: Reply, Sender: q.Target, MAC: mac, Target: q.Sender}) })
		}
	}
	a.tell(Heard{Port: "p3p1", Op: Gratuitous, Sender: netip.MustParseAddr("192.168.10.1"), MAC: peer})
	w.want("A asks", i.mastery.contested)
	w.run(20 * time.Second)
	w.want("A defends", a.is(vrrp.Master) && a.serves() && a.changes() == 1)
}

func TestVerdictOfAContestEndsWithIt(t *testing.T) {
	w, a, _ := newStory(t)
	w.run(30 * time.Second)
	for range 3 {
		a.tell(Heard{Port: "p3p1", Op: Gratuitous, Sender: netip.MustParseAddr("192.168.10.1"), MAC: MAC{2, 0xdd, 1}})
		w.run(time.Second)
	}
	w.want("a stranger is an alarm", a.rule() == verdict.MasterStranger)
	w.run(time.Minute)
	w.want("that ends", a.rule() != verdict.MasterStranger)
}

// A peer whose box was replaced is learnt again.
func TestReplacedPeerIsLearntAgain(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(a)
	w.until("B serves", time.Second, b.serves)
	w.run(time.Minute)
	for p, mac := range a.macs {
		a.macs[p] = MAC{2, 'Z', mac[2]}
	}
	w.powerOn(a)
	w.run(time.Minute)
	w.want("A serves", a.serves() && b.bare())
	w.cut()
	w.run(30 * time.Second)
	w.want("and is known for what it is", b.bare() && b.rule() == verdict.BackupContested)
}

// Somebody who asks for our address, and be it under a hundred names, does not
// make the peer a stranger.
func TestProbesDoNotMakeThePeerAStranger(t *testing.T) {
	w, a, b := newStory(t)
	for k := range byte(100) {
		for n, p := range ports {
			b.tell(Heard{Port: p, Op: Request, Sender: netip.IPv4Unspecified(), MAC: MAC{2, 0xcc, k}, Target: story(1).VIPs[n].Prefix.Addr()})
		}
	}
	w.cut()
	w.run(20 * time.Second)
	w.want("B holds back", a.serves() && b.bare() && b.changes() == 0)
}

// Stations that were overheard once and are gone give way to others.
func TestWitnessesThatAreGoneAreReplaced(t *testing.T) {
	bare := func(i *Instance) { i.Witnesses = nil }
	w := newPair(t)
	w.quiet = true
	a, b := w.add("A", with(100, bare)).start(), w.add("B", with(50, bare)).start()
	for k := range byte(20) {
		for n, p := range ports {
			from := story(1).VIPs[n].Prefix.Addr().As4()
			from[3] = 100 + k
			b.tell(Heard{Port: p, Op: Gratuitous, Sender: netip.AddrFrom4(from), MAC: MAC{2, 0xcc, k}, Target: netip.AddrFrom4(from)})
		}
	}
	w.run(5 * time.Minute)
	w.quiet = false
	for range 20 { // a gateway that speaks now and then
		for n, p := range ports {
			l := w.lans[p]
			b.tell(Heard{Port: p, Op: Request, Sender: l.gateway, MAC: l.mac, Target: story(1).VIPs[n].Prefix.Addr().Next()})
		}
		w.run(10 * time.Second)
	}
	w.powerOff(a)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v, without a witness", took)
	}
}

// Enemies of the heap: MASTERs under ever new names.
func TestInquiriesAreBounded(t *testing.T) {
	w := newPair(t)
	b := w.add("B", with(50, func(i *Instance) { i.VRRP.Auth = vrrp.AuthNone; i.VRRP.Version = vrrp.V3 })).start()
	w.run(time.Second)
	p := b.cfg.Instances[0].VRRP
	dst := netip.MustParseAddr("224.0.0.18")
	for k := range byte(60) {
		src := netip.AddrFrom4([4]byte{10, 255, 1, k})
		payload, err := p.Advert(200).Append(nil, src, dst)
		if err != nil {
			t.Fatal(err)
		}
		b.tell(Frame{Port: cable, MAC: MAC{2, 0xcc, k}, Src: src, Dst: dst, TTL: 255, Payload: payload})
		w.run(2 * time.Second)
		w.cut()
		w.run(100 * time.Millisecond)
		w.join()
	}
	if got := len(b.n.inquiries); got > 4 {
		t.Errorf("%d inquiries are kept", got)
	}
}

func TestFaultHasARuleAndACulprit(t *testing.T) {
	w, a, _ := newStory(t)
	a.link("p3p1", false)
	w.run(time.Millisecond)
	last := a.moves[len(a.moves)-1]
	w.want("the transition names rule and culprit", last.To == vrrp.Fault && last.Verdict.Rule == verdict.FaultLocal && strings.Contains(last.Reason, "p3p1"))
	a.link("p3p2", false)
	a.link("p1p1", false)
	w.run(time.Millisecond)
	w.want("and it is judged again", a.rule() == verdict.FaultIsolated)
}

func TestWaitingIsSaidOnce(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	b.start()
	w.run(8 * time.Second)
	w.lans["p3p1"].muted[a] = true
	a.start()
	w.run(40 * time.Second)
	count := 0
	for _, n := range a.notes {
		if strings.Contains(n.Text, "preemption waits") {
			count++
		}
	}
	if count != 1 {
		t.Errorf("said %d times", count)
	}
}

func TestStrangerIsAnAlarm(t *testing.T) {
	w, _, b := newStory(t)
	w.lans["p3p1"].gateway2 = netip.MustParseAddr("192.168.10.1")
	w.run(5 * time.Minute)
	alarms := 0
	for _, n := range b.notes {
		if n.Level == Alarm && strings.Contains(n.Text, "02:ff:00") {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms about the stranger", alarms)
	}
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

// Whatever happens to the heartbeat port alone, nobody moves.
func TestTheHeartbeatPortAloneMovesNobody(t *testing.T) {
	for seed := range uint64(40) {
		w, a, b := newStory(t)
		r := rand.New(rand.NewPCG(seed, 3))
		w.want("calibrated", a.changes() == 1 && b.changes() == 0)
		for range 30 {
			x := []*box{a, b}[r.IntN(2)]
			switch r.IntN(4) {
			case 0:
				w.cut()
			case 1:
				w.join()
			case 2:
				x.deaf[cable] = !x.deaf[cable]
			case 3:
				x.link(cable, !x.carrier[cable])
			}
			w.run(time.Duration(r.Int64N(int64(5 * time.Second))))
			w.want(fmt.Sprintf("seed %d: A serves alone", seed), a.serves() && b.bare() && a.changes() == 1 && b.changes() == 0)
		}
	}
}

// An hour of peace costs few wake-ups and no memory.
func TestPeaceCostsLittle(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A"), w.add("B")
	a.cfg, b.cfg = dual(100), dual(50)
	for k, p := range ports {
		w.lans[p].gateway2 = a.cfg.Instances[1].Witnesses[k].Addr
	}
	a.start()
	b.start()
	w.run(time.Minute)
	steps, kept := 0, footprint(a.n)+footprint(b.n)
	a.onStep = func(e Event, _ []Action) {
		if e == (Expired{}) {
			steps++
		}
	}
	b.onStep = a.onStep
	w.run(time.Hour)
	if limit := 2 * 20 * 3600; steps > limit {
		t.Errorf("%d wake-ups, want at most %d", steps, limit)
	}
	if now := footprint(a.n) + footprint(b.n); now > kept {
		t.Errorf("%d things are kept after an hour, %d before it", now, kept)
	}
}

// footprint counts everything in every map and list of a brain.
func footprint(n *Node) int {
	return size(reflect.ValueOf(n), map[unsafe.Pointer]bool{})
}

func size(v reflect.Value, seen map[unsafe.Pointer]bool) int {
	total := 0
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.UnsafePointer()] {
			seen[v.UnsafePointer()] = true
			total = size(v.Elem(), seen)
		}
	case reflect.Struct:
		for k := range v.NumField() {
			total += size(v.Field(k), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			total = v.Cap()
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return total
		}
		for k := range v.Len() {
			total += size(v.Index(k), seen)
		}
	case reflect.Map:
		total = v.Len()
		for r := v.MapRange(); r.Next(); {
			total += size(r.Value(), seen)
		}
	}
	return total
}

// wide are two instances of one group of which the first has two segments.
func wide(priority uint8) Config {
	c := group2(priority)
	all := story(priority).VIPs
	c.Instances[0].VIPs, c.Instances[1].VIPs = all[:2], all[2:]
	c.Instances[0].Witnesses = append(c.Instances[0].Witnesses, Witness{Addr: netip.MustParseAddr(gates[1]), Port: ports[1]})
	return c
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

// An instance that a reload adds waits for the carrier like any other.
func TestAddedInstanceWaitsForTheCarrier(t *testing.T) {
	w, a, b := newStory(t)
	a.cfg = dual(100)
	a.carrier[cable] = false
	a.tell(a.read())
	w.run(time.Second)
	a.tell(Reload{Config: a.cfg})
	six := a.cfg.Instances[1].Key()
	w.run(time.Second)
	w.want("not started", a.state[six] == vrrp.Initialize)
	w.run(5 * time.Second)
	w.want("started without it", a.state[six] == vrrp.Backup && b.bare())
}

// Routers that were told different intervals still agree, by version 3: a
// BACKUP learns the MASTER's.
func TestIntervalIsLearnt(t *testing.T) {
	c := dual(100)
	for _, other := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 10 * time.Second} {
		slow := dual(50)
		slow.Instances[1].VRRP.Interval = other
		w := newPair(t)
		a, b := w.add("A", c.Instances[1]), w.add("B", slow.Instances[1])
		a.start()
		w.run(5 * time.Second)
		b.start()
		w.run(time.Minute)
		w.want("A serves alone", a.serves() && b.bare())
		w.cut()
		w.run(time.Minute)
		w.want("still", a.serves() && b.bare() && b.changes() == 0)
		w.powerOff(a)
		w.until("B serves", 5*time.Second, b.serves)
	}
}

// A stall that outlives the leases puts the addresses back and says so.
func TestStallThatOutlivesTheLease(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(b)
	a.paused = true
	w.run(3400 * time.Millisecond)
	w.want("the leases ran out", a.bare())
	announced := 0
	a.onAnnounce = func(Announce) { announced++ }
	a.paused = false
	a.tell(Expired{})
	w.run(100 * time.Millisecond)
	w.want("the addresses are back and announced", a.serves() && announced > 0 && a.is(vrrp.Master))
}

// Thirty instances on one segment share its budget of questions, and none
// takes what it could not ask for silence.
func TestManyInstancesOnOneSegment(t *testing.T) {
	many := func(priority uint8) (c Config) {
		for k := range byte(30) {
			i := lone(priority, 0)
			i.VRRP.VRID = k + 1
			i.VIPs = []VIP{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 10, k + 1}), 24), Port: "p3p1"}}
			c.Instances = append(c.Instances, i)
		}
		return c
	}
	w, a, b := boot(t, many(100), many(50))
	w.run(5 * time.Minute)
	moves := len(b.moves)
	w.cut()
	w.run(time.Minute)
	w.want("B holds back for all", a.serves() && b.bare() && len(b.moves) == moves)
	w.powerOff(a)
	w.until("B serves all", 5*time.Second, b.serves)
}
