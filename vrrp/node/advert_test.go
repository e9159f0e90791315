package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// frame is an advert of the peer for an instance, as it comes off a port.
func frame(t *testing.T, i Instance, priority uint8, change func(*vrrp.Advert)) Frame {
	t.Helper()
	a := i.VRRP.Advert(priority)
	if change != nil {
		change(&a)
	}
	src := addr("10.255.0.1")
	if i.VRRP.Family == vrrp.IPv6 {
		src = addr("fe80::a")
	}
	f := Frame{Port: cable, MAC: MAC{2, 'A', 0}, Src: src, Dst: i.VRRP.Family.Group(), TTL: 255}
	var err error
	if f.Payload, err = a.Append(nil, f.Src, f.Dst); err != nil {
		t.Fatal(err)
	}
	return f
}

// Whose a frame is: that of an instance on its port, with its number and family, and not our own.
func TestWhoseAFrameIs(t *testing.T) {
	six := dual(50).Instances[1]
	for _, c := range []struct {
		name      string
		of        Instance
		change    func(n *Node, f *Frame)
		heard     bool
		unclaimed uint64
		accepted  uint64
		dropped   vrrp.Check
	}{
		{"ours", lone(50, 0), nil, true, 0, 1, 0},
		{"ours in IPv6", six, nil, true, 0, 1, 0},
		{"of a port that nobody uses", lone(50, 0), func(n *Node, f *Frame) { f.Port = "eth7" }, false, 0, 0, 0},
		{"of a port where nobody speaks", lone(50, 0), func(n *Node, f *Frame) { f.Port = "p3p1" }, false, 1, 0, 0},
		{"for another number", with(50, func(i *Instance) { i.VRRP.VRID = 77 }), nil, false, 1, 0, 0},
		{"empty", lone(50, 0), func(n *Node, f *Frame) { f.Payload = nil }, false, 1, 0, 0},
		{"from our own hardware address", lone(50, 0), func(n *Node, f *Frame) { f.MAC = MAC{2, 'B', 1} }, false, 0, 0, 0},
		{"from our own address", lone(50, 0), func(n *Node, f *Frame) { n.byKey[lone(50, 0).Key()].source = f.Src }, false, 0, 1, 0},
		{"before it started", lone(50, 0), func(n *Node, f *Frame) { n.byKey[lone(50, 0).Key()].running = false }, false, 0, 1, 0},
		{"with another hop limit", lone(50, 0), func(n *Node, f *Frame) { f.TTL = 254 }, false, 0, 0, vrrp.CheckTTL},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, lone(50, 0), six)
			f := frame(t, c.of, 200, nil)
			if c.change != nil {
				c.change(n, &f)
			}
			n.takeFrame(f)
			i := n.byKey[c.of.Key()]
			heard := false
			if i != nil {
				heard = i.obeyed.ok
			}
			if heard != c.heard || n.unclaimed != c.unclaimed {
				t.Errorf("heard %v, unclaimed %d", heard, n.unclaimed)
			}
			if said := len(remarks(n.out)) > 0; said != (c.dropped != 0) {
				t.Errorf("said %v", n.out)
			}
			if i != nil && (i.counters[vrrp.Accepted] != c.accepted || c.dropped != 0 && i.counters[c.dropped] != 1) {
				t.Errorf("counted %v", i.counters)
			}
			p := n.byName[cable]
			if got := slices.Contains(p.routers, f.Src) && p.isPeer(f.MAC); got != c.heard {
				t.Errorf("routers %v, peers %v", p.routers, p.allPeers())
			}
		})
	}
}

// An advert for one instance proves that the box of the others on that port lives, theirs alone.
func TestAdvertsOfANeighbour(t *testing.T) {
	elsewhere := lone(50, 1)
	elsewhere.Port, elsewhere.VRRP.VRID = "p4p2", 52
	n := single(t, append(neighbours(50).Instances, elsewhere)...)
	n.takeFrame(frame(t, lone(50, 0), 200, nil))
	for k, want := range []bool{false, true, false} {
		if got := n.instances[k].lived.ok; got != want {
			t.Errorf("instance %d: it lives %v", k, got)
		}
	}
}

