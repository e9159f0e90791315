package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// The words for causes are stable: status and logs are searched for them.
func TestNamesOfCauses(t *testing.T) {
	want := []string{"unknown", "no-carrier", "admin-down", "gone", "mutation", "group", "hardware", "unknown"}
	for k, w := range want {
		if got := Cause(k).String(); got != w {
			t.Errorf("cause %d is called %q, want %q", k, got, w)
		}
	}
}

// A fault names its port, and what the edge says is broken rather than what everybody can see.
func TestCulprits(t *testing.T) {
	for _, c := range []struct {
		culprit string
		want    string
	}{{"", "p3p1: no carrier"}, {"link partner is gone", "p3p1: link partner is gone"}} {
		p := newPort("p3p1")
		p.known, p.state = true, PortState{Present: true, AdminUp: true, Carrier: CarrierDown, Culprit: c.culprit}
		if f, ok := p.fault(); !ok || f.Culprit != c.want {
			t.Errorf("%q, want %q", f.Culprit, c.want)
		}
	}
}

// faulty is an instance in FAULT since the first of its ports lost carrier: three ports, two of them up.
func faulty(t *testing.T) (*Node, *instance) {
	t.Helper()
	n, i := serving(t, story(100))
	n.byName["p3p1"].state.Carrier = CarrierDown
	n.settleFaults(i)
	n.out = nil
	return n, i
}

