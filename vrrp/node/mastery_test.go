package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// announced is how many frames each announcement has, among what a brain wants done.
func announced(actions []Action) (list []int) {
	for _, a := range actions {
		if x, ok := a.(Announce); ok {
			list = append(list, x.Repeat)
		}
	}
	return list
}

// established is a MASTER of five minutes with its addresses in the kernel, its heartbeat in order and nobody else heard.
func established(t *testing.T, cfg ...Instance) (*Node, *instance) {
	t.Helper()
	n, i := serving(t, cfg...)
	for _, i := range n.instances {
		i.kernel.installed, i.kernel.pending = true, stamp{}
	}
	n.now = n.now.Add(5 * time.Minute)
	n.out = nil
	for _, p := range n.ports {
		p.fill(n.now)
		p.heard = true
	}
	return n, i
}

// What a takeover begins with depends on how it came about.
func TestHowAMastershipBegins(t *testing.T) {
	const window = 2304687500 * time.Nanosecond
	for _, c := range []struct {
		name    string
		cause   vrrp.Cause
		change  func(n *Node, i *instance)
		preempt bool // it knows of the other: it need not ask for rivals
		alone   bool // the other may let go slowly
	}{
		{"from silence", vrrp.CauseSilence, func(n *Node, i *instance) {}, false, false},
		{"by a preemption", vrrp.CausePreempt, func(n *Node, i *instance) {}, true, false},
		{"a lesser MASTER was heard", vrrp.CauseRuling, func(n *Node, i *instance) { i.lower = ago(n, window) }, true, true},
		{"a lesser MASTER was heard long ago", vrrp.CauseRuling, func(n *Node, i *instance) { i.lower = ago(n, window+1) }, false, false},
		{"a goodbye", vrrp.CauseGoodbye, func(n *Node, i *instance) { i.goodbye = ago(n, window) }, false, true},
		{"a goodbye long ago", vrrp.CauseGoodbye, func(n *Node, i *instance) { i.goodbye = ago(n, window+1) }, false, false},
		{"a goodbye before the cable went dark", vrrp.CauseGoodbye, func(n *Node, i *instance) { i.goodbye, i.heart.state.Carrier = ago(n, 0), CarrierDown }, false, false},
		{"the MASTER was heard", vrrp.CauseRuling, func(n *Node, i *instance) { i.obeyed = ago(n, window) }, false, true},
		{"the MASTER was heard long ago", vrrp.CauseRuling, func(n *Node, i *instance) { i.obeyed = ago(n, window+1) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, lone(50, 0))
			i, p := n.instances[0], n.byName["p3p1"]
			c.change(n, i)
			i.serving[0].witnessed, i.followed, i.mastery.contested, p.nextAsk = ago(n, 0), addr("10.255.0.1"), true, n.now.Add(time.Hour)
			n.enterMaster(i, c.cause)
			want := mastery{since: n.now, nextAsk: n.now}
			if !c.preempt {
				want.unsureUntil = n.now.Add(time.Minute)
			}
			if c.alone {
				want.alone = n.now.Add(100 * time.Millisecond)
			}
			m := i.mastery
			if m.since != want.since || m.nextAsk != want.nextAsk || m.unsureUntil != want.unsureUntil || m.alone != want.alone || m.contested {
				t.Errorf("it begins with %+v, want %+v", m, want)
			}
			if !i.wasMaster || i.followed.IsValid() || i.serving[0].witnessed.ok || p.nextAsk != n.now.Add(calibrateFast) || i.recant.preempt != c.preempt {
				t.Errorf("was MASTER %v, follows %v, witnessed %v, next question after %v, preemption %v",
					i.wasMaster, i.followed, i.serving[0].witnessed, p.nextAsk.Sub(n.now), i.recant.preempt)
			}
			if !i.kernel.holding {
				t.Error("its addresses are not installed")
			}
		})
	}
	for after, want := range map[time.Duration]bool{answerWindow: true, answerWindow + 1: false} {
		n := single(t, lone(50, 0))
		n.overslept = ago(n, after)
		if n.enterMaster(n.instances[0], vrrp.CauseSilence); (n.instances[0].mastery.alone == n.now.Add(answerWindow)) != want {
			t.Errorf("%v after oversleeping: what is heard is believed after %v", after, n.instances[0].mastery.alone.Sub(n.now))
		}
	}
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	p.nextAsk = n.now + 1
	if n.enterMaster(n.instances[0], vrrp.CauseSilence); p.nextAsk != n.now+1 {
		t.Error("a question that was near is put off")
	}
}

