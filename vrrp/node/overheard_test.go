package node

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
)

var (
	peerMAC     = MAC{2, 'A', 1}
	strangerMAC = MAC{2, 0xdd, 1}
)

// What an answer teaches depends on who answers, for what, and whether the MASTER is heard meanwhile.
func TestWhatAnAnswerTeaches(t *testing.T) {
	vip, gateway, control := addr("192.168.10.1"), addr(gates[0]), addr("192.168.10.0")
	type lesson struct {
		peers, proxies []MAC
		strangers      int // spoken of
		mac            MAC // of the target
		answered       bool
		learned        bool // and no longer blind
	}
	for _, c := range []struct {
		name          string
		fresh         bool // the MASTER is heard
		peers         []MAC
		proxies       []MAC
		target        netip.Addr
		by            MAC
		want          lesson
		unasked, late bool
	}{
		{name: "the peer, for the first time", fresh: true, target: vip, by: peerMAC,
			want: lesson{peers: []MAC{peerMAC}, mac: peerMAC, answered: true, learned: true}},
		{name: "the peer again", fresh: true, peers: []MAC{{9}, peerMAC}, target: vip, by: peerMAC,
			want: lesson{peers: []MAC{peerMAC, {9}}, mac: peerMAC, answered: true, learned: true}},
		{name: "another beside the peer", fresh: true, peers: []MAC{peerMAC}, target: vip, by: strangerMAC,
			want: lesson{peers: []MAC{peerMAC}, strangers: 1}},
		{name: "anybody, while no MASTER is heard and nobody is known", target: vip, by: strangerMAC,
			want: lesson{mac: strangerMAC}},
		{name: "the peer, while it is not heard", peers: []MAC{peerMAC}, target: vip, by: peerMAC,
			want: lesson{peers: []MAC{peerMAC}, mac: peerMAC}},
		{name: "a stranger, while the peer is not heard", peers: []MAC{peerMAC}, target: vip, by: strangerMAC,
			want: lesson{peers: []MAC{peerMAC}, strangers: 1}},
		{name: "a proxy for the virtual address", fresh: true, proxies: []MAC{strangerMAC}, target: vip, by: strangerMAC,
			want: lesson{proxies: []MAC{strangerMAC}}},
		{name: "a proxy for a witness", proxies: []MAC{strangerMAC}, target: gateway, by: strangerMAC,
			want: lesson{proxies: []MAC{strangerMAC}, mac: strangerMAC, answered: true}},
		{name: "a witness", fresh: true, target: gateway, by: MAC{2, 0xff},
			want: lesson{mac: MAC{2, 0xff}, answered: true}},
		{name: "the control", fresh: true, peers: []MAC{strangerMAC, peerMAC}, target: control, by: strangerMAC,
			want: lesson{peers: []MAC{peerMAC}, proxies: []MAC{strangerMAC}}},
		{name: "a witness, beside a known peer", peers: []MAC{peerMAC}, target: gateway, by: MAC{2, 0xff},
			want: lesson{peers: []MAC{peerMAC}, mac: MAC{2, 0xff}, answered: true}},
		{name: "without a question", fresh: true, target: gateway, by: MAC{2, 0xff}, unasked: true},
		{name: "too late", fresh: true, target: vip, by: peerMAC, late: true},
		{name: "without a hardware address", fresh: true, target: gateway},
	} {
		for f := range forms {
			t.Run(fmt.Sprintf("%s, form %d", c.name, f), func(t *testing.T) {
				n := single(t, lone(50, 0))
				p, i := n.byName["p3p1"], n.instances[0]
				p.heard, p.misses, p.blind, p.targets = false, 2, true, map[netip.Addr]*target{}
				p.peers, p.proxies, p.learned = slices.Clone(c.peers), slices.Clone(c.proxies), c.peers != nil && c.target == vip
				x := p.target(c.target)
				if !c.unasked {
					x.pending = []pending{{form: f, to: c.by, at: n.now}}
				}
				if c.late {
					n.now = n.now.Add(answerWindow + 1)
				}
				if c.fresh {
					i.obeyed.set(n.now)
				}
				before := p.learned
				n.takeHeard(Heard{Port: "p3p1", Op: Reply, Sender: c.target, MAC: c.by})
				got := lesson{
					peers: p.peers, proxies: p.proxies, mac: x.mac, answered: x.answered[f].ok,
					strangers: len(remarks(n.out)), learned: p.learned && p.misses == 0 && !p.blind,
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("learnt %v, want %v", got, c.want)
				}
				if !c.want.learned && (p.learned != before || p.misses != 2 || !p.blind) || x.answered[1-f].ok {
					t.Errorf("learnt more: learned %v, misses %d, blind %v, the other form %v", p.learned, p.misses, p.blind, x.answered[1-f])
				}
				if p.heard != (c.by != MAC{}) {
					t.Errorf("a frame was heard: %v", p.heard)
				}
			})
		}
	}
}