// What the causes of an instance are.
func TestCausesOfAFault(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   []Cause
	}{
		{"none", func(n *Node, i *instance) {}, nil},
		{"two ports", func(n *Node, i *instance) {
			n.byName["p3p1"].state.Carrier, n.byName["p1p1"].state.Present = CarrierDown, false
		}, []Cause{CauseCarrier, CauseGone}},
		{"the kernel", func(n *Node, i *instance) { i.kernel.failed = ago(n, 0) }, []Cause{CauseMutation}},
		{"its group", func(n *Node, i *instance) { i.group = &group{faulty: true} }, []Cause{CauseGroup}},
		{"a group in order", func(n *Node, i *instance) { i.group = &group{} }, nil},
		{"its group, since it is faulty itself", func(n *Node, i *instance) {
			i.group, i.kernel.failed = &group{faulty: true}, ago(n, 0)
		}, []Cause{CauseMutation}},
		{"the heartbeat port is none", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierDown }, nil},
	} {
		n, i := serving(t, story(100))
		c.change(n, i)
		var got []Cause
		for _, f := range n.faultsOf(i) {
			got = append(got, f.Cause)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A fault is said when it comes and when it goes, once; the transition names its rule and its first culprit.
func TestCourseOfAFault(t *testing.T) {
	n, i := serving(t, story(100))
	settle := func() []Note {
		n.out = nil
		n.settleFaults(i)
		return remarks(n.out)
	}
	lan, other := n.byName["p3p1"], n.byName["p3p2"]
	lan.state.Carrier = CarrierDown
	if said := settle(); len(said) != 1 || said[0].Level != Warning || !strings.Contains(said[0].Text, "cannot serve: p3p1") || i.state() != vrrp.Fault ||
		i.reason != "p3p1: no carrier" || i.verdict.Rule != verdict.FaultLocal {
		t.Errorf("a port is lost: said %v; %v, %q, %v", said, i.state(), i.reason, i.verdict.Rule)
	}
	if said := settle(); len(said) > 0 {
		t.Errorf("nothing new: said %v", said)
	}
	other.state.Carrier = CarrierDown
	if said := settle(); len(said) != 1 || !strings.Contains(said[0].Text, "p3p2") || i.reason != "p3p1: no carrier" {
		t.Errorf("another: said %v, %q", said, i.reason)
	}
	n.byName["p1p1"].state.Carrier = CarrierDown
	if settle(); i.verdict.Rule != verdict.FaultIsolated || i.verdict.Evidence.Heartbeat != verdict.LinkUp {
		t.Errorf("the last one: %v", i.verdict)
	}
	for _, p := range []*port{other, n.byName["p1p1"]} {
		p.state.Carrier = CarrierUp
	}
	if said := settle(); len(said) != 2 || said[0].Level != Info || !strings.Contains(said[0].Text, "no longer a hindrance: p3p2") || i.state() != vrrp.Fault {
		t.Errorf("two are back: said %v, %v", said, i.state())
	}
	lan.state.Carrier = CarrierUp
	if said := settle(); len(said) != 1 || i.state() != vrrp.Backup || i.verdict != (verdict.Verdict{}) || len(i.faults) > 0 {
		t.Errorf("all are back: said %v, %v, %v", said, i.state(), i.verdict)
	}
	i.running = false
	lan.state.Carrier = CarrierDown
	if settle(); i.state() != vrrp.Backup || len(i.faults) != 1 {
		t.Errorf("before it starts: %v with %v", i.state(), i.faults)
	}
}

// Half a service may be offered where a port with an address is left, and ports are all that is wrong.
func TestWhoMayServeHalf(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"two ports are left", func(n *Node, i *instance) {}, true},
		{"one port is left", func(n *Node, i *instance) { n.byName["p3p2"].state.Carrier = CarrierDown }, true},
		{"none is left", func(n *Node, i *instance) {
			n.byName["p3p2"].state.Carrier, n.byName["p1p1"].state.Carrier = CarrierDown, CarrierUnknown
		}, false},
		{"one without an address is left", func(n *Node, i *instance) {
			n.byName["p3p2"].state.Carrier, i.serving[2].vips = CarrierDown, 0
		}, false},
		{"the kernel refuses", func(n *Node, i *instance) { i.faults = append(i.faults, Fault{Cause: CauseMutation}) }, false},
		{"the group", func(n *Node, i *instance) { i.faults = append(i.faults, Fault{Cause: CauseGroup}) }, false},
	} {
		n, i := faulty(t)
		c.change(n, i)
		if got := n.mayBePartial(i); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// Half a service is offered when nobody has answered for a master-down interval, and a witness has.
func TestWhenHalfAServiceIsOffered(t *testing.T) {
	const down = 4300 * time.Millisecond // the master-down interval of priority 1, and a ruling
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance, b *burst)
		want   bool
		quiet  time.Duration // since when nobody answers; -1: somebody does, or nobody was asked
	}{
		{"long enough", func(n *Node, i *instance, b *burst) { i.quiet = ago(n, down) }, true, 0},
		{"not yet", func(n *Node, i *instance, b *burst) { i.quiet = ago(n, down-1) }, false, down - 1},
		{"for the first time", func(n *Node, i *instance, b *burst) {}, false, 5},
		{"the peer answers", func(n *Node, i *instance, b *burst) {
			i.quiet, b.asks[0].answers = ago(n, down), []answer{{peerMAC, [forms]int{0, 1}}}
		}, false, -1},
		{"a stranger answers", func(n *Node, i *instance, b *burst) {
			i.quiet, b.asks[0].answers = ago(n, down), []answer{{strangerMAC, [forms]int{0, 1}}}
		}, false, -1},
		{"a cache answers", func(n *Node, i *instance, b *burst) {
			i.quiet, b.asks[0].answers = ago(n, down), []answer{{peerMAC, [forms]int{1, 0}}}
		}, true, 0},
		{"the witness is on the first", func(n *Node, i *instance, b *burst) {
			i.quiet, b.asks[0].witnessAny, b.asks[1].witnessAny = ago(n, down), true, false
		}, true, 0},
		{"no witness answers", func(n *Node, i *instance, b *burst) { i.quiet, b.asks[1].witnessAny = ago(n, down), false }, false, -1},
		{"a MASTER is heard", func(n *Node, i *instance, b *burst) { i.quiet, i.obeyed = ago(n, down), ago(n, i.window()) }, false, -1},
		{"a MASTER was heard", func(n *Node, i *instance, b *burst) { i.quiet, i.obeyed = ago(n, down), ago(n, i.window()+1) }, true, 0},
		{"the burst runs", func(n *Node, i *instance, b *burst) { i.quiet, b.done = ago(n, down), false }, false, down},
		{"no burst", func(n *Node, i *instance, b *burst) { i.quiet, n.inquire(i).burst = ago(n, down), nil }, false, down},
		{"the kernel is stuck", func(n *Node, i *instance, b *burst) { i.quiet, i.kernel.pending = ago(n, down), ago(n, 2*time.Second) }, false, down},
		{"no port is left", func(n *Node, i *instance, b *burst) {
			i.quiet = ago(n, down)
			n.byName["p3p2"].state.Carrier, n.byName["p1p1"].state.Carrier = CarrierDown, CarrierDown
		}, false, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := faulty(t)
			n.now = n.now.Add(time.Hour)
			i.kernel.pending = stamp{}
			i.doubt.next = n.now + 1
			n.inquiries = nil
			q := n.inquire(i)
			q.burst = &burst{began: n.now - 5, done: true}
			for k, p := range []Port{"p3p2", "p1p1"} {
				n.byName[p].addPeer(peerMAC)
				q.burst.asks = append(q.burst.asks, &asking{port: n.byName[p], witnessAny: k == 1})
			}
			c.change(n, i, q.burst)
			n.settlePartial(i)
			if i.partial != c.want || (i.state() == vrrp.Master) != c.want || i.quiet.ok == (c.want || c.quiet < 0) {
				t.Errorf("partial %v, %v, quiet %v", i.partial, i.state(), i.quiet.ok)
			}
			if i.quiet.ok && n.now.Sub(i.quiet.at) != c.quiet {
				t.Errorf("quiet since %v ago, want %v", n.now.Sub(i.quiet.at), c.quiet)
			}
		})
	}
}