// What an advert says of the MASTER, by its priority and by the state in which it is heard.
func TestWhatAnAdvertSays(t *testing.T) {
	type said struct {
		obeyed, lower, goodbye bool
		other, was             bool // another was MASTER, we were the last
		exchange               bool
	}
	for _, c := range []struct {
		name     string
		state    vrrp.State
		priority uint8
		want     said
	}{
		{"a better one", vrrp.Backup, 200, said{obeyed: true, other: true}},
		{"a lesser one", vrrp.Backup, 20, said{lower: true, other: true, was: true, goodbye: true}},
		{"a goodbye", vrrp.Backup, 0, said{goodbye: true, was: true}},
		{"a better one, in FAULT", vrrp.Fault, 200, said{obeyed: true, other: true, was: true, goodbye: true}},
		{"a lesser one, in FAULT", vrrp.Fault, 20, said{obeyed: true, other: true, was: true, goodbye: true}},
		{"a lesser one, as MASTER", vrrp.Master, 20, said{exchange: true, was: true, goodbye: true}},
		{"a better one, as MASTER", vrrp.Master, 200, said{obeyed: true, other: true}},
		{"a goodbye, as MASTER", vrrp.Master, 0, said{goodbye: true, was: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, lone(50, 0))
			i := n.instances[0]
			switch c.state {
			case vrrp.Master:
				n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
			case vrrp.Fault:
				n.drive(i, vrrp.Failed{})
			case vrrp.Initialize, vrrp.Backup:
			}
			n.now = n.now.Add(time.Second)
			i.otherMaster, i.wasMaster, i.goodbye = c.priority == 0, true, stamp{1, c.priority != 0}
			n.hear(i, i.cfg.VRRP.Advert(c.priority), addr("10.255.0.1"))
			now := func(s stamp) bool { return s.within(n.now, 0) }
			got := said{now(i.obeyed), now(i.lower), i.goodbye.ok, i.otherMaster, i.wasMaster, n.exchanging(i) && i.state() == vrrp.Master}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if follows := i.followed == addr("10.255.0.1"); follows != (c.want.obeyed && c.state != vrrp.Fault) {
				t.Errorf("it follows %v", i.followed)
			}
			if c.priority == 0 && !now(i.goodbye) {
				t.Errorf("the goodbye was at %v", i.goodbye)
			}
		})
	}
}

// Who has changed its state hears the next advert as what it is now, though it comes in the same moment.
func TestAdvertsOfOneMoment(t *testing.T) {
	from := addr("10.255.0.1")
	n := single(t, lone(50, 0))
	i := n.instances[0]
	n.hear(i, i.cfg.VRRP.Advert(200), from)
	n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
	i.obeyed = stamp{}
	if n.hear(i, i.cfg.VRRP.Advert(20), from); i.obeyed.ok || !i.wasMaster || !n.exchanging(i) {
		t.Errorf("a MASTER since this moment obeys %v, was MASTER %v, exchanges %v", i.obeyed.ok, i.wasMaster, n.exchanging(i))
	}
	n.drive(i, vrrp.Failed{})
	if n.hear(i, i.cfg.VRRP.Advert(20), from); !i.obeyed.ok {
		t.Error("in FAULT since this moment it does not know that another serves")
	}
	n = single(t, lone(50, 0))
	i, n.now = n.instances[0], 0
	if n.hear(i, i.cfg.VRRP.Advert(20), from); i.obeyed.ok || !i.lower.ok {
		t.Errorf("before any advert was obeyed, in the first moment of the clock, a lesser one is obeyed %v", i.obeyed.ok)
	}
}

// Eight other routers are remembered on a port.
func TestRoutersAreRemembered(t *testing.T) {
	n := single(t, lone(50, 0))
	f := frame(t, lone(50, 0), 200, nil)
	for k := range byte(10) {
		f.Src = netip.AddrFrom4([4]byte{10, 255, 1, k})
		n.takeFrame(f)
	}
	p := n.byName[cable]
	if len(p.routers) != 8 || p.routers[0] != addr("10.255.1.9") || p.routers[7] != addr("10.255.1.2") {
		t.Errorf("routers %v", p.routers)
	}
}

// A MASTER that hears a lesser one tells the segments again who serves.
func TestLesserMasterIsAnnouncedAgainst(t *testing.T) {
	n, i := established(t, lone(100, 0))
	i.kernel.renewed = ago(n, 0)
	n.hear(i, i.cfg.VRRP.Advert(50), addr("10.255.0.2"))
	if got := announced(n.out); !slices.Equal(got, []int{5}) {
		t.Errorf("announced %v", got)
	}
}

