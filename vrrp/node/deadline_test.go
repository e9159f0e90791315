package node

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// When the brain wants to be woken for an instance. The machine is held for two hours, which says "never" here, or sends in a second.
func TestDeadlinesOfAnInstance(t *testing.T) {
	const (
		s      = time.Second
		never  = 2 * time.Hour
		window = 2304687500 * time.Nanosecond
		memory = 3 * time.Second // of a rival
	)
	for _, c := range []struct {
		name   string
		state  vrrp.State
		change func(n *Node, i *instance)
		want   time.Duration
	}{
		{"calm", vrrp.Backup, func(n *Node, i *instance) {}, never},
		{"an advert was obeyed", vrrp.Backup, func(n *Node, i *instance) { i.obeyed = ago(n, s) }, window - s + 1},
		{"a lesser one was heard since", vrrp.Backup, func(n *Node, i *instance) { i.obeyed, i.lower = ago(n, 2*s), ago(n, s) }, window - s + 1},
		{"the window is over in this moment", vrrp.Backup, func(n *Node, i *instance) { i.obeyed = ago(n, window) }, 1},
		{"the window was over", vrrp.Backup, func(n *Node, i *instance) { i.obeyed = ago(n, window+1) }, never},
		{"a doubt", vrrp.Backup, func(n *Node, i *instance) { i.doubt, i.obeyed = doubt{on: true, next: n.now.Add(s)}, ago(n, window-5) }, s},
		{"a doubt that listens", vrrp.Backup, func(n *Node, i *instance) {
			i.doubt = doubt{on: true, next: n.now.Add(s), listen: stamp{n.now + 1, true}}
		}, 1},
		{"a doubt that has listened", vrrp.Backup, func(n *Node, i *instance) {
			i.doubt = doubt{on: true, next: n.now.Add(s), listen: stamp{n.now, true}}
		}, s},
		{"an owner that asks", vrrp.Initialize, func(n *Node, i *instance) { i.doubt = doubt{on: true, next: n.now.Add(s)} }, s},
		{"a change is under way", vrrp.Backup, func(n *Node, i *instance) { i.kernel.pending = ago(n, s) }, s},
		{"a change is stuck", vrrp.Backup, func(n *Node, i *instance) { i.kernel.pending = ago(n, 2*s) }, never},
		{"the kernel refused", vrrp.Backup, func(n *Node, i *instance) { i.kernel.failed = ago(n, s) }, 29*s + 1},
		{"the kernel refused, and is stuck", vrrp.Backup, func(n *Node, i *instance) { i.kernel.failed, i.kernel.pending = ago(n, s), ago(n, time.Hour) }, never},
		{"a lease runs", vrrp.Backup, func(n *Node, i *instance) { i.kernel.installed, i.kernel.renewed = true, ago(n, 0) }, 1500 * time.Millisecond},
		{"a lease that is not there", vrrp.Backup, func(n *Node, i *instance) { i.kernel.renewed = ago(n, 0) }, never},
		{"a lease for ever", vrrp.Backup, func(n *Node, i *instance) { i.kernel.installed, i.kernel.renewed, i.cfg.Lease = true, ago(n, 0), 0 }, never},
		{"a calm MASTER", vrrp.Master, func(n *Node, i *instance) {}, s},
		{"it is unsure", vrrp.Master, func(n *Node, i *instance) { i.mastery.unsureUntil, i.mastery.nextAsk = n.now+1, n.now+7 }, 7},
		{"it is sure", vrrp.Master, func(n *Node, i *instance) { i.mastery.nextAsk = n.now + 7 }, s},
		{"it is in a contest", vrrp.Master, func(n *Node, i *instance) { i.mastery.contested, i.mastery.askAt = true, n.now+7 }, 7},
		{"it is in none", vrrp.Master, func(n *Node, i *instance) { i.mastery.askAt = n.now + 7 }, s},
		{"it has asked", vrrp.Master, func(n *Node, i *instance) {
			i.mastery.contested, i.mastery.asked, i.mastery.askAt = true, true, n.now+7
		}, s},
		{"a rival was told of", vrrp.Master, func(n *Node, i *instance) { i.verdict.Finding, i.mastery.rivalled = verdict.Contested, ago(n, memory) }, 1},
		{"a rival of whom nothing was told", vrrp.Master, func(n *Node, i *instance) { i.mastery.rivalled = ago(n, memory) }, s},
		{"a rival of long ago", vrrp.Master, func(n *Node, i *instance) {
			i.verdict.Finding, i.mastery.rivalled = verdict.Contested, ago(n, memory+1)
		}, s},
		{"it announces again", vrrp.Master, func(n *Node, i *instance) { i.mastery.announce2 = stamp{n.now + 7, true} }, 7},
		{"it announces periodically", vrrp.Master, func(n *Node, i *instance) { i.mastery.announce2.at, i.mastery.refresh = n.now, stamp{n.now + 7, true} }, 7},
		{"in FAULT with ports left", vrrp.Fault, func(n *Node, i *instance) { i.doubt.next = n.now + 7 }, 7},
		{"in FAULT without", vrrp.Fault, func(n *Node, i *instance) { i.doubt.next, i.serving[0].port.state.Carrier = n.now+7, CarrierDown }, never},
		{"not started", vrrp.Backup, func(n *Node, i *instance) { i.running, i.born, i.kernel.pending = false, n.now, ago(n, s) }, 4750 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, lone(50, 0))
			i := n.instances[0]
			n.now = n.now.Add(time.Hour)
			switch c.state {
			case vrrp.Initialize:
				i.machine = vrrp.New(i.cfg.VRRP)
			case vrrp.Backup:
				n.drive(i, vrrp.Ruled{Ruling: vrrp.Hold, For: never})
			case vrrp.Master:
				n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
				i.mastery, i.kernel = mastery{}, kernel{}
			case vrrp.Fault:
				n.drive(i, vrrp.Failed{})
			}
			c.change(n, i)
			var d deadline
			n.instanceDeadlines(i, &d)
			if got := d.at.Sub(n.now); d.ok && got != c.want || !d.ok && c.want != never {
				t.Errorf("woken after %v, %v; want %v", got, d.ok, c.want)
			}
		})
	}
}