// In FAULT the ports that are left are asked with the cadence.
func TestQuestionsInFault(t *testing.T) {
	n, i := faulty(t)
	n.inquiries = nil
	for _, c := range []struct {
		next time.Duration
		want bool
	}{{1, false}, {0, true}} {
		i.doubt.next = n.now.Add(c.next)
		n.settlePartial(i)
		if got := n.inquire(i).burst != nil; got != c.want || c.want && i.doubt.next != n.now.Add(time.Second) {
			t.Errorf("due after %v: asked %v, again after %v", c.next, got, i.doubt.next.Sub(n.now))
		}
	}
}

// Half a service has priority 1 and its reason; it ends when everything works, when nothing does, and when another MASTER is heard.
func TestHalfAServiceEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(n *Node, i *instance)
		partial bool
		state   vrrp.State
		changes []string
	}{
		{"nothing changes", func(n *Node, i *instance) {}, true, vrrp.Master, nil},
		{"everything works", func(n *Node, i *instance) { n.byName["p3p1"].state.Carrier = CarrierUp }, false, vrrp.Master, []string{"install 3s []"}},
		{"one more is lost", func(n *Node, i *instance) { n.byName["p3p2"].state.Carrier = CarrierDown }, true, vrrp.Master, []string{"install 3s [p3p1 p3p2]"}},
		{"all are lost", func(n *Node, i *instance) {
			n.byName["p3p2"].state.Carrier, n.byName["p1p1"].state.Carrier = CarrierDown, CarrierDown
		}, false, vrrp.Master, nil},
		{"another MASTER, and everything works", func(n *Node, i *instance) {
			n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown})
			n.byName["p3p1"].state.Carrier, n.out = CarrierUp, nil
		}, false, vrrp.Backup, nil},
		{"another MASTER", func(n *Node, i *instance) { n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown}); n.out = nil }, false, vrrp.Backup, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := faulty(t)
			n.beginPartial(i)
			if i.state() != vrrp.Master || !i.partial || i.machine.Status().Priority != 1 || !strings.HasPrefix(i.reason, "partial:") || i.quiet.ok {
				t.Fatalf("it begins as %v, partial %v, priority %d, %q", i.state(), i.partial, i.machine.Status().Priority, i.reason)
			}
			if said := remarks(n.out); len(said) != 1 || said[0].Level != Alarm {
				t.Errorf("it is said: %v", said)
			}
			if got, want := changes(n.out), []string{"install 3s [p3p1]"}; !slices.Equal(got, want) {
				t.Errorf("it begins with %v, want %v", got, want)
			}
			n.out, n.moved = nil, false
			c.change(n, i)
			n.moved = false
			n.settleFaults(i)
			if said := slices.ContainsFunc(remarks(n.out), func(x Note) bool { return strings.Contains(x.Text, "partial service ends") && x.Level == Info }); said == c.partial {
				t.Errorf("said %v", remarks(n.out))
			}
			priority := uint8(100)
			if c.partial {
				priority = 1
			}
			if i.partial != c.partial || i.state() != c.state || i.machine.Status().Priority != priority || !slices.Equal(changes(n.out), c.changes) || n.moved == c.partial {
				t.Errorf("partial %v, %v, priority %d, %v, looked at again %v", i.partial, i.state(), i.machine.Status().Priority, changes(n.out), n.moved)
			}
		})
	}
}