// Another MASTER has other hardware addresses: they are learnt again.
func TestAnotherMasterIsLearnt(t *testing.T) {
	for _, c := range []struct {
		from netip.Addr
		want bool
	}{{addr("10.255.0.1"), false}, {addr("10.255.0.9"), true}} {
		n := single(t, story(50))
		i, p := n.instances[0], n.byName["p3p1"]
		i.followed = addr("10.255.0.1")
		p.learned, p.fast, p.nextAsk = true, 0, n.now.Add(time.Hour)
		n.follow(i, c.from)
		if i.followed != c.from || p.learned == c.want || (p.fast == fastQuestions) != c.want || (p.nextAsk == n.now) != c.want {
			t.Errorf("after %v: learnt %v, %d fast questions, the next after %v", c.from, p.learned, p.fast, p.nextAsk.Sub(n.now))
		}
	}
	n := single(t, story(50))
	p := n.byName["p3p1"]
	p.nextAsk = n.now - 5
	if n.follow(n.instances[0], addr("10.255.0.1")); p.nextAsk != n.now-5 {
		t.Error("a question that is due was put off")
	}
}

// A lesser router that becomes MASTER three times within a minute is spoken of.
func TestUsurpersAreSpokenOf(t *testing.T) {
	for span, want := range map[time.Duration]int{time.Minute: 1, time.Minute + 1: 0} {
		n, i := established(t, lone(100, 0))
		begin := n.now
		for _, after := range []time.Duration{0, span / 2, span} {
			n.now = begin.Add(after)
			n.noteUsurper(i, addr("10.255.0.2"))
		}
		if got := len(remarks(n.out)); got != want {
			t.Errorf("three times within %v: said %d times", span, got)
		}
	}
	once, j := established(t, lone(100, 0))
	for _, d := range []time.Duration{1, time.Second, time.Second, time.Second} { // one that goes on is one
		once.hear(j, j.cfg.VRRP.Advert(50), addr("10.255.0.2"))
		once.now = once.now.Add(d)
	}
	if j.usurped[len(j.usurped)-2].ok || !j.usurped[len(j.usurped)-1].ok {
		t.Errorf("a lesser MASTER that goes on came at %v", j.usurped)
	}
	n, i := established(t, with(100, func(i *Instance) { i.VRRP.Interval = 10 * time.Second }))
	for _, d := range []time.Duration{0, time.Second, 10*i.masterDown() - time.Second} {
		n.now = n.now.Add(d)
		n.noteUsurper(i, addr("10.255.0.2"))
	}
	if len(remarks(n.out)) != 1 {
		t.Error("with slow adverts it is not spoken of within ten master-down intervals")
	}
}

// A complaint is said, and again after ten minutes, each by itself.
func TestComplaintsAreSaidNowAndThen(t *testing.T) {
	n := single(t, lone(50, 0))
	i := n.instances[0]
	for _, c := range []struct {
		after time.Duration
		check vrrp.Check
		want  bool
	}{
		{0, vrrp.CheckTTL, true}, {0, vrrp.CheckVRID, true}, {0, vrrp.Accepted, false}, {10 * time.Minute, vrrp.CheckTTL, false}, {1, vrrp.CheckTTL, true},
	} {
		n.now, n.out = n.now.Add(c.after), nil
		n.noteDropped(i, c.check, addr("10.255.0.1"))
		said := remarks(n.out)
		if (len(said) == 1) != c.want || c.want && (said[0].Key != i.cfg.Key() || said[0].Level != Warning || !strings.Contains(said[0].Text, c.check.String())) {
			t.Errorf("%v after %v: said %v", c.check, c.after, said)
		}
	}
	for _, c := range []struct {
		after    time.Duration
		sentence string
		want     bool
	}{{0, "a %v", true}, {0, "b %v", true}, {10 * time.Minute, "a %v", false}, {1, "a %v", true}} {
		n.now, n.out = n.now.Add(c.after), nil
		n.remark(i, Info, c.sentence, 1)
		if said := remarks(n.out); (len(said) == 1) != c.want || c.want && (said[0].Level != Info || said[0].Text != fmt.Sprintf(c.sentence, 1)) {
			t.Errorf("%q after %v: said %v", c.sentence, c.after, said)
		}
	}
}