// An answer for what was never asked is nothing.
func TestAnswerThatWasNotAsked(t *testing.T) {
	n := single(t, lone(50, 0))
	n.takeHeard(Heard{Port: "p3p1", Op: Reply, Sender: host(7), MAC: strangerMAC})
	if p := n.byName["p3p1"]; p.targets[host(7)] != nil && p.targets[host(7)].answered != [forms]stamp{} || p.rtt != 0 {
		t.Errorf("it was counted: %+v", p.targets[host(7)])
	}
}

// A clear answer tells how long a round trip takes; one that may belong to two questions does not.
func TestRoundTripOfAnAnswer(t *testing.T) {
	for questions, want := range map[int]time.Duration{1: 3 * time.Millisecond, 2: 0} {
		n := single(t, lone(50, 0))
		p := n.byName["p3p1"]
		for range questions {
			p.target(addr(gates[0])).pending = append(p.target(addr(gates[0])).pending, pending{at: n.now})
		}
		n.now = n.now.Add(3 * time.Millisecond)
		n.takeHeard(Heard{Port: "p3p1", Op: Reply, Sender: addr(gates[0]), MAC: MAC{2, 0xff}})
		if p.rtt != want {
			t.Errorf("%d questions: round trip %v, want %v", questions, p.rtt, want)
		}
	}
}

// What a router sends to itself, over a loop or from a port that nobody uses, it has not heard.
func TestOwnFramesAreNotHeard(t *testing.T) {
	n := single(t, lone(50, 0))
	n.macs = []MAC{{2, 'B', 0x99}}
	p := n.byName["p3p1"]
	for _, e := range []Heard{
		{Port: "p3p1", Op: Request, Sender: host(1), MAC: MAC{2, 'B', 1}},
		{Port: "p3p1", Op: Request, Sender: host(1), MAC: MAC{2, 'B', 0x99}},
		{Port: "eth7", Op: Request, Sender: host(1), MAC: MAC{2, 0xcc}},
	} {
		n.takeHeard(e)
		if p.heard || len(p.witnesses) != 1 {
			t.Errorf("%+v was heard: %v", e, p.witnesses)
		}
	}
	n.takeHeard(Heard{Port: "p3p1", Op: Request, Sender: host(1), MAC: MAC{2, 0xcc}})
	if !p.heard || len(p.witnesses) != 2 {
		t.Errorf("a neighbour was not heard: %v", p.witnesses)
	}
}