// A clock that has only begun has no deadline of what never was: of no change and of no advert.
func TestDeadlinesAtTheBeginning(t *testing.T) {
	n := single(t, lone(50, 0))
	i := n.instances[0]
	n.now = 1
	n.drive(i, vrrp.Ruled{Ruling: vrrp.Hold, For: time.Hour})
	var d deadline
	if n.instanceDeadlines(i, &d); !d.ok || d.at.Sub(n.now) != time.Hour {
		t.Errorf("woken after %v, %v; want %v", d.at.Sub(n.now), d.ok, time.Hour)
	}
}

// A silence is a deadline where it raises a doubt: with adverts every 100 ms, and not with faster ones.
func TestDeadlineOfASilence(t *testing.T) {
	for interval, want := range map[time.Duration]bool{100 * time.Millisecond: true, 90 * time.Millisecond: false} {
		n := calm(t, with(50, func(i *Instance) { i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, interval }))
		i := n.instances[0]
		var d deadline
		if n.doubtDeadlines(i, &d); d.ok != want || want && d.at != n.now.Add(i.window()+1) {
			t.Errorf("interval %v: %+v", interval, d)
		}
	}
}

// Of several deadlines the earliest counts.
func TestEarliestDeadline(t *testing.T) {
	var d deadline
	for _, at := range []vrrp.Instant{5, 9, 3, 4} {
		d.want(at)
	}
	if d != (deadline{3, true}) {
		t.Errorf("%+v", d)
	}
}

// The brain wants to be woken for the instances, for bursts that run and for ports, but not before a millisecond has passed; not at
// all once it stops.
func TestDeadlineOfTheBrain(t *testing.T) {
	n := New(vrrp.Instant(time.Hour), Config{Instances: []Instance{lone(50, 0)}})
	want := func(what string, d time.Duration) {
		t.Helper()
		if at, ok := n.nextDeadline(); !ok || at.Sub(n.now) != d {
			t.Errorf("%s: woken after %v, %v; want %v", what, at.Sub(n.now), ok, d)
		}
	}
	want("it starts", bootWait)
	if at, ok := n.Deadline(); !ok || at != n.now.Add(bootWait) {
		t.Errorf("it promises %v, %v", at.Sub(n.now), ok)
	}
	p := n.byName["p3p1"]
	p.state, p.known, p.nextAsk = PortState{Present: true, AdminUp: true, Carrier: CarrierUp}, true, n.now.Add(time.Second)
	want("a port asks", time.Second)
	b := &burst{next: n.now.Add(50 * time.Millisecond)}
	n.inquiries = []*inquiry{{}, {burst: &burst{done: true}}, {burst: b}}
	want("a burst runs", 50*time.Millisecond)
	b.next = n.now + 5
	want("the burst is near", time.Millisecond)
	n.stopping = true
	if at, ok := n.nextDeadline(); ok {
		t.Errorf("it stops and wants to be woken at %v", at)
	}
	if _, ok := New(0, Config{}).Deadline(); ok {
		t.Error("a brain of nothing wants to be woken")
	}
}

