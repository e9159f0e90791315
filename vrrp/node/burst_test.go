package node

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

var virtualMAC = MAC{0, 0, 0x5e, 0, 1, 50}

func TestVirtualHardwareAddress(t *testing.T) {
	for m, want := range map[MAC]bool{
		{0, 0, 0x5e, 0, 1, 50}: true, {0, 0, 0x5e, 0, 2, 255}: true, {0, 0, 0x5e, 0, 1, 0}: true,
		{0, 0, 0x5e, 0, 0, 50}: false, {0, 0, 0x5e, 0, 3, 50}: false, {0, 0, 0x5e, 1, 1, 50}: false, {0, 0, 0x5f, 0, 1, 50}: false,
		{0, 0, 0x5d, 0, 1, 50}: false, {0, 1, 0x5e, 0, 1, 50}: false, {1, 0, 0x5e, 0, 1, 50}: false, {}: false, {2, 'A', 0, 0, 1, 1}: false,
	} {
		if got := virtual(m); got != want {
			t.Errorf("%v is virtual: %v", m, got)
		}
	}
}

// Those who wait for the same peer in the same manner ask together; a MASTER, and a router in FAULT, asks for itself.
func TestWhoAsksTogether(t *testing.T) {
	n := single(t, neighbours(50).Instances...)
	one, other := n.instances[0], n.instances[1]
	together := func(what string, want bool) {
		t.Helper()
		if got := one.watchOf() == other.watchOf(); got != want {
			t.Errorf("%s: they ask together: %v", what, got)
		}
	}
	together("two BACKUPs", true)
	if w := one.watchOf(); w.port != cable || w.rounds != 3 || w.own != (Key{}) {
		t.Errorf("they watch %+v", w)
	}
	one.cfg.Rounds = 1
	together("one asks once", false)
	other.cfg.Rounds = 1
	together("both ask once", true)
	if got := one.watchOf().rounds; got != 1 {
		t.Errorf("rounds %d, want 1", got)
	}
	one.cfg.Wait = time.Millisecond
	together("one waits for a millisecond", false)
	one.cfg.Wait = 0
	n.drive(one, vrrp.Heard{Advert: vrrp.Advert{Version: vrrp.V2, VRID: 50, Priority: 200, Interval: time.Second}, From: addr("10.255.0.1")})
	together("one has another MASTER", false)
	n.drive(other, vrrp.Heard{Advert: vrrp.Advert{Version: vrrp.V2, VRID: 51, Priority: 200, Interval: time.Second}, From: addr("10.255.0.1")})
	together("both have one MASTER", true)
	for _, i := range n.instances {
		n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
	}
	together("two MASTERs", false)
	if w := one.watchOf(); w.own != one.cfg.Key() || w.port != "" || w.peer.IsValid() {
		t.Errorf("a MASTER watches %+v", w)
	}
	owner := single(t, func() []Instance { list := neighbours(255).Instances; return list }()...)
	if owner.instances[0].state() != vrrp.Initialize || owner.instances[0].watchOf() != owner.instances[1].watchOf() {
		t.Error("owners that start do not ask together")
	}
}

// An inquiry in which nobody takes part any more is forgotten when another begins.
func TestInquiriesAreForgotten(t *testing.T) {
	n := single(t, neighbours(50).Instances...)
	one, other := n.instances[0], n.instances[1]
	n.inquiries = nil
	if n.inquiryOf(one) != nil {
		t.Error("an inquiry that nobody began")
	}
	q := n.inquire(one)
	if n.inquire(other) != q || len(n.inquiries) != 1 || n.inquiryOf(one) != q {
		t.Error("BACKUPs of one peer have no inquiry in common")
	}
	n.drive(one, vrrp.Ruled{Ruling: vrrp.TakeOver})
	n.inquiries = []*inquiry{q}
	if mine := n.inquire(one); mine == q || len(n.inquiries) != 2 || n.inquire(other) != q {
		t.Errorf("a MASTER asks with its neighbour, or took its inquiry away: %v", n.inquiries)
	}
	n.drive(other, vrrp.Ruled{Ruling: vrrp.TakeOver})
	n.inquire(other)
	if slices.Contains(n.inquiries, q) || len(n.inquiries) != 2 {
		t.Errorf("%d inquiries are kept, also the one that is over", len(n.inquiries))
	}
}