// A MASTER asks for rivals while its heartbeat is not up, and for a minute after a takeover from silence; not in a contest.
func TestWhenAMasterAsksForRivals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"in peace", func(n *Node, i *instance) {}, false},
		{"in the dark", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierDown }, true},
		{"carrier not known", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierUnknown }, true},
		{"unsure", func(n *Node, i *instance) { i.mastery.unsureUntil = n.now + 1 }, true},
		{"sure again", func(n *Node, i *instance) { i.mastery.unsureUntil = n.now }, false},
		{"in a contest", func(n *Node, i *instance) {
			i.mastery.unsureUntil, i.mastery.contested, i.mastery.askAt = n.now+1, true, n.now.Add(time.Hour)
			n.rival(i, n.byName["p3p1"], addr("192.168.10.1"), peerMAC)
		}, false},
		{"not yet", func(n *Node, i *instance) { i.mastery.unsureUntil, i.mastery.nextAsk = n.now+1, n.now+1 }, false},
		{"adverts that decide nothing go on", func(n *Node, i *instance) {
			i.mastery.heard, i.mastery.heardEnd = ago(n, 2*time.Second+1), ago(n, 2*time.Second)
		}, true},
		{"adverts that may still decide", func(n *Node, i *instance) {
			i.mastery.heard, i.mastery.heardEnd = ago(n, 2*time.Second), ago(n, 2*time.Second)
		}, false},
		{"adverts that are over", func(n *Node, i *instance) {
			i.mastery.heard, i.mastery.heardEnd = ago(n, 5*time.Second), ago(n, 2*time.Second+1)
		}, false},
	} {
		n, i := established(t, lone(100, 0))
		i.mastery.nextAsk = n.now
		c.change(n, i)
		n.settleMaster(i)
		if got := len(questions(n.out)) > 0; got != c.want {
			t.Errorf("%s: asks %v", c.name, got)
		}
	}
}

// The questions for rivals: one address in turn on every port that has one and carrier, four times an interval but not more often than the
// budget allows, and a witness with it until one has answered.
func TestQuestionsForRivals(t *testing.T) {
	cfg := story(100)
	cfg.VIPs = append(cfg.VIPs, VIP{Prefix: netip.MustParsePrefix("192.168.10.2/24"), Port: "p3p1"})
	cfg.Track = []Port{"p9p9"}
	n, i := established(t, cfg)
	n.byName["p3p2"].state.Carrier = CarrierDown
	n.byName["p9p9"].state, n.byName["p9p9"].known = n.byName["p3p1"].state, true
	i.serving[0].witnessed.set(n.now) // p3p1
	n.addWitness(n.byName["p1p1"], addr("203.0.113.9"), rankOverheard, MAC{2, 0xcc})
	var got [][]netip.Addr
	for range 3 {
		n.out = nil
		n.askForRivals(i)
		var list []netip.Addr
		for _, q := range questions(n.out) {
			if q.To != (MAC{}) {
				t.Errorf("asked by unicast: %v", q)
			}
			list = append(list, q.Target)
		}
		got = append(got, list)
		if i.mastery.nextAsk != n.now.Add(250*time.Millisecond) {
			t.Errorf("asks again after %v", i.mastery.nextAsk.Sub(n.now))
		}
		n.now = i.mastery.nextAsk
	}
	one, two, third, gate := addr("192.168.10.1"), addr("192.168.10.2"), addr("203.0.113.1"), addr(gates[2])
	want := [][]netip.Addr{{one, third, gate}, {two, third, addr("203.0.113.9")}, {one, third, gate}}
	for k := range want {
		if !slices.Equal(got[k], want[k]) {
			t.Errorf("turn %d: asked %v, want %v", k, got[k], want[k])
		}
	}
	n.out = nil
	for _, p := range n.ports {
		p.tokens, p.filled = 0, n.now
	}
	n.askForRivals(i)
	if q := questions(n.out); len(q) != 2 || q[0].Target == gate {
		t.Errorf("without a budget the addresses are asked for on credit, and no witness: %v", q)
	}
	slow, k := established(t, with(100, func(i *Instance) { i.VRRP.Interval = 4 * time.Second }))
	if slow.askForRivals(k); k.mastery.nextAsk != slow.now.Add(time.Second) {
		t.Errorf("slow adverts: asks again after %v", k.mastery.nextAsk.Sub(slow.now))
	}
	fast, j := established(t, with(100, func(i *Instance) {
		i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, 100*time.Millisecond
	}))
	fast.askForRivals(j)
	if j.mastery.nextAsk != fast.now.Add(rivalPause) {
		t.Errorf("fast adverts: asks again after %v, want %v", j.mastery.nextAsk.Sub(fast.now), rivalPause)
	}
}