// Adverts come from the configured address, or the first own one of the family; where that goes, the last one stays.
func TestSourceOfAdverts(t *testing.T) {
	prefixes := func(list ...string) (all []netip.Prefix) {
		for _, p := range list {
			all = append(all, netip.MustParsePrefix(p))
		}
		return all
	}
	six := dual(50).Instances[1]
	for _, c := range []struct {
		name      string
		cfg       Instance
		addresses []netip.Prefix
		had, want netip.Addr
	}{
		{"the first", lone(50, 0), prefixes("fe80::1/64", "10.0.0.1/24", "10.0.0.2/24"), netip.Addr{}, addr("10.0.0.1")},
		{"not a virtual one", lone(50, 0), prefixes("192.168.10.1/24", "10.0.0.2/24"), netip.Addr{}, addr("10.0.0.2")},
		{"the configured one", with(50, func(i *Instance) { i.Source = addr("10.9.9.9") }), prefixes("10.0.0.1/24"), netip.Addr{}, addr("10.9.9.9")},
		{"none", lone(50, 0), nil, netip.Addr{}, netip.Addr{}},
		{"none any more", lone(50, 0), nil, addr("10.0.0.1"), addr("10.0.0.1")},
		{"another", lone(50, 0), prefixes("10.0.0.2/24"), addr("10.0.0.1"), addr("10.0.0.2")},
		{"link-local in IPv6", six, prefixes("10.0.0.1/24", "2001:db8::1/64", "fe80::1/64"), netip.Addr{}, addr("fe80::1")},
		{"none in IPv6", six, prefixes("10.0.0.1/24", "2001:db8::1/64"), netip.Addr{}, netip.Addr{}},
		{"link-local is not for IPv4", lone(50, 0), prefixes("fe80::1/64"), netip.Addr{}, netip.Addr{}},
		{"the configured one in IPv6", func() Instance { i := six; i.Source = addr("fe80::9"); return i }(), prefixes("fe80::1/64"), netip.Addr{}, addr("fe80::9")},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, c.cfg)
			i := n.instances[0]
			n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
			i.source, i.heart.state.Addresses = c.had, c.addresses
			n.readSource(i)
			if i.source != c.want {
				t.Fatalf("from %v, want %v", i.source, c.want)
			}
			if !c.want.IsValid() {
				return
			}
			// the machine compares itself with others by that address
			n.out = nil
			n.hear(i, i.cfg.VRRP.Advert(50), c.want.Next())
			if got := i.state() == vrrp.Backup; got != (c.had != c.want) {
				t.Errorf("a MASTER of the next higher address wins: %v", got)
			}
		})
	}
}

// An advert goes to the group of its family or to the configured one, is counted, and is not sent from nowhere.
func TestAdvertsThatAreSent(t *testing.T) {
	for _, c := range []struct {
		name  string
		group netip.Addr
		src   netip.Addr
		want  netip.Addr
		said  int
	}{
		{"to the group", netip.Addr{}, addr("10.0.0.1"), addr("224.0.0.18"), 0}, {"to another", addr("10.0.0.9"), addr("10.0.0.1"), addr("10.0.0.9"), 0},
		{"from nowhere", netip.Addr{}, netip.Addr{}, netip.Addr{}, 0}, {"from another family", netip.Addr{}, addr("fe80::1"), netip.Addr{}, 1},
	} {
		n, i := established(t, lone(100, 0))
		before := i.sent
		i.cfg.Group, i.source, i.kernel.renewed = c.group, c.src, ago(n, time.Second)
		n.sendAdvert(i, 100)
		var got []SendAdvert
		for _, a := range n.out {
			if s, ok := a.(SendAdvert); ok {
				got = append(got, s)
			}
		}
		if sent := i.sent - before; len(got) != int(sent) || (sent == 1) != c.want.IsValid() || len(remarks(n.out)) != c.said || (len(changes(n.out)) == 1) != c.want.IsValid() {
			t.Errorf("%s: sent %v, counted %d, said %v, renewed %v", c.name, got, sent, remarks(n.out), changes(n.out))
		}
		if len(got) == 1 && (got[0].Dst != c.want || got[0].Src != c.src || got[0].Port != cable || got[0].Payload[2] != 100) {
			t.Errorf("%s: sent %+v", c.name, got)
		}
		if c.said > 0 && remarks(n.out)[0].Level != Alarm {
			t.Errorf("%s: %v is no alarm", c.name, remarks(n.out))
		}
	}
}