// A group is faulty by what is a member's own and is not waived, and partial by one that is.
func TestWhatAGroupIs(t *testing.T) {
	for _, c := range []struct {
		name            string
		change          func(one, other *instance)
		faulty, partial bool
	}{
		{"in order", func(one, other *instance) {}, false, false},
		{"a port of one", func(one, other *instance) { one.faults = []Fault{{Cause: CauseCarrier}} }, true, false},
		{"a port of the other", func(one, other *instance) { other.faults = []Fault{{Cause: CauseCarrier}} }, true, false},
		{"only the group itself", func(one, other *instance) { one.faults = []Fault{{Cause: CauseGroup}} }, false, false},
		{"a port of one that serves half", func(one, other *instance) { one.faults, one.partial = []Fault{{Cause: CauseCarrier}}, true }, false, true},
		{"one serves half, the other is broken", func(one, other *instance) { one.partial, other.faults = true, []Fault{{Cause: CauseCarrier}} }, true, true},
	} {
		n := New(0, group2(100))
		g := n.groups[0]
		c.change(n.instances[0], n.instances[1])
		if changed := g.assess(); g.faulty != c.faulty || g.partial != c.partial || changed != (c.faulty || c.partial) || g.assess() {
			t.Errorf("%s: faulty %v, partial %v, changed %v", c.name, g.faulty, g.partial, changed)
		}
	}
}

// Half a service of one makes the priority of the whole group that of half a service.
func TestWeightOfAGroup(t *testing.T) {
	for _, c := range []struct {
		partial, group bool
		want           uint8
	}{{false, false, 100}, {true, false, 1}, {false, true, 1}, {true, true, 1}} {
		n, i := serving(t, group2(100).Instances...)
		i.partial, i.group = c.partial, &group{partial: c.group}
		if n.weigh(i); i.machine.Status().Priority != c.want {
			t.Errorf("partial %v, group %v: %d", c.partial, c.group, i.machine.Status().Priority)
		}
	}
}