// A MASTER is old on a port where a witness has answered for a master-down interval.
func TestYouthOfAMaster(t *testing.T) {
	n, i := established(t, lone(100, 0))
	s := i.serving[0]
	for _, c := range []struct {
		witnessed stamp
		want      verdict.Youth
	}{
		{stamp{}, verdict.YouthYoung}, {ago(n, 0), verdict.YouthYoung}, {ago(n, i.masterDown()-1), verdict.YouthYoung},
		{ago(n, i.masterDown()), verdict.YouthOld}, {stamp{at: 0}, verdict.YouthYoung},
	} {
		s.witnessed = c.witnessed
		if got := n.youth(i, s); got != c.want {
			t.Errorf("witnessed %v: %v, want %v", c.witnessed, got, c.want)
		}
	}
	s.witnessed = stamp{}
	n.now++
	i.witnessed(s.port, n.now)
	first := s.witnessed
	i.witnessed(s.port, n.now+5)
	i.witnessed(i.heart, n.now+5)
	if first != (stamp{n.now, true}) || s.witnessed != first {
		t.Errorf("the first answer of a witness is %v, then %v", first, s.witnessed)
	}
}

// Adverts of another MASTER are an exchange for two intervals; without any for as long, the next begins another.
func TestExchangeOfAdverts(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		heard []time.Duration // adverts
		at    time.Duration
		want  bool
	}{
		{"none", nil, s, false}, {"one", []time.Duration{0}, 2 * s, true}, {"one, long ago", []time.Duration{0}, 2*s + 1, false},
		{"several", []time.Duration{0, s}, 2 * s, true}, {"for longer", []time.Duration{0, s, 2 * s}, 2*s + 1, false},
		{"after a pause", []time.Duration{0, 3 * s}, 4 * s, true}, {"just in time for the first", []time.Duration{0, 2 * s}, 2*s + 1, false},
	} {
		n, i := established(t, lone(100, 0))
		begin := n.now
		for _, at := range c.heard {
			n.now = begin.Add(at)
			n.exchange(i, vrrp.Advert{Priority: 1})
		}
		n.now = begin.Add(c.at)
		if got := n.exchanging(i); got != c.want {
			t.Errorf("%s: exchanging %v", c.name, got)
		}
	}
	n, i := established(t, lone(100, 0))
	if n.exchange(i, vrrp.Advert{}); n.exchanging(i) {
		t.Error("a goodbye is no advert of another MASTER")
	}
}

// A router is mute where every serving port is, of which there is one.
func TestAllMute(t *testing.T) {
	n, i := established(t, story(100))
	for _, s := range i.serving {
		s.port.heard, s.port.upSince = false, n.now
	}
	if !n.allMute(i) || !n.anyMute(i) {
		t.Error("not all are mute")
	}
	i.serving[1].port.heard = true
	if n.allMute(i) || !n.anyMute(i) {
		t.Error("all are mute, or none")
	}
	i.serving = i.serving[:1]
	if !n.allMute(i) {
		t.Error("one port that is mute is not all")
	}
	i.serving = nil
	if n.allMute(i) || n.anyMute(i) {
		t.Error("none of no ports is mute")
	}
}

// An answer to a broadcast is confirmed before it counts; one to a unicast, or of a virtual hardware address, counts.
func TestAnswersToAMaster(t *testing.T) {
	for _, c := range []struct {
		name         string
		form         form
		mac          MAC
		change       func(n *Node, i *instance)
		rival, asked bool
	}{
		{"to a unicast", unicast, peerMAC, nil, true, false},
		{"to a broadcast", broadcast, peerMAC, nil, false, true},
		{"of a virtual address", broadcast, virtualMAC, nil, true, false},
		{"of a proxy", unicast, MAC{2, 0xee}, nil, false, false},
		{"to a BACKUP", unicast, peerMAC, func(n *Node, i *instance) { n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown}) }, false, false},
		{"to a BACKUP, by broadcast", broadcast, peerMAC, func(n *Node, i *instance) { n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown}) }, false, false},
		{"while the last MASTER lets go", unicast, peerMAC, func(n *Node, i *instance) { i.mastery.alone = n.now + 1 }, false, false},
		{"after that", unicast, peerMAC, func(n *Node, i *instance) { i.mastery.alone = n.now }, true, false},
		{"our own", unicast, MAC{2, 'B', 1}, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := established(t, lone(100, 0))
			p := n.byName["p3p1"]
			p.addProxy(MAC{2, 0xee})
			if c.change != nil {
				c.change(n, i)
			}
			n.out = nil
			n.rivalAnswered(i, p, p.target(addr("192.168.10.1")), c.form, c.mac)
			if rival, asked := len(i.mastery.rivals) > 0, len(questions(n.out)) > 0; rival != c.rival || asked != c.asked || i.mastery.rivalled.ok != c.rival {
				t.Errorf("a rival %v, asked %v", rival, asked)
			}
		})
	}
}