// Whoever asks for our virtual address from no address asks what only a router of the pair asks.
func TestWhoAsksOurQuestion(t *testing.T) {
	zero := netip.IPv4Unspecified()
	for _, c := range []struct {
		name string
		e    Heard
		want bool
	}{
		{"our question", Heard{Op: Request, Sender: zero, Target: addr("192.168.10.1")}, true},
		{"a host that looks for its gateway", Heard{Op: Request, Sender: host(1), Target: addr("192.168.10.1")}, false},
		{"a host that wants to know whether its address is free", Heard{Op: Request, Sender: zero, Target: host(1)}, false},
		{"a virtual address of another port", Heard{Op: Request, Sender: zero, Target: addr("192.168.20.1")}, false},
		{"duplicate detection in IPv6", Heard{Op: Request, Sender: netip.IPv6Unspecified(), Target: addr("2001:db8:1::1")}, false},
		{"an announcement", Heard{Op: Gratuitous, Sender: zero, Target: addr("192.168.10.1")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, dual(50).Instances...)
			c.e.Port, c.e.MAC = "p3p1", peerMAC
			n.takeHeard(c.e)
			if got := n.byName["p3p1"].isPeer(peerMAC); got != c.want {
				t.Errorf("it is of the pair: %v", got)
			}
		})
	}
}

// A frame of the peer on a serving port says that its box lives, to those who serve there.
func TestFramesOfThePeerAreSignsOfLife(t *testing.T) {
	for _, c := range []struct {
		port       Port
		by         MAC
		one, other bool
	}{
		{"p3p1", peerMAC, true, true}, {"p3p2", peerMAC, false, true}, {cable, peerMAC, false, false}, {"p3p1", strangerMAC, false, false},
	} {
		n := single(t, neighbours(50).Instances...)
		for _, p := range n.ports {
			p.addPeer(peerMAC)
		}
		n.takeHeard(Heard{Port: c.port, Op: Request, Sender: host(1), MAC: c.by, Target: host(2)})
		if one, other := n.instances[0].lived.ok, n.instances[1].lived.ok; one != c.one || other != c.other {
			t.Errorf("%v on %s: the first lives %v, the second %v", c.by, c.port, one, other)
		}
	}
}

// Who announces a virtual address while the MASTER is heard, on a port where nobody has answered for it, is whom to ask.
func TestAnnouncementsSayWhomToAsk(t *testing.T) {
	for _, c := range []struct {
		name           string
		fresh, learned bool
		sender         netip.Addr
		want           bool
	}{
		{"the MASTER is heard", true, false, addr("192.168.10.1"), true},
		{"and has answered", true, true, addr("192.168.10.1"), false},
		{"the MASTER is not heard", false, false, addr("192.168.10.1"), false},
		{"another address", true, false, host(1), false},
	} {
		n := single(t, lone(50, 0))
		p := n.byName["p3p1"]
		p.learned = c.learned
		if c.fresh {
			n.instances[0].obeyed.set(n.now)
		}
		n.takeHeard(Heard{Port: "p3p1", Op: Gratuitous, Sender: c.sender, MAC: peerMAC, Target: c.sender})
		if got := p.isPeer(peerMAC); got != c.want {
			t.Errorf("%s: it is asked %v", c.name, got)
		}
	}
}