// What holds a group back: a member in FAULT, a contested one that waits for that, one whose MASTER is heard.
func TestWhatHoldsAGroup(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, one, other *instance)
		want   bool
	}{
		{"nothing", func(n *Node, one, other *instance) {}, false},
		{"a fault", func(n *Node, one, other *instance) { n.drive(other, vrrp.Failed{}) }, true},
		{"a contest", func(n *Node, one, other *instance) { other.verdict.Finding = verdict.Contested }, true},
		{"a contest of one that takes", func(n *Node, one, other *instance) {
			other.verdict.Finding, other.cfg.Contested = verdict.Contested, ContestedTake
		}, false},
		{"a contest of a MASTER", func(n *Node, one, other *instance) {
			other.verdict.Finding = verdict.Contested
			n.drive(other, vrrp.Ruled{Ruling: vrrp.TakeOver})
		}, false},
		{"a MASTER is heard", func(n *Node, one, other *instance) { one.obeyed = ago(n, one.window()) }, true},
		{"a MASTER was heard", func(n *Node, one, other *instance) { one.obeyed = ago(n, one.window()+1) }, false},
		{"a MASTER was heard before the doubt", func(n *Node, one, other *instance) {
			one.obeyed, one.doubt = ago(n, 1), doubt{on: true, since: n.now - 1}
		}, false},
		{"a MASTER was heard in the doubt", func(n *Node, one, other *instance) {
			one.obeyed, one.doubt = ago(n, 1), doubt{on: true, since: n.now - 2}
		}, true},
		{"a MASTER heard another", func(n *Node, one, other *instance) {
			one.obeyed = ago(n, 0)
			n.drive(one, vrrp.Ruled{Ruling: vrrp.TakeOver})
		}, false},
	} {
		b := newPair(t).add("B")
		b.cfg = group2(50)
		n := b.start().n
		c.change(n, n.instances[0], n.instances[1])
		if got := n.groupHolds(n.groups[0]); got != c.want {
			t.Errorf("%s: held %v", c.name, got)
		}
	}
}

// pairedGroup is a group of two BACKUPs, of which each has a reason.
func pairedGroup(t *testing.T) (n *Node, g *group, one, other *instance) {
	t.Helper()
	b := newPair(t).add("B")
	b.cfg = group2(50)
	n = b.start().n
	g, one, other = n.groups[0], n.instances[0], n.instances[1]
	one.reason, other.reason, n.out, n.moved = "mine", "its own", nil, false
	return n, g, one, other
}

// The member whose state is not that of the group leads the others, with its reason and its verdict.
func TestWhoLeadsAGroup(t *testing.T) {
	takeOver, stepDown := vrrp.Ruled{Ruling: vrrp.TakeOver}, vrrp.Ruled{Ruling: vrrp.StepDown}
	lead := verdict.Verdict{Rule: verdict.BackupPeerDead}
	for _, c := range []struct {
		name       string
		change     func(n *Node, g *group, one, other *instance)
		one, other vrrp.State
		reason     string // of the other
		verdict    verdict.Verdict
	}{
		{"nobody moved", func(n *Node, g *group, one, other *instance) {}, vrrp.Backup, vrrp.Backup, "its own", verdict.Verdict{}},
		{"one took over", func(n *Node, g *group, one, other *instance) {
			n.drive(one, takeOver)
			one.mastery.insists = true
		}, vrrp.Master, vrrp.Master, "group G: mine", lead},
		{"one took over, and the other is served", func(n *Node, g *group, one, other *instance) {
			n.drive(one, takeOver)
			other.obeyed = ago(n, 0)
		}, vrrp.Backup, vrrp.Backup, "its own", verdict.Verdict{}},
		{"one gave way", func(n *Node, g *group, one, other *instance) {
			n.drive(other, takeOver)
			other.reason, g.state = "its own", vrrp.Master
		}, vrrp.Backup, vrrp.Backup, "group G: mine", lead},
		{"one is in FAULT", func(n *Node, g *group, one, other *instance) { n.drive(one, vrrp.Failed{}) }, vrrp.Fault, vrrp.Backup, "its own", verdict.Verdict{}},
		{"one is in FAULT, and the group was MASTER", func(n *Node, g *group, one, other *instance) {
			n.drive(other, takeOver)
			n.drive(one, vrrp.Failed{})
			other.reason, g.state = "its own", vrrp.Master
		}, vrrp.Fault, vrrp.Master, "its own", verdict.Verdict{}},
		{"both are MASTER", func(n *Node, g *group, one, other *instance) {
			n.drive(one, takeOver)
			n.drive(other, takeOver)
			one.reason, other.reason, g.state = "mine", "its own", vrrp.Master
		}, vrrp.Master, vrrp.Master, "its own", verdict.Verdict{}},
		{"both gave way", func(n *Node, g *group, one, other *instance) {
			n.drive(one, takeOver)
			n.drive(one, stepDown)
			one.reason, g.state = "mine", vrrp.Master
		}, vrrp.Backup, vrrp.Backup, "its own", verdict.Verdict{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, g, one, other := pairedGroup(t)
			one.verdict = lead
			c.change(n, g, one, other)
			one.verdict, one.reason = lead, "mine"
			other.verdict = verdict.Verdict{}
			n.alignGroup(g)
			if one.state() != c.one || other.state() != c.other || other.reason != c.reason || other.verdict != c.verdict {
				t.Errorf("%v and %v, for %q by %v", one.state(), other.state(), other.reason, other.verdict.Rule)
			}
			if c.other == vrrp.Master && other.mastery.insists != one.mastery.insists {
				t.Errorf("it insists: %v", other.mastery.insists)
			}
			if c.name == "one took over, and the other is served" && !strings.Contains(one.reason, "served by the peer") {
				t.Errorf("it gives way for %q", one.reason)
			}
		})
	}
}