// Whether who answers while the last MASTER lets go is more than that, is asked afterwards.
func TestSlowHandoverIsLookedAtAgain(t *testing.T) {
	n, i := established(t, lone(100, 0))
	m := &i.mastery
	m.alone, m.nextAsk = n.now.Add(50*time.Millisecond), n.now.Add(time.Hour)
	n.rival(i, n.byName["p3p1"], addr("192.168.10.1"), peerMAC)
	if m.nextAsk != m.alone || m.unsureUntil != m.alone.Add(i.masterDown()) {
		t.Errorf("asks after %v, until %v", m.nextAsk.Sub(n.now), m.unsureUntil.Sub(n.now))
	}
	m.unsureUntil = n.now.Add(time.Hour)
	if n.rival(i, n.byName["p3p1"], addr("192.168.10.1"), peerMAC); m.unsureUntil != n.now.Add(time.Hour) {
		t.Error("it asks for less long than before")
	}
}

// Eight rivals are remembered, each with two addresses and when it was last heard, as long as two intervals and a second.
func TestRivalsAreRemembered(t *testing.T) {
	n, i := established(t, story(100))
	m := &i.mastery
	one, two := n.byName["p3p1"], n.byName["p3p2"]
	for _, v := range []string{"192.168.10.1", "192.168.10.2", "192.168.10.3", "192.168.10.1"} {
		n.rival(i, one, addr(v), peerMAC)
		n.now++
	}
	n.rival(i, two, addr("192.168.20.1"), peerMAC)
	n.rival(i, one, addr("192.168.10.1"), strangerMAC)
	if len(m.rivals) != 3 || !slices.Equal(m.rivals[0].vips, []netip.Addr{addr("192.168.10.1"), addr("192.168.10.3")}) || m.rivals[0].at != n.now-1 ||
		!slices.Equal(m.rivals[1].vips, []netip.Addr{addr("192.168.20.1")}) || m.rivals[2].mac != strangerMAC || m.rivals[2].at != n.now {
		t.Errorf("rivals %+v", m.rivals)
	}
	for k := range byte(10) {
		n.rival(i, one, addr("192.168.10.1"), MAC{2, 0xd0, k})
	}
	if len(m.rivals) != maxRivals {
		t.Errorf("%d rivals", len(m.rivals))
	}
	first := m.rivals[0].at
	n.now = first.Add(3 * time.Second)
	if n.forgetRivals(i); len(m.rivals) != maxRivals {
		t.Errorf("%d rivals after three seconds", len(m.rivals))
	}
	n.now++
	if n.forgetRivals(i); len(m.rivals) != maxRivals-1 {
		t.Errorf("%d rivals a moment later", len(m.rivals))
	}
}