// A port is being asked while a burst runs on it.
func TestPortIsBeingAsked(t *testing.T) {
	n := single(t, story(50))
	p, other := n.byName["p3p1"], n.byName["p3p2"]
	done := func(d bool, ports ...*port) *inquiry {
		b := &burst{done: d}
		for _, p := range ports {
			b.asks = append(b.asks, &asking{port: p})
		}
		return &inquiry{burst: b}
	}
	for _, c := range []struct {
		name  string
		asked []*inquiry
		want  bool
	}{
		{"nobody asks", nil, false}, {"none began", []*inquiry{{}}, false}, {"it is over", []*inquiry{done(true, p)}, false},
		{"another port", []*inquiry{done(false, other)}, false}, {"it runs", []*inquiry{done(false, other, p)}, true},
		{"the second of two", []*inquiry{{}, done(true, p), done(false, p)}, true},
	} {
		n.inquiries = c.asked
		if got := n.asking(p); got != c.want {
			t.Errorf("%s: being asked is %v", c.name, got)
		}
	}
}

// A burst for which the budget left no question is starved, once it is over.
func TestStarvedBurst(t *testing.T) {
	for _, c := range []struct {
		name string
		q    inquiry
		want bool
	}{
		{"none began", inquiry{}, false}, {"over, without a question", inquiry{burst: &burst{done: true}}, true},
		{"running, without a question yet", inquiry{burst: &burst{}}, false}, {"over, with one", inquiry{burst: &burst{done: true, asks: []*asking{{}}}}, false},
	} {
		if got := c.q.starved(); got != c.want {
			t.Errorf("%s: starved is %v", c.name, got)
		}
	}
}

// What a burst takes from the budget of a port grows with the addresses that are asked for on it.
func TestFramesOfABurst(t *testing.T) {
	p, other := newPort("p"), newPort("q")
	b := &burst{rounds: 3}
	for _, want := range []int{4, 8, 12} {
		if got := b.frames(p); got != want {
			t.Errorf("with %d askings: %d frames, want %d", len(b.asks), got, want)
		}
		b.asks = append(b.asks, &asking{port: p})
	}
	if got := b.frames(other); got != 4 {
		t.Errorf("on another port: %d frames, want 4", got)
	}
}

// Each burst asks for another virtual address of a port; where a silence counts for some, only for those.
func TestVirtualAddressesTakeTurns(t *testing.T) {
	cfg := lone(50, 0)
	for _, v := range []string{"192.168.10.2/24", "192.168.10.3/24"} {
		cfg.VIPs = append(cfg.VIPs, VIP{Prefix: netip.MustParsePrefix(v), Port: "p3p1"})
	}
	cfg.VIPs = append(cfg.VIPs, VIP{Prefix: netip.MustParsePrefix("192.168.20.1/24"), Port: "p3p2"})
	n := single(t, cfg)
	p, i := n.byName["p3p1"], n.instances[0]
	turns := func() (list []byte) {
		for turn := range 6 {
			list = append(list, n.pickVIP(i, p, turn).addr.As4()[3])
		}
		return list
	}
	if got, want := turns(), []byte{1, 2, 3, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("turns %v, want %v", got, want)
	}
	p.target(addr("192.168.10.3")).answered[unicast].set(n.now)
	if got, want := turns(), []byte{3, 3, 3, 3, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("with one that answers: turns %v, want %v", got, want)
	}
	p.target(addr("192.168.10.1")).answered[broadcast].set(n.now)
	if got, want := turns(), []byte{1, 3, 1, 3, 1, 3}; !slices.Equal(got, want) {
		t.Errorf("with two that answer: turns %v, want %v", got, want)
	}
}

