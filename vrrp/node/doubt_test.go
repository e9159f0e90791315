package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// ago is a moment before the brain's present.
func ago(n *Node, d time.Duration) stamp { return stamp{at: n.now.Add(-d), ok: true} }

// What raises a doubt: priority 50 and an interval of a second make a window of 2.3 s and a master-down interval of 3.8 s.
func TestWhatRaisesADoubt(t *testing.T) {
	const window = 2304687500 * time.Nanosecond
	silent := func(n *Node, i *instance) { i.obeyed = ago(n, window+1) }
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   doubtCause
	}{
		{"the MASTER is heard", func(n *Node, i *instance) {}, doubtNone},
		{"nobody was ever heard", func(n *Node, i *instance) { i.obeyed = stamp{} }, doubtNone},
		{"the cable is dark", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierDown }, doubtCarrier},
		{"it was dark, and nothing was heard since", func(n *Node, i *instance) { i.heart.lostAt = ago(n, 0) }, doubtCarrier},
		{"it was dark, and nothing was ever heard", func(n *Node, i *instance) { i.heart.lostAt = ago(n, time.Hour); i.obeyed = stamp{} }, doubtCarrier},
		{"it was dark before something was heard", func(n *Node, i *instance) { i.heart.lostAt = ago(n, 1) }, doubtNone},
		{"it was dark before a lesser MASTER was heard", func(n *Node, i *instance) {
			i.heart.lostAt, i.obeyed, i.lower = ago(n, 1), ago(n, 2), ago(n, 0)
		}, doubtNone},
		{"the cable flaps", func(n *Node, i *instance) { i.heart.state.Carrier, i.heart.flaps = CarrierDown, n.now+1 }, doubtNone},
		{"the cable flaps, and it is silent", func(n *Node, i *instance) {
			i.heart.state.Carrier, i.heart.flaps = CarrierDown, n.now+1
			silent(n, i)
		}, doubtSilence},
		{"a goodbye", func(n *Node, i *instance) { i.goodbye = ago(n, 0) }, doubtGoodbye},
		{"a goodbye, and nothing before", func(n *Node, i *instance) { i.goodbye, i.obeyed = ago(n, time.Hour), stamp{} }, doubtGoodbye},
		{"a goodbye, and another MASTER since", func(n *Node, i *instance) { i.goodbye = ago(n, 1) }, doubtNone},
		{"a goodbye in the dark", func(n *Node, i *instance) { i.goodbye, i.heart.lostAt = ago(n, 0), ago(n, 0) }, doubtCarrier},
		{"a silence of the window", func(n *Node, i *instance) { i.obeyed = ago(n, window) }, doubtNone},
		{"a silence longer than the window", silent, doubtSilence},
		{"the machine asks after a silence", func(n *Node, i *instance) { i.consult = &consult{why: vrrp.WhySilence} }, doubtDeadline},
		{"the machine asks, since it outranks a MASTER", func(n *Node, i *instance) {
			i.consult = &consult{why: vrrp.WhyPreempt}
			i.lower = ago(n, 0)
		}, doubtNone},
		{"the machine asked, and nothing was heard since", func(n *Node, i *instance) {
			i.doubt.cause, i.doubt.since = doubtDeadline, n.now
			i.obeyed = ago(n, 1)
		}, doubtDeadline},
		{"the machine asked, and nothing was ever heard", func(n *Node, i *instance) {
			i.doubt.cause, i.obeyed = doubtDeadline, stamp{}
		}, doubtDeadline},
		{"the machine asked, and an advert came in that moment", func(n *Node, i *instance) {
			i.doubt.cause, i.doubt.since = doubtDeadline, n.now
		}, doubtNone},
		{"there was another doubt", func(n *Node, i *instance) { i.doubt.cause, i.obeyed = doubtGoodbye, stamp{} }, doubtNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := calm(t, lone(50, 0))
			c.change(n, n.instances[0])
			if got := n.doubtCause(n.instances[0]); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A silence raises a doubt of its own only where the deadline is further away than the answers: from adverts every 100 ms on.
func TestFastAdvertsRaiseNoDoubt(t *testing.T) {
	for interval, want := range map[time.Duration]doubtCause{100 * time.Millisecond: doubtSilence, 90 * time.Millisecond: doubtNone} {
		n := calm(t, with(50, func(i *Instance) { i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, interval }))
		i := n.instances[0]
		i.obeyed = ago(n, i.window()+1)
		if got := n.doubtCause(i); got != want {
			t.Errorf("interval %v: %q, want %q", interval, got, want)
		}
	}
}

func TestLaterOfTwoMoments(t *testing.T) {
	never, first, early, late := stamp{}, stamp{ok: true}, stamp{at: 1, ok: true}, stamp{at: 2, ok: true}
	for _, c := range [][3]stamp{
		{never, never, never}, {early, never, early}, {never, early, early}, {early, late, late}, {late, early, late}, {early, {at: 9}, early}, {never, first, first},
	} {
		if got := later(c[0], c[1]); got != c[2] {
			t.Errorf("later of %v and %v is %v", c[0], c[1], got)
		}
	}
}

// How a doubt begins, changes and ends.
func TestCourseOfADoubt(t *testing.T) {
	n := calm(t, lone(50, 0))
	i := n.instances[0]
	i.doubt.late, i.doubt.lateAt = 7, n.now
	settle := func(after time.Duration) (said []Note, reads bool) {
		n.now, n.out = n.now.Add(after), nil
		n.settleDoubt(i)
		return remarks(n.out), slices.Contains(n.out, Action(ReadPorts{}))
	}
	i.goodbye = ago(n, 0)
	said, reads := settle(0)
	want := doubt{on: true, cause: doubtGoodbye, since: n.now, next: n.now, late: 7, lateAt: n.now}
	if i.doubt != want || reads || len(said) != 1 || said[0].Level != Warning {
		t.Errorf("a goodbye: %+v, said %v, reads %v", i.doubt, said, reads)
	}
	i.doubt.step, i.doubt.next, i.doubt.listened = 3, n.now.Add(time.Hour), true
	if said, _ = settle(time.Second); i.doubt.since == n.now || i.doubt.step != 3 || len(said) > 0 {
		t.Errorf("the same cause began another doubt: %+v, said %v", i.doubt, said)
	}
	i.heart.lostAt = ago(n, 0)
	settle(0)
	want.cause, want.since, want.next, want.listened = doubtCarrier, n.now, n.now, true
	if i.doubt != want {
		t.Errorf("the carrier as well: %+v, want %+v", i.doubt, want)
	}
	i.doubt.step = 2
	if settle(time.Second); i.doubt.since == n.now || i.doubt.step != 2 {
		t.Errorf("the same carrier began another doubt: %+v", i.doubt)
	}
	i.obeyed = ago(n, 0)
	if said, _ = settle(0); i.doubt != (doubt{}) || len(said) != 1 || said[0].Level != Info {
		t.Errorf("after an advert: %+v, said %v", i.doubt, said)
	}
	if said, _ = settle(0); len(said) > 0 {
		t.Errorf("an end is said twice: %v", said)
	}
	i.heart.lostAt = ago(n, 0)
	if _, reads = settle(0); i.doubt.cause != doubtCarrier || !reads {
		t.Errorf("a carrier loss does not have every port read: %+v", i.doubt)
	}
}

// That our own loop was late is remembered for a master-down interval, doubt or not.
func TestLatenessIsForgotten(t *testing.T) {
	n := calm(t, lone(50, 0))
	i := n.instances[0]
	for _, c := range []struct {
		after time.Duration
		kept  bool
	}{{0, true}, {i.masterDown(), true}, {i.masterDown() + 1, false}} {
		i.obeyed = ago(n, 0)
		i.doubt = doubt{late: 5, lateAt: n.now.Add(-c.after)}
		if n.settleDoubt(i); (i.doubt.late == 5) != c.kept {
			t.Errorf("%v later: %v", c.after, i.doubt.late)
		}
	}
}

// After a loss of carrier the segments are asked after 20, 60, 140, 300 and 620 ms, after a goodbye once after half the skew, and
// then with the cadence.
func TestScheduleOfADoubt(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		cause doubtCause
		late  time.Duration // of every look
		want  []time.Duration
	}{
		{doubtCarrier, 0, []time.Duration{20 * ms, 60 * ms, 140 * ms, 300 * ms, 620 * ms, 1620 * ms, 2620 * ms}},
		{doubtCarrier, 100 * ms, []time.Duration{20 * ms, 120*ms + 1, 220*ms + 2, 320*ms + 3, 620 * ms, 1720 * ms, 2820 * ms}},
		{doubtGoodbye, 0, []time.Duration{402343750, 1402343750}},
		{doubtSilence, 0, []time.Duration{1000 * ms, 2000 * ms}},
		{doubtDeadline, 0, []time.Duration{1000 * ms, 2000 * ms}},
	} {
		n := calm(t, lone(50, 0))
		i := n.instances[0]
		i.doubt = doubt{on: true, cause: c.cause, since: n.now}
		begin := n.now
		var got []time.Duration
		for range c.want {
			at := n.nextBurst(i)
			got = append(got, at.Sub(begin))
			n.now = at.Add(c.late)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.cause, got, c.want)
		}
	}
	n := calm(t, with(254, func(i *Instance) { i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, 100*ms }))
	n.instances[0].doubt = doubt{on: true, cause: doubtGoodbye}
	if got := n.nextBurst(n.instances[0]).Sub(n.now); got != waitMin {
		t.Errorf("half of a short skew is %v, want %v", got, waitMin)
	}
}