// What a rival is, by who is known for the peer and what it claims.
func TestKindsOfRivals(t *testing.T) {
	for _, c := range []struct {
		name   string
		peers  []MAC
		old    bool
		claims int // addresses
		want   verdict.Rival
	}{
		{"the peer", []MAC{strangerMAC}, true, 1, verdict.RivalPeer},
		{"a stranger", []MAC{peerMAC}, false, 1, verdict.RivalStranger},
		{"a stranger with two addresses", []MAC{peerMAC}, true, 2, verdict.RivalOneForTwo},
		{"anybody, to a young MASTER that knows nobody", nil, false, 1, verdict.RivalPeer},
		{"anybody, to an old one", nil, true, 1, verdict.RivalStranger},
		{"anybody with two addresses, to an old one", nil, true, 2, verdict.RivalOneForTwo},
	} {
		n, i := established(t, story(100))
		one, two := n.byName["p3p1"], n.byName["p3p2"]
		for _, m := range c.peers {
			one.addPeer(m)
		}
		if c.old {
			i.serving[0].witnessed = ago(n, time.Hour)
		}
		n.rival(i, one, addr("192.168.10.1"), strangerMAC)
		if c.claims > 1 {
			n.rival(i, two, addr("192.168.20.1"), strangerMAC)
		}
		n.rival(i, two, addr("192.168.20.1"), MAC{9})
		if got := n.kind(i, one, strangerMAC); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The evidence of a rivalry is that of its weightiest rival.
func TestEvidenceOfARivalry(t *testing.T) {
	n, i := established(t, story(100))
	quiet := verdict.Rivalry{Exchange: verdict.ExchangeNone, Rival: verdict.RivalNobody, Asked: verdict.TriNo, Mute: verdict.TriNo}
	check := func(what string, want verdict.Rivalry, about *service) {
		t.Helper()
		if got, s := n.rivalry(i); got != want || s != about {
			t.Errorf("%s: %v about %v, want %v", what, got, s, want)
		}
	}
	check("nobody", quiet, nil)
	one, two := n.byName["p3p1"], n.byName["p3p2"]
	one.addPeer(peerMAC)
	two.addPeer(peerMAC)
	i.serving[1].witnessed = ago(n, time.Hour)
	n.rival(i, i.heart, addr("192.168.10.1"), peerMAC)
	check("on a port that does not serve", quiet, nil)
	n.rival(i, one, addr("192.168.10.1"), strangerMAC)
	young := quiet
	young.Rival, young.Youth = verdict.RivalStranger, verdict.YouthYoung
	check("a stranger", young, i.serving[0])
	n.rival(i, two, addr("192.168.20.1"), peerMAC)
	old := quiet
	old.Rival, old.Youth = verdict.RivalPeer, verdict.YouthOld
	check("and the peer", old, i.serving[1])
	n.rival(i, n.byName["p1p1"], addr("203.0.113.1"), MAC{2, 0xd0})
	check("and another stranger", old, i.serving[1])
	n.exchange(i, vrrp.Advert{Priority: 1})
	old.Exchange = verdict.ExchangeOpen
	check("and adverts", old, i.serving[1])
	i.mastery.asked = true
	old.Asked, old.Everywhere = verdict.TriYes, verdict.TriUnknown
	n.inquiries = nil
	check("asked, without a burst", old, i.serving[1])
	for _, s := range i.serving {
		s.port.heard, s.port.upSince = false, n.now
	}
	check("and mute, after one advert", old, i.serving[1])
	n.now++
	n.exchange(i, vrrp.Advert{Priority: 1})
	old.Mute = verdict.TriYes
	check("and mute, after two", old, i.serving[1])
	for a, b := range map[verdict.Rival]verdict.Rival{
		verdict.RivalPeer: verdict.RivalOneForTwo, verdict.RivalOneForTwo: verdict.RivalStranger, verdict.RivalStranger: verdict.RivalNobody,
	} {
		if rivalWeight(a) <= rivalWeight(b) {
			t.Errorf("%v weighs no more than %v", a, b)
		}
	}
}

// A rival is everywhere that answered the full burst, itself, on each port on which a witness did.
func TestEverywhere(t *testing.T) {
	by := func(m MAC, f form) []answer {
		x := answer{mac: m}
		x.seen[f]++
		return []answer{x}
	}
	for _, c := range []struct {
		name     string
		answers  [2][]answer
		witness  [2]bool
		partial  bool
		noBurst  bool
		noAsking bool
		want     verdict.Tri
	}{
		{"both", [2][]answer{by(peerMAC, unicast), by(peerMAC, unicast)}, [2]bool{true, true}, false, false, false, verdict.TriYes},
		{"one, and a witness on the other", [2][]answer{by(peerMAC, unicast), nil}, [2]bool{true, true}, false, false, false, verdict.TriNo},
		{"one, and nobody on the other", [2][]answer{by(peerMAC, unicast), nil}, [2]bool{true, false}, false, false, false, verdict.TriYes},
		{"one, and a stranger on the other", [2][]answer{by(peerMAC, unicast), by(strangerMAC, unicast)}, [2]bool{true, true}, false, false, false, verdict.TriNo},
		{"one, and a cache on the other", [2][]answer{by(peerMAC, unicast), by(peerMAC, broadcast)}, [2]bool{true, true}, false, false, false, verdict.TriNo},
		{"one, and half a service here", [2][]answer{by(peerMAC, unicast), nil}, [2]bool{true, true}, true, false, false, verdict.TriYes},
		{"nobody", [2][]answer{}, [2]bool{false, false}, false, false, false, verdict.TriNo},
		{"nobody, and half a service here", [2][]answer{}, [2]bool{true, true}, true, false, false, verdict.TriNo},
		{"no burst", [2][]answer{}, [2]bool{}, false, true, false, verdict.TriUnknown},
		{"nothing asked", [2][]answer{}, [2]bool{}, false, false, true, verdict.TriNo},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := established(t, story(100))
			i.partial = c.partial
			n.inquiries = nil
			q := n.inquire(i)
			if !c.noBurst {
				q.burst = &burst{done: true}
			}
			for k, p := range []Port{"p3p1", "p3p2"} {
				n.byName[p].addPeer(peerMAC)
				if !c.noAsking && !c.noBurst {
					q.burst.asks = append(q.burst.asks, &asking{port: n.byName[p], answers: c.answers[k], witnessAny: c.witness[k]})
				}
			}
			if got := n.everywhere(i); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	for _, c := range []struct {
		name   string
		vips   []string
		known  bool // the peer, so that the answer is a stranger's
		wanted verdict.Tri
	}{
		{"a stranger with two addresses", []string{"192.168.10.1", "192.168.20.1"}, true, verdict.TriYes},
		{"somebody, where nobody is known, beside a rival", []string{"192.168.10.1"}, false, verdict.TriNo},
	} {
		n, i := established(t, story(100))
		p := n.byName["p3p1"]
		if c.known {
			p.addPeer(peerMAC)
		}
		i.serving[0].witnessed = ago(n, time.Hour)
		for _, v := range c.vips {
			n.rival(i, p, addr(v), strangerMAC)
		}
		n.inquiries = nil
		n.inquire(i).burst = &burst{done: true, asks: []*asking{{port: p, witnessAny: true, answers: by(strangerMAC, unicast)}}}
		if got := n.everywhere(i); got != c.wanted {
			t.Errorf("%s: %v, want %v", c.name, got, c.wanted)
		}
		two := n.byName["p3p2"] // and a rival of whom there is no doubt
		two.addPeer(peerMAC)
		n.inquire(i).burst.asks = append(n.inquire(i).burst.asks, &asking{port: two, witnessAny: true, answers: by(peerMAC, unicast)})
		if got := n.everywhere(i); got != verdict.TriYes {
			t.Errorf("%s, and the peer on another port: %v", c.name, got)
		}
	}
	n, i := established(t, story(100))
	n.inquiries = nil
	if got := n.everywhere(i); got != verdict.TriUnknown {
		t.Errorf("without an inquiry: %v", got)
	}
}

// What a MASTER does about each verdict.
func TestWhatAMasterDoes(t *testing.T) {
	for _, c := range []struct {
		name      string
		act       verdict.Act
		change    func(n *Node, i *instance)
		state     vrrp.State
		announced int
		contested bool
	}{
		{"ask", verdict.Ask, nil, vrrp.Master, 1, true},
		{"ask, in a contest", verdict.Ask, func(n *Node, i *instance) { i.mastery.contested = true }, vrrp.Master, 0, true},
		{"defend", verdict.Defend, nil, vrrp.Master, 1, false},
		{"defend again", verdict.Defend, func(n *Node, i *instance) { i.mastery.defended = ago(n, i.masterDown()) }, vrrp.Master, 0, false},
		{"defend a second later, with fast adverts", verdict.Defend, func(n *Node, i *instance) {
			i.cfg.VRRP.Version, i.cfg.VRRP.Auth, i.cfg.VRRP.Interval = vrrp.V3, vrrp.AuthNone, 100*time.Millisecond
			n.drive(i, vrrp.Reconfigured{Params: i.cfg.VRRP})
			i.mastery.defended = ago(n, time.Second)
		}, vrrp.Master, 0, false},
		{"defend more than a second later, with fast adverts", verdict.Defend, func(n *Node, i *instance) {
			i.cfg.VRRP.Version, i.cfg.VRRP.Auth, i.cfg.VRRP.Interval = vrrp.V3, vrrp.AuthNone, 100*time.Millisecond
			n.drive(i, vrrp.Reconfigured{Params: i.cfg.VRRP})
			i.mastery.defended = ago(n, time.Second+1)
		}, vrrp.Master, 1, false},
		{"defend much later", verdict.Defend, func(n *Node, i *instance) { i.mastery.defended = ago(n, i.masterDown()+1) }, vrrp.Master, 1, false},
		{"defend after a contest", verdict.Defend, func(n *Node, i *instance) { i.mastery.contested = true }, vrrp.Master, 1, false},
		{"stay", verdict.Stay, nil, vrrp.Master, 0, false},
		{"stay after a contest", verdict.Stay, func(n *Node, i *instance) { i.mastery.contested, i.mastery.asked = true, true }, vrrp.Master, 0, false},
		{"stay in a contest", verdict.Stay, func(n *Node, i *instance) { i.mastery.contested = true }, vrrp.Master, 0, true},
		{"obey", verdict.Obey, nil, vrrp.Backup, 0, false},
		{"recant", verdict.Recant, nil, vrrp.Backup, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := established(t, lone(100, 0))
			n.rival(i, n.byName["p3p1"], addr("192.168.10.1"), peerMAC)
			if c.change != nil {
				c.change(n, i)
			}
			wasContested := i.mastery.contested
			v := verdict.Verdict{Rule: verdict.MasterAnswered, Act: c.act}
			n.settled(i, v, i.serving[0])
			if i.state() != c.state || len(announced(n.out)) != c.announced || i.mastery.contested != c.contested {
				t.Errorf("state %v, announced %v, contested %v", i.state(), announced(n.out), i.mastery.contested)
			}
			if ended := wasContested && !c.contested; ended != (len(i.mastery.rivals) == 0) || ended && i.mastery.asked {
				t.Errorf("rivals %v, asked %v", i.mastery.rivals, i.mastery.asked)
			}
			if c.state == vrrp.Backup && i.reason != v.Why() {
				t.Errorf("the reason is %q", i.reason)
			}
			if c.act == verdict.Defend && c.announced > 0 && !i.mastery.defended.within(n.now, 0) {
				t.Errorf("defended %v", i.mastery.defended)
			}
		})
	}
}

// A contest asks its burst after an eighth of the interval, a share for the priority and a draw of the port: two that are in step part.
func TestWhenAContestAsks(t *testing.T) {
	for priority, share := range map[uint8]float64{1: 1. / 512, 100: 100. / 512, 254: 254. / 512} {
		n, i := established(t, lone(priority, 0))
		for _, s := range []*service{i.serving[0], nil} {
			p := i.heart
			if s != nil {
				p = s.port
			}
			twin := *p
			h := twin.fraction()
			i.mastery.contested = false
			n.settled(i, verdict.Verdict{Act: verdict.Ask}, s)
			want := time.Duration((0.125 + share + h/8) * float64(time.Second))
			if got := i.mastery.askAt.Sub(n.now); got != want {
				t.Errorf("priority %d: after %v, want %v", priority, got, want)
			}
		}
	}
}

// The burst of a contest is asked as soon as the budget allows one.
func TestBurstOfAContest(t *testing.T) {
	n, i := established(t, lone(100, 0))
	m, p := &i.mastery, n.byName["p3p1"]
	n.rival(i, p, addr("192.168.10.1"), peerMAC)
	m.contested, m.askAt, p.tokens = true, n.now, -budgetBorrow
	n.contest(i)
	if m.asked || m.askAt != n.now.Add(refill) || len(m.rivals) != 1 {
		t.Errorf("without a budget: asked %v, again after %v, rivals %v", m.asked, m.askAt.Sub(n.now), m.rivals)
	}
	n.now = m.askAt
	p.tokens = 0
	n.contest(i)
	if !m.asked || len(m.rivals) > 0 || n.burstDone(i) {
		t.Errorf("with one: asked %v, rivals %v, over %v", m.asked, m.rivals, n.burstDone(i))
	}
	b := n.inquire(i).burst
	b.done = true
	for began, want := range map[vrrp.Instant]bool{m.askAt: true, m.askAt - 1: false, m.askAt + 1: true} {
		if b.began = began; n.burstDone(i) != want {
			t.Errorf("a burst of %v is that of the contest: %v", began.Sub(m.askAt), !want)
		}
	}
	n.inquire(i).burst = nil
	if n.burstDone(i) {
		t.Error("no burst is over")
	}
	n.inquiries = nil
	if n.burstDone(i) {
		t.Error("the burst of no inquiry is over")
	}
}

// A contest asks where every port that has an address and may carry an answer can afford the full burst.
func TestContestThatIsAffordable(t *testing.T) {
	const enough = -budgetBorrow + 4 // three rounds and a witness
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"enough", func(n *Node, i *instance) { n.byName["p3p2"].tokens = enough }, true},
		{"too little", func(n *Node, i *instance) { n.byName["p3p2"].tokens = enough - 0.5 }, false},
		{"too little where nothing is asked for", func(n *Node, i *instance) { n.byName["p3p2"].tokens, i.serving[1].vips = 0-budgetBorrow, 0 }, true},
		{"too little where nobody can be asked", func(n *Node, i *instance) {
			n.byName["p3p2"].tokens, n.byName["p3p2"].state.Carrier = 0-budgetBorrow, CarrierDown
		}, true},
	} {
		n, i := established(t, story(100))
		i.mastery.contested, i.mastery.askAt = true, n.now
		c.change(n, i)
		n.contest(i)
		if i.mastery.asked != c.want || !c.want && i.mastery.askAt != n.now.Add(refill) {
			t.Errorf("%s: asked %v, again after %v", c.name, i.mastery.asked, i.mastery.askAt.Sub(n.now))
		}
	}
}