// An instance starts with the first carrier of its heartbeat port, or after a while without it; in FAULT if it has one.
func TestStartOfAnInstance(t *testing.T) {
	down := func(p Port) func(n *Node) {
		return func(n *Node) { readAs(n, p, func(s *PortState) { s.Carrier = CarrierDown }) }
	}
	for _, c := range []struct {
		name   string
		change func(n *Node)
		after  time.Duration
		want   vrrp.State // INIT: not started
	}{
		{"with carrier", func(*Node) {}, 0, vrrp.Backup}, {"without", down(cable), bootWait - 1, vrrp.Initialize}, {"without, for a while", down(cable), bootWait, vrrp.Backup},
		{"with a port of service down", down("p3p1"), 0, vrrp.Fault},
	} {
		n := New(vrrp.Instant(time.Hour), Config{Instances: []Instance{lone(50, 0)}})
		for _, p := range []Port{cable, "p3p1"} {
			readAs(n, p, func(s *PortState) { s.Present, s.AdminUp, s.Carrier = true, true, CarrierUp })
		}
		c.change(n)
		n.now = n.now.Add(c.after)
		n.out = nil
		n.settle()
		i := n.instances[0]
		if i.running != (c.want != vrrp.Initialize) || i.state() != c.want || n.started(i) != i.running {
			t.Errorf("%s: running %v, %v", c.name, i.running, i.state())
		}
		moves := 0
		for _, a := range n.out {
			if _, ok := a.(Transition); ok {
				moves++
			}
		}
		if (moves == 1) != i.running || moves > 1 {
			t.Errorf("%s: %d transitions", c.name, moves)
		}
	}
}

// A transition tells from where to where and why; a ruling and a failure have been given their reasons before.
func TestTransitions(t *testing.T) {
	for _, c := range []struct {
		cause vrrp.Cause
		own   bool // the reason is that of the cause
	}{
		{vrrp.CauseStarted, true}, {vrrp.CauseOwner, true}, {vrrp.CauseSilence, true}, {vrrp.CausePreempt, true}, {vrrp.CauseGoodbye, true}, {vrrp.CauseOutranked, true},
		{vrrp.CauseRepaired, true}, {vrrp.CauseStopped, false}, {vrrp.CauseRuling, false}, {vrrp.CauseFailed, false},
	} {
		n := single(t, lone(50, 0))
		i := n.instances[0]
		i.reason, i.consult, i.waits, i.shown, n.moved = "before", &consult{}, "for something", false, false
		for k := range 2 {
			n.out = nil
			n.enter(i, vrrp.Enter{From: vrrp.Backup, To: vrrp.Fault, Cause: c.cause})
			var got []Transition
			for _, a := range n.out {
				if x, ok := a.(Transition); ok {
					got = append(got, x)
				}
			}
			reason := "before"
			if c.own {
				reason = causeText(c.cause)
			}
			want := []Transition{{Key: i.cfg.Key(), Name: "VI_0", At: n.now, From: vrrp.Backup, To: vrrp.Fault, Priority: 50, Initial: k == 0, Reason: reason}}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(Key{}, verdict.Verdict{})); diff != "" {
				t.Errorf("%v (-want +got):\n%s", c.cause, diff)
			}
		}
		if i.consult != nil || i.waits != "" || !n.moved {
			t.Errorf("%v: it still asks, or waits %q, or is not looked at again", c.cause, i.waits)
		}
	}
	seen := map[string]vrrp.Cause{}
	for c := vrrp.CauseStarted; c <= vrrp.CauseStopped; c++ {
		if other, ok := seen[causeText(c)]; ok || causeText(c) == c.String() && c != vrrp.CauseStopped {
			t.Errorf("%v and %v say the same: %q", c, other, causeText(c))
		}
		seen[causeText(c)] = c
	}
}