// A station that was never met and serves on two ports within a tenth of a second is a router; on one port it is not.
func TestNewcomersAreMetOnTwoPorts(t *testing.T) {
	const one, other = Port("p3p1"), Port("p3p2")
	on := func(p Port, last byte, v string) Heard {
		return Heard{Port: p, Op: Gratuitous, Sender: addr(v), MAC: MAC{2, 'Z', last}, Target: addr(v)}
	}
	for _, c := range []struct {
		name   string
		first  Heard
		change func(*Node)
		after  time.Duration
		then   Heard
		met    bool // both; one that was the peer before remains it
	}{
		{"two ports at once", on(one, 1, "192.168.10.1"), nil, 0, on(other, 2, "192.168.20.1"), true},
		{"within a tenth of a second", on(one, 1, "192.168.10.1"), nil, answerWindow, on(other, 2, "192.168.20.1"), true},
		{"a little later", on(one, 1, "192.168.10.1"), nil, answerWindow + 1, on(other, 2, "192.168.20.1"), false},
		{"one port", on(one, 1, "192.168.10.1"), nil, 0, on(one, 2, "192.168.10.1"), false},
		{"somebody announces himself between", on(one, 1, "192.168.10.1"), func(n *Node) {
			n.takeHeard(Heard{Port: one, Op: Gratuitous, Sender: host(1), MAC: MAC{2, 0xcc}, Target: host(1)})
		}, 0, on(other, 2, "192.168.20.1"), true},
		{"only one of them ours", on(one, 1, "192.168.10.77"), nil, 0, on(other, 2, "192.168.20.1"), false},
		{"the MASTER is heard", on(one, 1, "192.168.10.1"), func(n *Node) { n.instances[0].obeyed.set(n.now) }, 0, on(other, 2, "192.168.20.1"), false},
		{"one is a proxy", on(one, 1, "192.168.10.1"), func(n *Node) { n.byName[other].addProxy(MAC{2, 'Z', 2}) }, 0, on(other, 2, "192.168.20.1"), false},
		{"one is the peer", on(one, 1, "192.168.10.1"), func(n *Node) { n.byName[other].addPeer(MAC{2, 'Z', 2}) }, 0, on(other, 2, "192.168.20.1"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, story(50))
			for _, p := range n.ports {
				p.addPeer(peerMAC)
				p.learned = true
			}
			n.takeHeard(c.first)
			if c.change != nil {
				c.change(n)
			}
			n.now = n.now.Add(c.after)
			before := n.byName[c.then.Port].isPeer(c.then.MAC)
			n.takeHeard(c.then)
			first, then := n.byName[c.first.Port].isPeer(c.first.MAC), n.byName[c.then.Port].isPeer(c.then.MAC)
			if first != c.met || then != (c.met || before) {
				t.Errorf("met: %v and %v, want %v", first, then, c.met)
			}
		})
	}
}

// A newcomer that turns out to stand beside a MASTER that is heard is forgotten as one.
func TestNewcomerBesideTheMasterIsForgotten(t *testing.T) {
	n := single(t, story(50))
	i := n.instances[0]
	for _, p := range n.ports {
		p.addPeer(peerMAC)
	}
	announce := func(p Port, last byte, v string) {
		n.takeHeard(Heard{Port: p, Op: Gratuitous, Sender: addr(v), MAC: MAC{2, 'Z', last}, Target: addr(v)})
	}
	n.byName["p3p1"].learned = true
	announce("p3p1", 1, "192.168.10.1")
	i.obeyed.set(n.now)
	announce("p3p1", 1, "192.168.10.1")
	i.obeyed = stamp{}
	announce("p3p2", 2, "192.168.20.1")
	if n.byName["p3p1"].isPeer(MAC{2, 'Z', 1}) || n.byName["p3p2"].isPeer(MAC{2, 'Z', 2}) {
		t.Error("it was met all the same")
	}
}

// The four strangers that were seen last are not spoken of again.
func TestStrangersAreToldOnce(t *testing.T) {
	n := single(t, lone(50, 0))
	p := n.byName["p3p1"]
	told := func(k byte) bool {
		n.out = nil
		n.noteStranger(p, addr("192.168.10.1"), MAC{2, 0xdd, k})
		return len(remarks(n.out)) > 0
	}
	for k := range byte(4) {
		if !told(k) || told(k) {
			t.Errorf("stranger %d is not told once", k)
		}
	}
	if told(0) || !told(4) || !told(0) {
		t.Error("four are remembered, not more and not fewer")
	}
	if q := questions(n.out); len(q) != 1 || q[0].Target != addr("192.168.10.0") {
		t.Errorf("whether it answers for everything is asked: %v", q)
	}
}