// Each recant within a minute waits twice as long as the one before, half a minute at most.
func TestWaitAfterARecant(t *testing.T) {
	n, i := established(t, lone(50, 0))
	skew := i.skew()
	v := verdict.Verdict{Rule: verdict.MasterYoung, Act: verdict.Recant}
	r := &i.recant
	recant := func() time.Duration {
		if i.state() != vrrp.Master {
			n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
		}
		twin := *i.heart
		h := time.Duration(twin.fraction() * float64(time.Second) / 8)
		n.recantMastery(i, v)
		return h
	}
	for k := range 9 {
		base := skew + recant()
		want := min(base<<k, 30*time.Second)
		if r.wait != want || r.count != k+1 || r.last != (stamp{n.now, true}) || r.answered != r.last {
			t.Fatalf("recant %d: waits %v, want %v; %+v", k+1, r.wait, want, r)
		}
		if at, _ := i.machine.Deadline(); i.state() != vrrp.Backup || at != n.now.Add(want) || i.reason != v.Why() || !i.otherMaster || i.wasMaster {
			t.Fatalf("recant %d: %v until %v", k+1, i.state(), at.Sub(n.now))
		}
		n.now = n.now.Add(time.Minute)
	}
	n.now++
	if base := skew + recant(); r.count != 1 || r.wait != base {
		t.Errorf("after more than a minute: recant %d, waits %v", r.count, r.wait)
	}
	fast, j := established(t, with(50, func(i *Instance) {
		i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, 10*time.Millisecond
	}))
	for range 20 {
		if j.state() != vrrp.Master {
			fast.drive(j, vrrp.Ruled{Ruling: vrrp.TakeOver})
		}
		twin := *j.heart
		base := j.skew() + time.Duration(twin.fraction()*float64(10*time.Millisecond)/8)
		if fast.recantMastery(j, v); j.recant.count > 11 && j.recant.wait != base<<10 {
			t.Fatalf("with fast adverts recant %d waits %v, want %v", j.recant.count, j.recant.wait, base<<10)
		}
	}
	for range 70 {
		recant()
	}
	if r.wait != 30*time.Second {
		t.Errorf("after 70 recants: waits %v", r.wait)
	}
}