// A group moves when all of its members run, and tells the state that they share, once.
func TestGroupsAreSettled(t *testing.T) {
	n, g, one, other := pairedGroup(t)
	told := func() (list []vrrp.State) {
		for _, a := range n.out {
			if x, ok := a.(GroupTransition); ok {
				list = append(list, x.To)
			}
		}
		n.out = nil
		return list
	}
	g.state = vrrp.Initialize
	n.settleGroup(g)
	n.settleGroup(g)
	if got := told(); !slices.Equal(got, []vrrp.State{vrrp.Backup}) {
		t.Errorf("told %v", got)
	}
	n.drive(one, vrrp.Failed{})
	n.settleGroup(g)
	if got := told(); len(got) > 0 || g.state != vrrp.Backup {
		t.Errorf("they differ, and it is told %v", got)
	}
	n.drive(one, vrrp.Repaired{})
	n.drive(one, vrrp.Ruled{Ruling: vrrp.TakeOver})
	other.running = false
	if n.settleGroup(g); other.state() != vrrp.Backup || len(told()) > 0 {
		t.Error("a group moved before all of its members run")
	}
	other.running = true
	if n.settleGroup(g); other.state() != vrrp.Master || !slices.Equal(told(), []vrrp.State{vrrp.Master}) {
		t.Error("a group did not follow its leader")
	}
	n.moved = false
	one.faults = []Fault{{Cause: CauseCarrier}}
	if n.settleGroup(g); !n.moved || !g.faulty {
		t.Error("members are not looked at again when their group becomes faulty")
	}
}