// A BACKUP that hears its MASTER without a doubt knows who answers, for its own virtual addresses.
func TestWhoseMasterIsHeard(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(one, other *instance)
		one, two bool
	}{
		{"nobody's", func(one, other *instance) {}, false, false},
		{"that of the first", func(one, other *instance) { one.obeyed.set(0) }, true, false},
		{"that of the second", func(one, other *instance) { other.lower.set(0) }, false, true},
		{"in doubt", func(one, other *instance) { one.obeyed.set(0); one.doubt.on = true }, false, false},
	} {
		n := single(t, neighbours(50).Instances...)
		n.now = 0
		c.change(n.instances[0], n.instances[1])
		if one, two := n.vipPeerFresh(addr("192.168.10.1")), n.vipPeerFresh(addr("192.168.10.2")); one != c.one || two != c.two {
			t.Errorf("%s: fresh is %v and %v", c.name, one, two)
		}
	}
}

// serving is a brain that has just become MASTER, with nobody heard before.
func serving(t *testing.T, cfg ...Instance) (*Node, *instance) {
	t.Helper()
	n := single(t, cfg...)
	for _, i := range n.instances {
		n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
	}
	n.out = nil
	return n, n.instances[0]
}

// A MASTER takes for a rival who answers a question that it asked as MASTER, or announces what it serves, where it serves it.
func TestWhoIsARival(t *testing.T) {
	for _, c := range []struct {
		name  string
		port  Port
		vip   string
		asked time.Duration // after the takeover; unicast
		mac   MAC
		want  bool
	}{
		{"an answer", "p3p1", "192.168.10.1", 0, peerMAC, true},
		{"an answer to a later question", "p3p1", "192.168.10.1", 1, peerMAC, true},
		{"an answer to an older question", "p3p1", "192.168.10.1", -1, peerMAC, false},
		{"an answer on another port", "p3p2", "192.168.10.1", 0, peerMAC, false},
		{"our own", "p3p1", "192.168.10.1", 0, MAC{2, 'B', 1}, false},
		{"a proxy", "p3p1", "192.168.10.1", 0, MAC{2, 0xee}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := serving(t, story(100))
			p := n.byName[c.port]
			p.addProxy(MAC{2, 0xee})
			p.target(addr(c.vip)).pending = []pending{{form: unicast, to: c.mac, at: i.mastery.since.Add(c.asked)}}
			n.now = n.now.Add(time.Millisecond)
			n.takeHeard(Heard{Port: c.port, Op: Reply, Sender: addr(c.vip), MAC: c.mac})
			if got := len(i.mastery.rivals) > 0; got != c.want {
				t.Errorf("a rival: %v", got)
			}
			n, i = serving(t, story(100))
			n.byName[c.port].addProxy(MAC{2, 0xee})
			n.takeHeard(Heard{Port: c.port, Op: Gratuitous, Sender: addr(c.vip), MAC: c.mac, Target: addr(c.vip)})
			if got, want := len(i.mastery.rivals) > 0, c.want || c.asked < 0; got != want {
				t.Errorf("by an announcement, a rival: %v", got)
			}
		})
	}
}

// A host that asks from a virtual address announces nothing: it may be the MASTER, who looks for somebody.
func TestQuestionsAnnounceNothing(t *testing.T) {
	n, i := serving(t, lone(100, 0))
	n.takeHeard(Heard{Port: "p3p1", Op: Request, Sender: addr("192.168.10.1"), MAC: peerMAC, Target: host(1)})
	if len(i.mastery.rivals) > 0 {
		t.Errorf("it is a rival: %v", i.mastery.rivals)
	}
}