// A preemption that was recanted bars the next one.
func TestRecantedPreemption(t *testing.T) {
	for _, preempted := range []bool{false, true} {
		n, i := established(t, lone(50, 0))
		i.recant.preempt = preempted
		n.recantMastery(i, verdict.Verdict{})
		if i.recant.barred != preempted {
			t.Errorf("preempted %v: barred %v", preempted, i.recant.barred)
		}
	}
}

// The moment of the next claim, as long as a recant is remembered.
func TestMomentOfTheNextClaim(t *testing.T) {
	now := vrrp.Instant(time.Hour)
	for _, c := range []struct {
		r    recanting
		want vrrp.Instant
		ok   bool
	}{
		{recanting{}, 0, false},
		{recanting{last: stamp{now, true}, answered: stamp{now - 5, true}, wait: 9}, now + 4, true},
		{recanting{last: stamp{now.Add(-time.Minute), true}, answered: stamp{now - 5, true}, wait: 1}, now - 4, true},
		{recanting{last: stamp{now.Add(-time.Minute - 1), true}, answered: stamp{now - 5, true}, wait: 9}, 0, false},
		{recanting{last: stamp{now, true}, answered: stamp{now - 5, true}}, 0, false},
	} {
		if at, ok := c.r.claimAt(now); at != c.want || ok != c.ok {
			t.Errorf("%+v: %v, %v", c.r, at, ok)
		}
	}
}