// What the budget does not allow to ask again stands for a second, where it was asked for this instance and on this port.
func TestOutcomesStandForASecond(t *testing.T) {
	n := single(t, neighbours(50).Instances...)
	i, p, q := n.instances[0], n.byName["p3p1"], n.byName["p3p2"]
	now := n.now
	mine := &asking{port: p, vip: p.target(addr("192.168.10.1")), began: now.Add(-time.Second)}
	for _, c := range []struct {
		name string
		last *burst
		want *asking
	}{
		{"nothing was asked", nil, nil},
		{"a second ago", &burst{asks: []*asking{mine}}, mine},
		{"kept already", &burst{kept: []*asking{mine}}, mine},
		{"twice", &burst{asks: []*asking{mine}, kept: []*asking{{port: p, vip: mine.vip, began: now}}}, mine},
		{"longer ago", &burst{asks: []*asking{{port: p, vip: mine.vip, began: now.Add(-time.Second - 1)}}}, nil},
		{"on another port", &burst{asks: []*asking{{port: q, vip: mine.vip, began: now}}}, nil},
		{"for another instance", &burst{asks: []*asking{{port: p, vip: p.target(addr("192.168.10.2")), began: now}}}, nil},
		{"for another first", &burst{asks: []*asking{{port: p, vip: p.target(addr("192.168.10.2")), began: now}, mine}}, mine},
	} {
		b := &burst{}
		b.keep(c.last, i, p, now)
		if c.want == nil && len(b.kept) > 0 || c.want != nil && (len(b.kept) != 1 || b.kept[0] != c.want) {
			t.Errorf("%s: kept %v", c.name, b.kept)
		}
	}
}

// A burst asks on every port that serves and may have carrier, with what counts there and whom it has for a witness.
func TestPortsOfABurst(t *testing.T) {
	cfg := story(50)
	cfg.Track = []Port{"p9p9"}
	n := single(t, cfg)
	i := n.instances[0]
	n.byName["p9p9"].state, n.byName["p9p9"].known = n.byName["p3p1"].state, true
	n.byName["p3p2"].state.Carrier = CarrierDown
	blind, seen := n.byName["p1p1"], n.byName["p3p1"]
	blind.blind = true
	for _, p := range []*port{blind, seen} {
		for k := range i.cfg.VIPs {
			x := p.target(i.cfg.VIPs[k].Prefix.Addr())
			x.answered = [forms]stamp{unicast: {at: n.now, ok: true}}
		}
	}
	seen.target(addr(gates[0])).answered[unicast].set(n.now)
	b := &burst{rounds: 3}
	for range 2 { // the second time they are there already
		n.addAskings(b, &inquiry{}, i)
	}
	if len(b.asks) != 2 || b.asks[0].port != seen || b.asks[1].port != blind {
		t.Fatalf("asked on %d ports", len(b.asks))
	}
	some := &burst{rounds: 3, asks: b.asks[:1:1]}
	if n.addAskings(some, &inquiry{}, i); len(some.asks) != 2 {
		t.Errorf("where the first port is asked already, %d are asked", len(some.asks))
	}
	if a := b.asks[0]; a.counts != [forms]bool{unicast: true} || a.witnessForm() != unicast || a.began != n.now || len(a.witnesses) != 1 {
		t.Errorf("where it answered to unicasts, counts %v, witnesses %v", a.counts, a.witnesses)
	}
	if a := b.asks[1]; a.counts != [forms]bool{} || a.witnessForm() != broadcast {
		t.Errorf("where it is blind, counts %v", a.counts)
	}
	for k := range byte(4) {
		n.addWitness(seen, host(k), rankNeighbour, MAC{2, 0xcc, k})
	}
	seen.tokens = budgetPerSecond
	full := &burst{rounds: 3}
	n.addAskings(full, &inquiry{}, i)
	if got := len(full.asks[0].witnesses); got != burstWitness {
		t.Errorf("%d witnesses are asked, want %d", got, burstWitness)
	}
	seen.tokens = -budgetBorrow + 3
	last := &burst{asks: []*asking{{port: seen, vip: seen.target(addr("192.168.10.1")), began: n.now}}}
	poor := &burst{rounds: 3}
	n.addAskings(poor, &inquiry{last: last}, i)
	if len(poor.asks) != 1 || poor.asks[0].port != blind || !slices.Equal(poor.kept, last.asks) {
		t.Errorf("without a budget for four frames: asked on %d ports, kept %v", len(poor.asks), poor.kept)
	}
}