// What a change of state leaves behind.
func TestWhatATransitionLeaves(t *testing.T) {
	for _, c := range []struct {
		from, to      vrrp.State
		cause         vrrp.Cause
		changes       []string
		doubt, other  bool
		was           bool
		sent, holding int
	}{
		{vrrp.Backup, vrrp.Master, vrrp.CauseRuling, []string{"install 3s []"}, false, false, true, 0, 1},
		{vrrp.Master, vrrp.Backup, vrrp.CauseRuling, []string{"withdraw"}, true, false, true, 0, 0},
		{vrrp.Master, vrrp.Backup, vrrp.CauseOutranked, []string{"withdraw"}, true, true, false, 1, 0},
		{vrrp.Master, vrrp.Fault, vrrp.CauseFailed, []string{"withdraw"}, false, false, true, 0, 0},
		{vrrp.Backup, vrrp.Fault, vrrp.CauseFailed, nil, false, false, false, 0, 0},
	} {
		n := single(t, lone(50, 0))
		i := n.instances[0]
		i.doubt.on = true
		sent := i.sent
		n.enter(i, vrrp.Enter{From: c.from, To: c.to, Cause: c.cause})
		if got := changes(n.out); !slices.Equal(got, c.changes) || i.doubt.on != c.doubt || i.otherMaster != c.other || i.wasMaster != c.was || int(i.sent-sent) != c.sent || i.kernel.holding != (c.holding > 0) {
			t.Errorf("%v to %v, %v: %v, doubt %v, another MASTER %v, we were the last %v, sent %d", c.from, c.to, c.cause, got, i.doubt.on, i.otherMaster, i.wasMaster, i.sent-sent)
		}
	}
}

// Half a service is displaced by an instance that is told not to preempt, for as long as that is what is heard.
func TestHalfAServiceIsDisplaced(t *testing.T) {
	n := single(t, with(50, func(i *Instance) { i.VRRP.Preempt = false }))
	i := n.instances[0]
	for k, c := range []struct {
		priority uint8
		want     bool
	}{{20, false}, {1, true}, {0, true}, {1, true}, {2, false}, {1, true}, {200, false}} {
		n.now = n.now.Add(time.Second)
		n.hear(i, i.cfg.VRRP.Advert(c.priority), addr("10.255.0.1"))
		obeys := i.obeyed.within(n.now, 0)
		if i.displaces != c.want || c.priority != 0 && obeys == c.want {
			t.Errorf("step %d, priority %d: displaces %v, obeys %v", k, c.priority, i.displaces, obeys)
		}
	}
	one := single(t, with(1, func(i *Instance) { i.VRRP.Preempt = false }))
	if one.hear(one.instances[0], one.instances[0].cfg.VRRP.Advert(1), addr("10.255.0.1")); one.instances[0].displaces {
		t.Error("one of priority 1 displaces its like")
	}
	next := single(t, with(2, func(i *Instance) { i.VRRP.Preempt = false }))
	if next.hear(next.instances[0], next.instances[0].cfg.VRRP.Advert(1), addr("10.255.0.1")); !next.instances[0].displaces {
		t.Error("one of priority 2 does not displace half a service")
	}
}

// A BACKUP hears its MASTER as long as an advert is no older than the window, be it a lesser one.
func TestMasterIsHeard(t *testing.T) {
	const window = 2304687500 * time.Nanosecond
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"never", func(n *Node, i *instance) {}, false}, {"obeyed", func(n *Node, i *instance) { i.obeyed = ago(n, window) }, true},
		{"obeyed long ago", func(n *Node, i *instance) { i.obeyed = ago(n, window+1) }, false},
		{"a lesser one", func(n *Node, i *instance) { i.lower = ago(n, window) }, true}, {"a lesser one long ago", func(n *Node, i *instance) { i.lower = ago(n, window+1) }, false},
		{"not started", func(n *Node, i *instance) { i.obeyed, i.running = ago(n, 0), false }, false},
		{"as MASTER", func(n *Node, i *instance) { i.obeyed = ago(n, 0); n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver}) }, false},
	} {
		n := single(t, lone(50, 0))
		i := n.instances[0]
		c.change(n, i)
		if got := i.peerFresh(n.now); got != c.want {
			t.Errorf("%s: heard %v", c.name, got)
		}
	}
}

// Questions are repeated every second, every interval where that is shorter, but not more often than the budget allows.
func TestCadence(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{10 * time.Second: time.Second, 500 * time.Millisecond: 500 * time.Millisecond, 10 * time.Millisecond: refill} {
		n := single(t, with(50, func(i *Instance) { i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, interval }))
		if got := n.instances[0].cadence(); got != want {
			t.Errorf("interval %v: %v, want %v", interval, got, want)
		}
	}
}