// A wake-up that comes late is suspicious from the first nanosecond; by the moment, nothing is late.
func TestLateness(t *testing.T) {
	for _, c := range []struct {
		due    bool
		late   time.Duration
		before time.Duration // how late it was already
		want   time.Duration
	}{{true, 0, 0, 0}, {true, 1, 0, 1}, {true, 5, 5, 5}, {true, 6, 5, 6}, {true, 4, 5, 5}, {false, 6, 0, 0}} {
		n := single(t, lone(50, 0))
		i := n.instances[0]
		i.doubt = doubt{late: c.before}
		n.now = n.now.Add(time.Second)
		n.hasDue, n.due = c.due, n.now.Add(-c.late)
		n.noticeLateness()
		if i.doubt.late != c.want || (i.doubt.lateAt == n.now) != (c.want > c.before) {
			t.Errorf("late by %v, by %v before: %v at %v", c.late, c.before, i.doubt.late, i.doubt.lateAt)
		}
	}
}

// A brain that is woken later than an answer takes has overslept.
func TestOversleeping(t *testing.T) {
	for late, want := range map[time.Duration]bool{answerWindow: false, answerWindow + 1: true} {
		n := single(t, lone(50, 0))
		n.now = n.now.Add(time.Hour)
		n.due = n.now.Add(-late)
		if n.noticeLateness(); n.overslept.within(n.now, 0) != want {
			t.Errorf("late by %v: overslept %v", late, !want)
		}
	}
}

// A MASTER that was late asks and announces after one and a half intervals, and lets go after a master-down interval.
func TestLateMaster(t *testing.T) {
	const down = 3609375 * time.Microsecond
	for _, c := range []struct {
		late  time.Duration
		state vrrp.State
		asks  bool
		told  string
	}{
		{1500 * time.Millisecond, vrrp.Master, false, ""}, {1500*time.Millisecond + 1, vrrp.Master, true, "1.5s"}, {1501*time.Millisecond + 1, vrrp.Master, true, "1.501s"},
		{down, vrrp.Master, true, "3.609s"}, {down + 1, vrrp.Backup, false, "3.609s"},
	} {
		n, i := established(t, lone(100, 0))
		n.late(i, c.late)
		if i.state() != c.state || (len(announced(n.out)) == 1) != c.asks || i.mastery.unsureUntil == n.now.Add(down) != c.asks || (i.mastery.nextAsk == n.now) != c.asks {
			t.Errorf("late by %v: %v, announced %v, unsure for %v", c.late, i.state(), announced(n.out), i.mastery.unsureUntil.Sub(n.now))
		}
		if late := strings.Contains(i.reason, "late"); late != (c.state == vrrp.Backup) {
			t.Errorf("late by %v: the reason is %q", c.late, i.reason)
		}
		said := remarks(n.out)
		if want := map[bool]int{true: 1, false: 0}[c.asks || c.state == vrrp.Backup]; len(said) != want || want > 0 && (said[0].Level == Alarm) != (c.state == vrrp.Backup) {
			t.Errorf("late by %v: said %v", c.late, said)
		} else if want > 0 && !strings.HasPrefix(said[0].Text, "woke "+c.told+" late:") {
			t.Errorf("late by %v: said %q, want it in whole milliseconds", c.late, said[0].Text)
		}
	}
	n := single(t, lone(50, 0))
	if n.late(n.instances[0], time.Hour); len(n.out) > 0 || n.instances[0].state() != vrrp.Backup {
		t.Errorf("a BACKUP that is late: %v", n.out)
	}
}

// TestAdvertKnowsItsBeat: an advert that the loop was late for says for when it was meant, and one that an event calls for is never late.
func TestAdvertKnowsItsBeat(t *testing.T) {
	n, i := established(t, lone(50, 0))
	i.cfg.Lease = 0 // nobody answers a renewal here
	n.drive(i, vrrp.Expired{})
	n.due, n.hasDue = n.nextDeadline()
	at, ok := i.machine.Deadline()
	if !ok {
		t.Fatal("a MASTER without a next advert")
	}
	for _, c := range []struct {
		name string
		now  vrrp.Instant
		e    Event
		want vrrp.Instant
	}{
		{"late", at.Add(7 * time.Millisecond), Expired{}, at},
		{"called for after a late one", at.Add(8 * time.Millisecond), frame(t, i.cfg, 1, nil), at.Add(8 * time.Millisecond)},
		{"punctual", at.Add(time.Second), Expired{}, at.Add(time.Second)},
		{"called for", at.Add(time.Second + time.Millisecond), frame(t, i.cfg, 1, nil), at.Add(time.Second + time.Millisecond)},
		{"found by another event", at.Add(2*time.Second + time.Millisecond), Withdrawn{}, at.Add(2 * time.Second)},
	} {
		var got []vrrp.Instant
		for _, a := range n.Step(c.now, c.e) {
			if a, ok := a.(SendAdvert); ok {
				got = append(got, a.Due)
			}
		}
		if diff := cmp.Diff([]vrrp.Instant{c.want}, got); diff != "" {
			t.Errorf("%s: due (-want +got):\n%s", c.name, diff)
		}
	}
}