// Half a service of a member is of use only if the group would keep it.
func TestWhatHindersHalfAGroup(t *testing.T) {
	const down = 4300 * time.Millisecond
	broken := []Fault{{Cause: CauseCarrier, Port: "p3p2"}}
	due := func(n *Node, i *instance, quiet time.Duration) {
		n.byName["p3p2"].state.Carrier = CarrierDown // of its two
		n.drive(i, vrrp.Failed{})
		i.faults, i.quiet = broken, ago(n, quiet)
	}
	for _, c := range []struct {
		name   string
		change func(n *Node, one, other *instance)
		want   bool
	}{
		{"nothing", func(n *Node, one, other *instance) {}, false},
		{"no group", func(n *Node, one, other *instance) { one.group, other.faults = nil, broken }, false},
		{"a fault of the other", func(n *Node, one, other *instance) { other.faults = broken }, true},
		{"a fault of its own", func(n *Node, one, other *instance) { one.faults = broken }, false},
		{"the other is in the same group", func(n *Node, one, other *instance) { other.faults = []Fault{{Cause: CauseGroup}} }, false},
		{"the other serves half already", func(n *Node, one, other *instance) { other.faults, other.partial = broken, true }, false},
		{"the other may do so now", func(n *Node, one, other *instance) { due(n, other, down) }, false},
		{"the other may do so a moment later", func(n *Node, one, other *instance) { due(n, other, down-1) }, true},
		{"the other has no port left", func(n *Node, one, other *instance) {
			due(n, other, down)
			n.byName["p1p1"].state.Carrier = CarrierDown
		}, true},
		{"the other did not look", func(n *Node, one, other *instance) { due(n, other, down); other.quiet.ok = false }, true},
		{"the other is served", func(n *Node, one, other *instance) { other.obeyed = ago(n, 3*time.Second) }, true},
		{"the other was served", func(n *Node, one, other *instance) { other.obeyed = ago(n, 3*time.Second+1) }, false},
		{"it is served itself", func(n *Node, one, other *instance) { one.obeyed = ago(n, 0) }, false},
	} {
		n, _, one, other := pairedGroup(t)
		c.change(n, one, other)
		if got := n.hindered(one); got != c.want {
			t.Errorf("%s: hindered %v", c.name, got)
		}
	}
}

// An instance may offer half a service in FAULT, with ports left on which nobody answered for a master-down interval.
func TestWhenHalfIsDue(t *testing.T) {
	const down = 4300 * time.Millisecond
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"it is", func(n *Node, i *instance) {}, true}, {"a moment before", func(n *Node, i *instance) { i.quiet = ago(n, down-1) }, false},
		{"nobody looked", func(n *Node, i *instance) { i.quiet = stamp{} }, false},
		{"no port is left", func(n *Node, i *instance) {
			n.byName["p3p2"].state.Carrier, n.byName["p1p1"].state.Carrier = CarrierDown, CarrierDown
		}, false},
		{"it is not in FAULT", func(n *Node, i *instance) { n.drive(i, vrrp.Repaired{}) }, false},
	} {
		n, i := faulty(t)
		i.quiet = ago(n, down)
		c.change(n, i)
		if got := n.halfIsDue(i); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// All members of a group that may serve half do so together.
func TestHalvesOfAGroupBeginTogether(t *testing.T) {
	b := newPair(t).add("B")
	b.cfg = wide(100)
	b.cfg.Instances[1].VIPs = append(b.cfg.Instances[1].VIPs, b.cfg.Instances[0].VIPs[1])
	b.carrier["p3p1"], b.carrier["p1p1"] = false, false
	n := b.start().n
	for _, i := range n.instances {
		if i.state() != vrrp.Fault {
			t.Fatalf("%v is %v", i.cfg.Key(), i.state())
		}
		i.quiet, i.doubt.next = ago(n, time.Minute), n.now+1
	}
	q := n.inquire(n.instances[0])
	q.burst = &burst{done: true, asks: []*asking{{port: n.byName["p3p2"], witnessAny: true}}}
	n.settlePartial(n.instances[0])
	for _, i := range n.instances {
		if i.state() != vrrp.Master || !i.partial {
			t.Errorf("%v is %v, partial %v", i.cfg.Key(), i.state(), i.partial)
		}
	}
}

// A router that knows nothing of its ports has no fault, serves no half, and says nothing.
func TestUnknownPortsAreNoFault(t *testing.T) {
	n := New(vrrp.Instant(time.Hour), Config{Instances: []Instance{story(50)}})
	i := n.instances[0]
	n.now = n.now.Add(bootWait)
	n.settle()
	n.out = nil
	n.settleFaults(i)
	if i.state() != vrrp.Backup || len(n.out) > 0 {
		t.Errorf("%v, %v", i.state(), n.out)
	}
}