// Preempting is who was asked by its machine because of a lesser MASTER, which it hears now, on a port with carrier.
func TestWhoPreempts(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   bool
	}{
		{"it does", func(n *Node, i *instance) {}, true},
		{"nobody asked", func(n *Node, i *instance) { i.consult = nil }, false},
		{"asked after a silence", func(n *Node, i *instance) { i.consult.why = vrrp.WhySilence }, false},
		{"heard a window ago", func(n *Node, i *instance) { i.lower = ago(n, i.window()) }, true},
		{"heard before", func(n *Node, i *instance) { i.lower = ago(n, i.window()+1) }, false},
		{"in the dark", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierDown }, false},
		{"carrier not known", func(n *Node, i *instance) { i.heart.state.Carrier = CarrierUnknown }, true},
	} {
		n := calm(t, lone(50, 0))
		i := n.instances[0]
		i.consult, i.lower = &consult{why: vrrp.WhyPreempt}, ago(n, 0)
		c.change(n, i)
		if got := n.preempting(i); got != c.want || n.ruleDue(i) != (i.consult != nil && !c.want) {
			t.Errorf("%s: preempting %v, a ruling due %v", c.name, got, n.ruleDue(i))
		}
	}
}

// When another burst is begun: when it is time, or when a ruling wants one of its own.
func TestWhenTheSegmentsAreAsked(t *testing.T) {
	const begun, none = true, false
	burstAt := func(n *Node, d time.Duration, done bool) *burst { return &burst{began: n.now.Add(d), done: done} }
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance, q *inquiry)
		want   bool
		next   bool // the schedule goes on
	}{
		{"nothing asked yet", func(n *Node, i *instance, q *inquiry) {}, begun, true},
		{"not yet time", func(n *Node, i *instance, q *inquiry) { i.doubt.next = n.now + 1 }, none, false},
		{"one of this moment", func(n *Node, i *instance, q *inquiry) { q.burst = burstAt(n, 0, true) }, none, true},
		{"one of this doubt runs", func(n *Node, i *instance, q *inquiry) { q.burst = burstAt(n, -5, false) }, none, true},
		{"one of the moment of the doubt runs", func(n *Node, i *instance, q *inquiry) { q.burst = burstAt(n, -10, false) }, none, true},
		{"an older one runs", func(n *Node, i *instance, q *inquiry) { q.burst = burstAt(n, -11, false) }, begun, true},
		{"one is over", func(n *Node, i *instance, q *inquiry) { q.burst = burstAt(n, -5, true) }, begun, true},
		{"a ruling is due", func(n *Node, i *instance, q *inquiry) {
			i.consult, i.doubt.next = &consult{since: n.now}, n.now+1
			q.burst = burstAt(n, -5, false)
		}, begun, false},
		{"a ruling is due, and has its burst", func(n *Node, i *instance, q *inquiry) {
			i.consult, i.doubt.next = &consult{since: n.now - 5}, n.now+1
			q.burst = burstAt(n, -5, true)
		}, none, false},
		{"a ruling is due, and its burst was of another doubt", func(n *Node, i *instance, q *inquiry) {
			i.consult, i.doubt.next = &consult{since: n.now - 20}, n.now+1
			q.burst = burstAt(n, -15, true)
		}, begun, false},
		{"a ruling is due, and its burst was of the moment of the doubt", func(n *Node, i *instance, q *inquiry) {
			i.consult, i.doubt.next = &consult{since: n.now - 20}, n.now+1
			q.burst = burstAt(n, -10, true)
		}, none, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := calm(t, lone(50, 0))
			i := n.instances[0]
			i.doubt = doubt{on: true, cause: doubtSilence, since: n.now - 10, next: n.now}
			n.inquiries = nil
			q := n.inquire(i)
			c.change(n, i, q)
			burst, next := q.burst, i.doubt.next
			n.pursue(i)
			if got := q.burst != burst; got != c.want {
				t.Errorf("a burst is begun: %v", got)
			}
			if got := i.doubt.next != next; got != c.next || c.next && i.doubt.next != n.now.Add(time.Second) {
				t.Errorf("the schedule goes on: %v, after %v", got, i.doubt.next.Sub(n.now))
			}
		})
	}
}