// script is what a station does in a burst: whether it answers broadcasts and unicasts, and under which address.
type script struct {
	mac                MAC
	broadcast, unicast bool
}

// The questions of a burst, one port with one witness: when they are put, how, and when it is over.
func TestRoundsOfABurst(t *testing.T) {
	vip, gate := addr("192.168.10.1"), addr(gates[0])
	type put struct {
		after time.Duration
		to    string // whom, and by what
	}
	const wait = 10 * time.Millisecond
	for _, c := range []struct {
		name    string
		rounds  int
		vip     script
		witness script
		known   MAC // the peer, as it was last seen
		want    []put
		reply   verdict.Reply
	}{
		{"nobody, nobody known", 3, script{}, script{}, MAC{},
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip *"}, {wait, "gate *"}, {2 * wait, "vip *"}, {2 * wait, "gate *"}}, verdict.ReplySilent},
		{"nobody, with a witness", 3, script{}, script{MAC{2, 0xff}, true, true}, MAC{},
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip *"}, {2 * wait, "vip *"}}, verdict.ReplySilent},
		{"nobody, the peer known", 2, script{}, script{MAC{2, 0xff}, true, true}, peerMAC,
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip peer"}}, verdict.ReplySilent},
		{"the peer answers", 3, script{peerMAC, true, true}, script{MAC{2, 0xff}, true, true}, peerMAC,
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip peer"}}, verdict.ReplyPeer},
		{"a cache answers", 1, script{peerMAC, true, false}, script{MAC{2, 0xff}, true, true}, peerMAC,
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip peer"}, {2 * wait, "vip peer"}}, verdict.ReplyUnconfirmed},
		{"a virtual address answers", 3, script{virtualMAC, true, false}, script{MAC{2, 0xff}, true, true}, virtualMAC,
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip *"}}, verdict.ReplyPeer},
		{"a stranger answers", 2, script{strangerMAC, true, true}, script{MAC{2, 0xff}, true, true}, peerMAC,
			[]put{{0, "vip *"}, {0, "gate *"}, {wait, "vip peer"}}, verdict.ReplyStranger},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := lone(50, 0)
			cfg.Rounds, cfg.Wait = c.rounds, wait
			n := single(t, cfg)
			i, p := n.instances[0], n.byName["p3p1"]
			p.addPeer(c.known)
			i.goodbye.set(n.now) // a doubt
			begin := n.now
			n.inquiries = nil
			q := n.inquire(i)
			n.out = nil
			n.startBurst(q, i)
			var got []put
			for round := 0; !q.burst.done; round++ {
				asked := questions(n.out)
				n.out = nil
				for _, x := range asked {
					to, who := "vip ", c.vip
					if x.Target == gate {
						to, who = "gate ", c.witness
					}
					switch x.To {
					case MAC{}:
						to += "*"
					case c.known:
						to += "peer"
					default:
						to += x.To.String()
					}
					got = append(got, put{n.now.Sub(begin), to})
					if x.To == (MAC{}) && who.broadcast || x.To == who.mac && who.unicast {
						f := broadcast
						if x.To != (MAC{}) {
							f = unicast
						}
						if x.Target == vip {
							q.vipAnswered(p, p.target(vip), f, who.mac)
						} else {
							q.witnessAnswered(p, p.target(gate), f)
						}
					}
				}
				n.now = n.now.Add(wait)
				n.advance(q)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(put{})); diff != "" {
				t.Errorf("questions (-want +got):\n%s", diff)
			}
			if r := q.burst.asks[0].reply(); r != c.reply {
				t.Errorf("the reply is %v, want %v", r, c.reply)
			}
			if rounds := int(n.now.Sub(begin) / wait); q.last != q.burst || !n.moved || rounds != max(c.rounds, q.burst.round) {
				t.Errorf("over after %d rounds, kept as the last one: %v, looked at again: %v", rounds, q.last == q.burst, n.moved)
			}
			n.moved = false
			if n.advance(q); n.moved {
				t.Error("what is over ends again")
			}
		})
	}
}

// A burst waits as its slowest port does, at least for two milliseconds, unless it is told how long; each one has its turn.
func TestWaitOfABurst(t *testing.T) {
	for _, c := range []struct {
		rtt  [3]time.Duration
		told time.Duration
		want time.Duration
	}{
		{[3]time.Duration{}, 0, waitUnknown}, {[3]time.Duration{1, 1, 1}, 0, waitMin}, {[3]time.Duration{time.Millisecond, 15 * time.Millisecond, 5 * time.Millisecond}, 0, 30 * time.Millisecond},
		{[3]time.Duration{15 * time.Millisecond}, 7 * time.Millisecond, 7 * time.Millisecond},
	} {
		cfg := story(50)
		cfg.Wait = c.told
		n := single(t, cfg)
		for k, p := range ports {
			n.byName[p].rtt = c.rtt[k]
		}
		q := n.inquire(n.instances[0])
		turn := q.turn
		n.startBurst(q, n.instances[0])
		if q.burst.wait != c.want || q.burst.next != n.now.Add(c.want) || q.burst.began != n.now || q.turn != turn+1 || q.burst.round != 1 {
			t.Errorf("round trips %v, told %v: waits %v, want %v; next %v, turn %d", c.rtt, c.told, q.burst.wait, c.want, q.burst.next.Sub(n.now), q.turn)
		}
	}
	n := single(t, func() Instance { i := lone(50, 0); i.Routes = nil; return i }())
	n.byName["p3p1"].state.Carrier = CarrierDown
	q := n.inquire(n.instances[0])
	n.startBurst(q, n.instances[0])
	if !q.burst.done || q.burst.wait != waitMin {
		t.Error("a burst with nobody to ask is not over at once")
	}
}

// Others that doubt the same peer are asked for in the same burst; those that doubt nothing, or another, are not.
func TestNeighboursInDoubtAreAskedForToo(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, other *instance)
		want   int
	}{
		{"in doubt", func(n *Node, other *instance) { other.goodbye.set(n.now) }, 3},
		{"in no doubt", func(n *Node, other *instance) {}, 1},
		{"not started", func(n *Node, other *instance) { other.goodbye.set(n.now); other.running = false }, 1},
		{"of another peer", func(n *Node, other *instance) { other.goodbye.set(n.now); other.cfg.Rounds = 2 }, 1},
	} {
		n := single(t, neighbours(50).Instances...)
		c.change(n, n.instances[1])
		q := n.inquire(n.instances[0])
		n.startBurst(q, n.instances[0])
		if got := len(q.burst.asks); got != c.want {
			t.Errorf("%s: %d addresses are asked for, want %d", c.name, got, c.want)
		}
	}
}

// A witness is asked in the form in which the virtual address counts, in turn, where its hardware address is known, and
// once for two addresses on one port.
func TestQuestionsForWitnesses(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	n.addWitness(p, host(1), rankConfigured, MAC{2, 0xcc, 1})
	gate, second := p.target(addr(gates[0])), p.target(host(1))
	vip := p.target(addr("192.168.10.1"))
	for _, c := range []struct {
		name   string
		counts [forms]bool
		round  int
		before func(*asking)
		want   string
	}{
		{"first, by broadcast", [forms]bool{}, 1, nil, "gate *"},
		{"second, by broadcast", [forms]bool{broadcast: true}, 2, nil, "host *"},
		{"third is the first again", [forms]bool{}, 3, nil, "gate *"},
		{"by unicast where that counts", [forms]bool{unicast: true}, 2, nil, "host 02:cc:01:00:00:00"},
		{"by broadcast to whom is not known", [forms]bool{unicast: true}, 1, nil, "gate *"},
		{"not again after its answer", [forms]bool{}, 1, func(a *asking) { a.witness[broadcast] = true }, ""},
		{"again after an answer that does not count", [forms]bool{}, 1, func(a *asking) { a.witness[unicast] = true }, "gate *"},
		{"not twice at one moment", [forms]bool{}, 1, func(*asking) { gate.pending = []pending{{form: broadcast, at: n.now}} }, ""},
		{"in another form at one moment", [forms]bool{}, 1, func(*asking) { gate.pending = []pending{{form: unicast, at: n.now}} }, "gate *"},
		{"a moment later", [forms]bool{}, 1, func(*asking) { gate.pending = []pending{{form: broadcast, at: n.now - 1}} }, "gate *"},
		{"nobody", [forms]bool{}, 1, func(a *asking) { a.witnesses = nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &asking{port: p, vip: vip, counts: c.counts, witnesses: []*target{gate, second}, answers: []answer{{mac: peerMAC, seen: [forms]int{1, 1}}}}
			gate.pending, second.pending, p.tokens, n.out = nil, nil, 1-budgetBorrow, nil
			if c.before != nil {
				c.before(a)
			}
			n.askRound(a, c.round)
			got := ""
			for _, q := range questions(n.out) {
				got += map[netip.Addr]string{gate.addr: "gate ", second.addr: "host ", vip.addr: "vip "}[q.Target]
				if q.To == (MAC{}) {
					got += "*"
				} else {
					got += q.To.String()
				}
			}
			if got != c.want {
				t.Errorf("asked %q, want %q", got, c.want)
			}
		})
	}
}

// A question that the budget does not allow makes the burst worth less; only questions that were put are counted.
func TestStarvedQuestions(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	a := &asking{port: p, vip: p.target(addr("192.168.10.1"))}
	p.addPeer(peerMAC)
	n.askRound(a, 1)
	n.askRound(a, 2)
	if a.starved || a.sent != [forms]int{1, 1} || a.unasked() {
		t.Errorf("sent %v, starved %v", a.sent, a.starved)
	}
	p.tokens = -budgetBorrow
	n.askRound(a, 3)
	if !a.starved || a.sent != [forms]int{1, 1} {
		t.Errorf("without a budget: sent %v, starved %v", a.sent, a.starved)
	}
}

// Answers are counted by station, four of them, for the address and the port that they are about.
func TestAnswersAreCounted(t *testing.T) {
	p, other := newPort("p"), newPort("q")
	vip, wrong, witness := &target{}, &target{}, &target{}
	a := &asking{port: p, vip: vip, witnesses: []*target{witness}}
	q := &inquiry{}
	q.vipAnswered(p, vip, broadcast, peerMAC) // nothing is asked
	q.witnessAnswered(p, witness, broadcast)
	q.burst = &burst{asks: []*asking{a}}
	q.vipAnswered(other, vip, broadcast, peerMAC)
	q.vipAnswered(p, wrong, broadcast, peerMAC)
	q.witnessAnswered(other, witness, broadcast)
	q.witnessAnswered(p, wrong, broadcast)
	if len(a.answers) > 0 || a.witnessAny || a.witness != [forms]bool{} {
		t.Fatalf("answers that are about something else were counted: %+v", a)
	}
	for _, k := range []byte{0, 0, 1, 2, 3, 4} {
		q.vipAnswered(p, vip, broadcast, MAC{2, k})
	}
	q.vipAnswered(p, vip, unicast, MAC{2, 3})
	q.witnessAnswered(p, witness, unicast)
	want := []answer{{MAC{2, 0}, [forms]int{2, 0}}, {MAC{2, 1}, [forms]int{1, 0}}, {MAC{2, 2}, [forms]int{1, 0}}, {MAC{2, 3}, [forms]int{1, 1}}}
	if !slices.Equal(a.answers, want) {
		t.Errorf("answers %v, want %v", a.answers, want)
	}
	if !a.witnessAny || a.witness != [forms]bool{unicast: true} {
		t.Errorf("the witness answered %v", a.witness)
	}
}

// What a burst says about a port, by what was asked, what answered and what counts.
func TestReadingOfABurst(t *testing.T) {
	both, asked, never := [forms]bool{true, true}, [forms]int{1, 2}, [forms]int{}
	by := func(m MAC, b, u int) []answer { return []answer{{m, [forms]int{b, u}}} }
	type reading struct {
		VIP                 verdict.Reply
		Calibrated, Witness bool
	}
	for _, c := range []struct {
		name            string
		sent            [forms]int
		counts, witness [forms]bool
		answers         []answer
		starved         bool
		want            reading
	}{
		{"silence", asked, both, both, nil, false, reading{verdict.ReplySilent, true, true}},
		{"silence, not calibrated", asked, [forms]bool{}, both, nil, false, reading{verdict.ReplySilent, false, false}},
		{"silence, no witness", asked, both, [forms]bool{}, nil, false, reading{verdict.ReplySilent, true, false}},
		{"silence to one form, a witness to the other", asked, [forms]bool{broadcast: true}, [forms]bool{unicast: true}, nil, false, reading{verdict.ReplySilent, true, false}},
		{"silence to both, a witness to the first", asked, both, [forms]bool{broadcast: true}, nil, false, reading{verdict.ReplySilent, true, true}},
		{"silence to both, a witness to the second", asked, both, [forms]bool{unicast: true}, nil, false, reading{verdict.ReplySilent, true, true}},
		{"what counts was not asked", [forms]int{1, 0}, [forms]bool{unicast: true}, both, nil, false, reading{verdict.ReplySilent, false, false}},
		{"only a unicast was asked", [forms]int{0, 1}, [forms]bool{unicast: true}, both, nil, false, reading{verdict.ReplySilent, true, true}},
		{"starved", asked, both, both, nil, true, reading{verdict.ReplySilent, false, false}},
		{"nothing was asked", never, both, both, nil, true, reading{verdict.ReplyUnknown, false, false}},
		{"the peer", asked, both, both, by(peerMAC, 1, 1), false, reading{verdict.ReplyPeer, false, false}},
		{"the peer, to a unicast only", asked, both, both, by(peerMAC, 0, 1), false, reading{verdict.ReplyPeer, true, true}},
		{"a cache for the peer", asked, both, both, by(peerMAC, 1, 0), false, reading{verdict.ReplyUnconfirmed, true, true}},
		{"a cache, where broadcasts are hidden in peacetime", asked, [forms]bool{unicast: true}, both, by(peerMAC, 1, 0), false, reading{verdict.ReplyUnconfirmed, false, true}},
		{"a virtual hardware address, once", asked, both, both, by(virtualMAC, 1, 0), false, reading{verdict.ReplyUnconfirmed, true, true}},
		{"a virtual hardware address, twice", asked, both, both, by(virtualMAC, 2, 0), false, reading{verdict.ReplyPeer, true, true}},
		{"another address, twice", asked, both, both, by(peerMAC, 2, 0), false, reading{verdict.ReplyUnconfirmed, true, true}},
		{"a stranger", asked, both, both, by(strangerMAC, 1, 1), false, reading{verdict.ReplyStranger, false, false}},
		{"a stranger, where broadcasts are hidden", asked, [forms]bool{unicast: true}, both, by(strangerMAC, 1, 0), false, reading{verdict.ReplyStranger, true, true}},
		{"a stranger and a cache for the peer", asked, both, both, append(by(peerMAC, 1, 0), by(strangerMAC, 1, 1)...), false, reading{verdict.ReplyStranger, false, false}},
		{"a stranger and the peer", asked, both, both, append(by(strangerMAC, 1, 1), by(peerMAC, 0, 1)...), false, reading{verdict.ReplyPeer, false, false}},
		{"answered although not asked any more", never, both, both, by(peerMAC, 1, 0), false, reading{verdict.ReplyUnconfirmed, false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPort("p")
			p.addPeer(peerMAC)
			p.addPeer(virtualMAC)
			a := &asking{port: p, sent: c.sent, counts: c.counts, witness: c.witness, answers: c.answers, starved: c.starved}
			r := a.reading(verdict.PortReading{Mute: true})
			if got := (reading{r.VIP, r.Calibrated, r.Witness}); got != c.want || !r.Mute {
				t.Errorf("reading %+v, want %+v", got, c.want)
			}
		})
	}
}

// Where nobody is known for the peer, whoever answers and is no proxy is taken for it.
func TestAnybodyMayBeThePeer(t *testing.T) {
	for _, known := range []bool{false, true} {
		p := newPort("p")
		if known {
			p.addAsker(peerMAC)
		}
		a := &asking{port: p, answers: []answer{{strangerMAC, [forms]int{0, 1}}}}
		want := map[bool]verdict.Reply{false: verdict.ReplyPeer, true: verdict.ReplyStranger}[known]
		if got := a.reply(); got != want {
			t.Errorf("the peer is known %v: %v, want %v", known, got, want)
		}
	}
}

// The outcome of a question in a doubt: of this burst, for this instance, or else for a neighbour of the same peer.
func TestOutcomeForAnInstance(t *testing.T) {
	n := single(t, neighbours(50).Instances...)
	i, p, q := n.instances[0], n.byName["p3p1"], n.byName["p3p2"]
	i.doubt.since = n.now
	ask := func(p *port, a string, began vrrp.Instant, sent int) *asking {
		return &asking{port: p, vip: p.target(addr(a)), began: began, sent: [forms]int{sent, 0}}
	}
	mine, theirs := ask(p, "192.168.10.1", n.now, 1), ask(p, "192.168.10.2", n.now, 1)
	for _, c := range []struct {
		name       string
		asks, kept []*asking
		want       *asking
	}{
		{"nothing", nil, nil, nil}, {"ours", []*asking{mine}, nil, mine}, {"kept", nil, []*asking{mine}, mine},
		{"a neighbour's", []*asking{theirs}, nil, theirs}, {"ours before a neighbour's", []*asking{theirs, mine}, nil, mine},
		{"the first of two neighbours", []*asking{theirs, ask(p, "192.168.10.3", n.now, 1)}, nil, theirs},
		{"from before the doubt", []*asking{ask(p, "192.168.10.1", n.now-1, 1)}, nil, nil},
		{"not asked", []*asking{ask(p, "192.168.10.1", n.now, 0)}, nil, nil},
		{"on another port", []*asking{ask(q, "192.168.10.1", n.now, 1)}, nil, nil},
	} {
		b := &burst{asks: c.asks, kept: c.kept}
		if got := b.on(i, p); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, fmt.Sprint(got), fmt.Sprint(c.want))
		}
	}
	if (*burst)(nil).on(i, p) != nil {
		t.Error("no burst has an outcome")
	}
}