// A MASTER announces itself again where a witness answers that was silent for longer than an answer takes.
func TestWitnessIsBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		silent time.Duration // between the first question and the second
		want   int
	}{
		{"it was silent", nil, answerWindow + 1, 1},
		{"it was slow", nil, answerWindow, 0},
		{"it had answered", func(n *Node, i *instance) { n.byName["p3p1"].target(addr(gates[0])).answered[unicast].set(n.now) }, answerWindow + 1, 0},
		{"it had answered before", func(n *Node, i *instance) { n.byName["p3p1"].target(addr(gates[0])).answered[unicast] = ago(n, 1) }, answerWindow + 1, 1},
		{"nobody serves here", func(n *Node, i *instance) { i.serving = nil }, answerWindow + 1, 0},
		{"a BACKUP", func(n *Node, i *instance) { n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown}); i.kernel.installed = true }, answerWindow + 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := established(t, lone(100, 0))
			p := n.byName["p3p1"]
			x := p.target(addr(gates[0]))
			x.answered, x.lastAsk, x.missed = [forms]stamp{}, stamp{}, false
			n.question(p, x, broadcast, true)
			if x.missed {
				t.Error("the first question was missed")
			}
			if c.change != nil {
				c.change(n, i)
			}
			n.now = n.now.Add(c.silent)
			for range 2 {
				n.question(p, x, broadcast, true)
			}
			n.out = nil
			for range 2 {
				n.takeHeard(Heard{Port: "p3p1", Op: Reply, Sender: x.addr, MAC: MAC{2, 0xff}})
			}
			if got := len(announced(n.out)); got != c.want || x.missed {
				t.Errorf("announced %d times, missed %v", got, x.missed)
			}
		})
	}
}

// Two addresses make a router only where one instance, or one group, has both.
func TestNewcomersServeTogether(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want bool
	}{
		{"one instance", Config{Instances: []Instance{story(50)}}, true}, {"one group", group2(50), true}, {"no group", Config{Instances: two(50)}, false},
		{"groups of their own", func() Config {
			c := Config{Instances: two(50)}
			for _, i := range c.Instances {
				c.Groups = append(c.Groups, Group{Name: i.Name, Members: []Key{i.Key()}})
			}
			return c
		}(), false},
	} {
		n := New(vrrp.Instant(time.Hour), c.cfg)
		one, other := n.byName["p3p1"], n.byName["p3p2"]
		if got := n.servedTogether(one, addr("192.168.10.1"), other, addr("192.168.20.1")); got != c.want {
			t.Errorf("%s: together %v", c.name, got)
		}
		if got := n.servedTogether(other, addr("192.168.20.1"), one, addr("192.168.10.1")); got != c.want {
			t.Errorf("%s, the other way round: together %v", c.name, got)
		}
		for _, p := range []*port{one, other} {
			p.addPeer(peerMAC)
		}
		n.meet(one, addr("192.168.10.1"), MAC{2, 'Z', 1}, false)
		n.meet(other, addr("192.168.20.1"), MAC{2, 'Z', 2}, false)
		if one.isPeer(MAC{2, 'Z', 1}) != c.want || other.isPeer(MAC{2, 'Z', 2}) != c.want {
			t.Errorf("%s: met %v", c.name, one.isPeer(MAC{2, 'Z', 1}))
		}
		if n.servedTogether(one, addr("192.168.20.1"), other, addr("192.168.20.1")) || n.servedTogether(one, addr("192.168.10.1"), other, addr("192.168.10.1")) {
			t.Errorf("%s: an address of another port", c.name)
		}
	}
}

// A station that was never met is met by its answers as by its announcements.
func TestNewcomersAnswer(t *testing.T) {
	n := single(t, story(50))
	for k, p := range []Port{"p3p1", "p3p2"} {
		n.byName[p].addPeer(peerMAC)
		x := n.byName[p].target(story(50).VIPs[k].Prefix.Addr())
		x.pending = []pending{{at: n.now}}
		n.takeHeard(Heard{Port: p, Op: Reply, Sender: x.addr, MAC: MAC{2, 'Z', byte(k)}})
	}
	if !n.byName["p3p1"].isPeer(MAC{2, 'Z', 0}) || !n.byName["p3p2"].isPeer(MAC{2, 'Z', 1}) {
		t.Error("it was not met")
	}
}