// What the judge is told of the instance and of its ports.
func TestWhatTheJudgeIsTold(t *testing.T) {
	n := calm(t, story(50))
	i := n.instances[0]
	i.doubt = doubt{on: true, cause: doubtCarrier, since: n.now - 50, late: 9, listened: true}
	i.obeyed, i.lived = ago(n, 60), ago(n, 40)
	i.heart.state.Carrier = CarrierDown
	i.heart.routers = append(i.heart.routers, addr("10.255.0.1"), addr("fe80::1"))
	one, two, three := n.byName["p3p1"], n.byName["p3p2"], n.byName["p1p1"]
	one.heard, two.heard, three.heard = true, true, false
	two.blind = true
	three.state.Carrier = CarrierDown
	by := func(p *port, v string, x ...answer) *asking {
		return &asking{port: p, vip: p.target(addr(v)), began: n.now, sent: [forms]int{1, 1}, answers: x, counts: [forms]bool{true, true}, witness: [forms]bool{true, true}}
	}
	peer := answer{mac: peerMAC, seen: [forms]int{0, 1}}
	n.inquiries = nil
	q := n.inquire(i)
	q.last = &burst{asks: []*asking{by(one, "192.168.10.1"), by(two, "192.168.20.1")}}
	q.burst = &burst{asks: []*asking{by(one, "192.168.10.1", answer{mac: peerMAC, seen: [forms]int{1, 0}}), by(two, "192.168.20.1", peer)}}
	i.serving = append(i.serving, &service{port: newPort("p9p9")}) // tracked
	want := verdict.Readings{
		Doubting: true, Doubt: 50, Carrier: true, Late: 9, Listened: true, Routers: 1, Heartbeat: verdict.LinkDown,
		Served: verdict.Age{Known: true, D: 60}, Lived: verdict.Age{Known: true, D: 40},
		Ports: []verdict.PortReading{
			{Link: verdict.LinkUp, VIP: verdict.ReplySilent, Calibrated: true, Witness: true},
			{Link: verdict.LinkUp, VIP: verdict.ReplyPeer, Calibrated: true, Witness: true, Blind: true},
			{Link: verdict.LinkDown},
			{Link: verdict.LinkUnknown, NoVIP: true},
		},
	}
	got := n.readings(i)
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("told\n%+v, want\n%+v", got, want)
	}
	i.doubt.cause, i.obeyed = doubtSilence, stamp{}
	three.state.Carrier = CarrierUp
	three.upSince = n.now
	if got = n.readings(i); got.Carrier || got.Served.Known || !got.Ports[2].Mute {
		t.Errorf("of a silence the judge is told %+v", got)
	}
}