// The bar on preemption is lifted when the cable was touched or the other has fallen silent.
func TestBarOnPreemptionIsLifted(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		barred bool
	}{
		{"nothing changed", func(n *Node, i *instance) {}, true},
		{"the cable was lost", func(n *Node, i *instance) { i.heart.lostAt = stamp{i.recant.last.at + 1, true} }, false},
		{"the cable was lost before", func(n *Node, i *instance) { i.heart.lostAt = i.recant.last }, true},
		{"the cable came back", func(n *Node, i *instance) { i.heart.upSince = i.recant.last.at + 1 }, false},
		{"the cable came back before", func(n *Node, i *instance) { i.heart.upSince = i.recant.last.at }, true},
		{"no advert any more, but answers", func(n *Node, i *instance) { i.lower = stamp{} }, true},
		{"no answers any more, but adverts", func(n *Node, i *instance) { i.recant.answered = ago(n, time.Hour) }, true},
		{"neither", func(n *Node, i *instance) { i.lower, i.recant.answered = stamp{}, ago(n, i.masterDown()+1) }, false},
		{"the last answer a master-down interval ago", func(n *Node, i *instance) { i.lower, i.recant.answered = stamp{}, ago(n, i.masterDown()) }, true},
	} {
		n := single(t, lone(50, 0))
		i := n.instances[0]
		n.now = n.now.Add(time.Minute)
		i.recant = recanting{barred: true, last: ago(n, 30*time.Second), answered: ago(n, 0)}
		i.lower = ago(n, 0)
		c.change(n, i)
		if n.settleRecant(i); i.recant.barred != c.barred {
			t.Errorf("%s: barred %v", c.name, i.recant.barred)
		}
	}
}

// Announcements follow the first after the delay, and then at each period, with as many frames as are configured.
func TestAnnouncementsOfAMaster(t *testing.T) {
	cfg := lone(100, 0)
	cfg.Announce = Announcing{Repeat: 3, Delay: 5 * time.Second, Refresh: 10 * time.Second, RefreshRepeat: 2}
	n, i := serving(t, cfg)
	begin := n.now
	n.takeInstalled(Installed{Key: cfg.Key(), Serving: true})
	if got := announced(n.out); !slices.Equal(got, []int{3}) {
		t.Errorf("when it is installed: %v", got)
	}
	for _, c := range []struct {
		after time.Duration
		want  []int
	}{
		{5*time.Second - 1, nil}, {5 * time.Second, []int{3}}, {6 * time.Second, nil}, {15*time.Second - 1, nil}, {15 * time.Second, []int{2}},
		{16 * time.Second, nil}, {25 * time.Second, []int{2}},
	} {
		n.now, n.out = begin.Add(c.after), nil
		n.settleMaster(i)
		if got := announced(n.out); !slices.Equal(got, c.want) {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
	i.cfg.Announce.RefreshRepeat = 0
	n.now, n.out = begin.Add(time.Minute), nil
	n.settleMaster(i)
	if got := announced(n.out); !slices.Equal(got, []int{1}) {
		t.Errorf("a refresh without a number has %v frames", got)
	}
}
