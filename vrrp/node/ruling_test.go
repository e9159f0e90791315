package node

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// deadlineReached is a BACKUP whose machine asked a millisecond ago, because of a silence, and whose burst for that is over: nobody
// answered.
func deadlineReached(t *testing.T, cfg Instance) (*Node, *instance) {
	t.Helper()
	n := calm(t, cfg)
	i := n.instances[0]
	const ms = vrrp.Instant(time.Millisecond)
	n.now += 10 * ms
	i.doubt = doubt{on: true, cause: doubtSilence, since: n.now - 5*ms, next: n.now.Add(time.Hour)}
	i.consult = &consult{why: vrrp.WhySilence, since: n.now - ms, until: n.now + 100*ms}
	for _, s := range i.serving {
		s.port.heard = true
	}
	n.inquiries = nil
	q := n.inquire(i)
	q.burst = &burst{began: n.now - ms, done: true}
	for _, v := range i.cfg.VIPs {
		p := n.byName[v.Port]
		q.burst.asks = append(q.burst.asks, &asking{port: p, vip: p.target(v.Prefix.Addr()), began: n.now - ms, sent: [forms]int{1, 1}})
	}
	q.last = q.burst
	n.out = nil
	return n, i
}

// ruled is what became of a question of the machine: "master", "waits", or for how long it is held.
func ruled(n *Node, i *instance) string {
	switch at, _ := i.machine.Deadline(); {
	case i.state() == vrrp.Master:
		return "master"
	case i.consult != nil:
		return "waits"
	default:
		return at.Sub(n.now).String()
	}
}

// What each verdict means at the master-down deadline of priority 50 at an interval of a second, whose skew is 804.6875 ms.
func TestRulings(t *testing.T) {
	const held = "3.8046875s" // a master-down interval
	for _, c := range []struct {
		name   string
		act    verdict.Act
		change func(n *Node, i *instance)
		want   string
	}{
		{"death is proved", verdict.TakeOver, nil, "master"},
		{"death is proved, for the deadline", verdict.AtDeadline, nil, "master"},
		{"the peer serves", verdict.Stay, nil, held},
		{"nobody to serve", verdict.Release, nil, held},
		{"nothing", verdict.ActNone, nil, held},
		{"unproven, serve", verdict.ByPrior, nil, "master"},
		{"unproven, serve, another was MASTER", verdict.ByPrior, func(n *Node, i *instance) { i.otherMaster = true }, "master"},
		{"unproven, yield, another was MASTER", verdict.ByPrior, func(n *Node, i *instance) { i.cfg.Prior, i.otherMaster, i.wasMaster = PriorYield, true, true }, held},
		{"unproven, yield, nobody was MASTER", verdict.ByPrior, func(n *Node, i *instance) { i.cfg.Prior = PriorYield }, "master"},
		{"unproven, incumbent, another was MASTER", verdict.ByPrior, func(n *Node, i *instance) { i.cfg.Prior, i.otherMaster = PriorIncumbent, true }, held},
		{"unproven, incumbent, we were the last", verdict.ByPrior, func(n *Node, i *instance) { i.cfg.Prior, i.otherMaster, i.wasMaster = PriorIncumbent, true, true }, "master"},
		{"unproven, incumbent, nobody was MASTER", verdict.ByPrior, func(n *Node, i *instance) { i.cfg.Prior = PriorIncumbent }, "master"},
		{"unproven, yield, we resigned, and nobody came", verdict.ByPrior, func(n *Node, i *instance) {
			i.cfg.Prior, i.otherMaster, i.wasMaster, i.retiring.spent = PriorYield, true, true, true
		}, "master"},
		{"unproven, yield, we resigned, and another came", verdict.ByPrior, func(n *Node, i *instance) {
			i.cfg.Prior, i.otherMaster, i.retiring.spent = PriorYield, true, true
		}, held},
		{"contested, hold", verdict.ByContested, nil, held},
		{"contested, take", verdict.ByContested, func(n *Node, i *instance) { i.cfg.Contested = ContestedTake }, "master"},

		{"its burst runs", verdict.AtDeadline, func(n *Node, i *instance) { n.inquire(i).burst.done = false }, "waits"},
		{"its burst is an older one", verdict.AtDeadline, func(n *Node, i *instance) { n.inquire(i).burst.began = i.consult.since - 1 }, "waits"},
		{"its burst is of another doubt", verdict.AtDeadline, func(n *Node, i *instance) {
			n.inquire(i).burst.began, i.consult.since = i.doubt.since-1, i.doubt.since-2
		}, "waits"},
		{"its burst runs, and it waits no longer", verdict.AtDeadline, func(n *Node, i *instance) { n.inquire(i).burst.done, i.consult.until = false, n.now }, "master"},
		{"its burst runs, and it waits a little longer", verdict.AtDeadline, func(n *Node, i *instance) { n.inquire(i).burst.done, i.consult.until = false, n.now+1 }, "waits"},
		{"death is proved before the deadline", verdict.TakeOver, func(n *Node, i *instance) { i.consult = nil }, "master"},

		{"the peer served in this doubt", verdict.TakeOver, func(n *Node, i *instance) { i.doubt.served = true }, "waits"},
		{"and was silent once", verdict.TakeOver, func(n *Node, i *instance) {
			i.doubt.served, i.doubt.silent = true, stamp{n.inquire(i).last.began, true}
		}, "waits"},
		{"and was silent twice", verdict.TakeOver, func(n *Node, i *instance) {
			i.doubt.served, i.doubt.silent = true, stamp{n.inquire(i).last.began - 1, true}
		}, "master"},
		{"and it waits no longer", verdict.TakeOver, func(n *Node, i *instance) { i.doubt.served, i.consult.until = true, n.now }, "master"},
		{"the peer served, at the deadline", verdict.AtDeadline, func(n *Node, i *instance) { i.doubt.served = true }, "20ms"},
		{"the peer served, at the deadline, nothing proved", verdict.ByPrior, func(n *Node, i *instance) { i.doubt.served = true }, "20ms"},
		{"the peer served, and it waits no longer", verdict.AtDeadline, func(n *Node, i *instance) { i.doubt.served, i.consult.until = true, n.now }, "master"},

		{"it was late", verdict.Listen, nil, "1.8046875s"},
		{"it listens", verdict.TakeOver, func(n *Node, i *instance) { i.doubt.listen = stamp{n.now.Add(time.Second), true} }, "1s"},
		{"it has listened", verdict.TakeOver, func(n *Node, i *instance) { i.doubt.listen = stamp{n.now, true} }, "master"},
		{"it preempts", verdict.Stay, func(n *Node, i *instance) { i.consult.why, i.lower = vrrp.WhyPreempt, ago(n, 0) }, "master"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := deadlineReached(t, lone(50, 0))
			if c.change != nil {
				c.change(n, i)
			}
			n.rule(i, verdict.Verdict{Rule: verdict.BackupUnproven, Act: c.act})
			if got := ruled(n, i); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if got := i.mastery.insists; got != (c.name == "contested, take") {
				t.Errorf("insists: %v", got)
			}
		})
	}
}

// To listen is remembered: until when, and that it was done.
func TestListeningOncePerDoubt(t *testing.T) {
	n, i := deadlineReached(t, lone(50, 0))
	n.rule(i, verdict.Verdict{Act: verdict.Listen})
	if want := (stamp{n.now.Add(1804687500), true}); i.doubt.listen != want || !i.doubt.listened {
		t.Errorf("listens until %v, %v", i.doubt.listen, i.doubt.listened)
	}
}

// The first silence after an answer has the segments asked again soon, and is the mark for the next.
func TestFirstSilenceIsLookedAtAgain(t *testing.T) {
	n, i := deadlineReached(t, lone(50, 0))
	i.doubt.served = true
	if n.silenceLasts(i) || i.doubt.next != n.now.Add(20*time.Millisecond) || i.doubt.silent != (stamp{n.inquire(i).last.began, true}) {
		t.Errorf("%+v", i.doubt)
	}
	i.doubt.silent, i.doubt.next = stamp{}, n.now+1
	if n.silenceLasts(i); i.doubt.next != n.now+1 {
		t.Error("a burst that comes anyway was put off")
	}
	n.inquire(i).last = nil
	if !n.silenceLasts(i) {
		t.Error("without a burst there is no silence to last")
	}
}

// What was not asked, for want of a budget, is no silence: a claim waits for the budget, at most for a master-down interval.
func TestClaimWithoutAQuestion(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   string
	}{
		{"asked", func(n *Node, i *instance) {}, "master"},
		{"nothing asked", func(n *Node, i *instance) { n.inquire(i).burst.asks = nil }, refill.String()},
		{"nothing to ask for", func(n *Node, i *instance) { n.inquire(i).burst.asks, i.serving[0].vips = nil, 0 }, "master"},
		{"nobody to ask", func(n *Node, i *instance) {
			n.inquire(i).burst.asks, i.serving[0].port.state.Carrier = nil, CarrierDown
		}, "master"},
		{"asked for another", func(n *Node, i *instance) { n.inquire(i).burst.asks[0].vip = &target{addr: host(1)} }, refill.String()},
		{"kept from a second ago", func(n *Node, i *instance) {
			b := n.inquire(i).burst
			b.kept, b.asks = b.asks, nil
			b.kept[0].began = i.consult.since.Add(-keepAsking)
		}, "master"},
		{"kept from before", func(n *Node, i *instance) {
			b := n.inquire(i).burst
			b.kept, b.asks = b.asks, nil
			b.kept[0].began = i.consult.since.Add(-keepAsking) - 1
		}, refill.String()},
		{"for a master-down interval", func(n *Node, i *instance) {
			n.inquire(i).burst.asks, i.doubt.starved = nil, ago(n, i.masterDown())
		}, refill.String()},
		{"for longer", func(n *Node, i *instance) {
			n.inquire(i).burst.asks, i.doubt.starved = nil, ago(n, i.masterDown()+1)
		}, "master"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := deadlineReached(t, lone(50, 0))
			c.change(n, i)
			starved := i.doubt.starved
			n.rule(i, verdict.Verdict{Act: verdict.AtDeadline})
			if got := ruled(n, i); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if c.want != "master" && (!i.doubt.starved.ok || starved.ok && i.doubt.starved != starved) {
				t.Errorf("starved since %v", i.doubt.starved)
			}
		})
	}
	for after, want := range map[time.Duration]string{time.Second: refill.String(), time.Second + 1: "master"} {
		n, i := deadlineReached(t, with(50, func(i *Instance) {
			i.VRRP.Version, i.VRRP.Auth, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, 100*time.Millisecond
		}))
		n.inquire(i).burst.asks, i.doubt.starved = nil, ago(n, after)
		if n.rule(i, verdict.Verdict{Act: verdict.AtDeadline}); ruled(n, i) != want {
			t.Errorf("with fast adverts it waits for a second: after %v it is %s", after, ruled(n, i))
		}
	}
	n, i := deadlineReached(t, lone(50, 0))
	i.doubt.starved, i.recant = ago(n, time.Second), recanting{last: ago(n, 0), answered: ago(n, 0), wait: time.Minute}
	if n.rule(i, verdict.Verdict{Act: verdict.AtDeadline}); i.doubt.starved.ok {
		t.Error("a claim that was asked for is starved all the same")
	}
}

// Without a question of the machine there is nothing to hold.
func TestHoldWithoutAQuestion(t *testing.T) {
	n, i := deadlineReached(t, lone(50, 0))
	before, _ := i.machine.Deadline()
	i.consult = nil
	n.hold(i, time.Hour)
	if at, _ := i.machine.Deadline(); at != before {
		t.Errorf("the machine waits until %v, and before until %v", at, before)
	}
}

// Whether the segments were asked after a moment, as far as there is anybody to ask.
func TestAskedAfterAMoment(t *testing.T) {
	n, i := deadlineReached(t, lone(50, 0))
	began := n.inquire(i).burst.began
	for at, want := range map[vrrp.Instant]bool{began - 1: true, began: true, began + 1: false} {
		if got := n.begunAfter(i, at); got != want {
			t.Errorf("asked after %v: %v", at.Sub(began), got)
		}
	}
	i.serving[0].vips = 0
	if !n.begunAfter(i, began) || n.begunAfter(i, began+1) {
		t.Error("with nothing to ask for, a burst does not count from when it began")
	}
	n.inquire(i).burst = nil
	if n.begunAfter(i, 0) {
		t.Error("asked without a burst")
	}
	n.inquiries = nil
	if n.begunAfter(i, 0) {
		t.Error("asked without an inquiry")
	}
}

// A router that gave way claims again after its wait, counted from the last answer, and on a burst begun after that.
func TestClaimAfterARecant(t *testing.T) {
	const wait = 500 * time.Millisecond
	for _, c := range []struct {
		name     string
		answered time.Duration // ago; the burst is a millisecond old
		asks     bool
		want     string
		next     time.Duration // until the segments are asked again
	}{
		{"the wait runs", 100 * time.Millisecond, true, "804.6875ms", 400 * time.Millisecond},
		{"the wait is over, the burst older", wait, true, "804.6875ms", refill},
		{"the wait was over when the burst began", wait + time.Millisecond, true, "master", 0},
		{"the wait is over, and nothing was asked", wait + time.Millisecond, false, "804.6875ms", refill},
		{"the wait runs, and nothing was asked", 400 * time.Millisecond, false, "804.6875ms", refill},
		{"the wait runs for long, and nothing was asked", 0, false, "804.6875ms", wait},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := deadlineReached(t, lone(50, 0))
			i.recant = recanting{last: ago(n, 0), answered: ago(n, c.answered), wait: wait}
			if !c.asks {
				n.inquire(i).burst.asks = nil
			}
			n.claim(i, verdict.Verdict{Rule: verdict.BackupPeerDead})
			if got := ruled(n, i); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if c.want != "master" && i.doubt.next != n.now.Add(c.next) {
				t.Errorf("asked again after %v, want %v", i.doubt.next.Sub(n.now), c.next)
			}
		})
	}
	n, i := deadlineReached(t, with(1, func(i *Instance) { i.VIPs, i.Witnesses, i.Routes = i.VIPs[:1], nil, nil }))
	i.recant = recanting{last: ago(n, 0), answered: ago(n, 0), wait: 30 * time.Second}
	n.claim(i, verdict.Verdict{})
	if got := ruled(n, i); got != "30s" {
		t.Errorf("a wait longer than the skew: %s", got)
	}
}

// A takeover names its verdict as its reason.
func TestReasonOfAClaim(t *testing.T) {
	n, i := deadlineReached(t, lone(50, 0))
	v := verdict.Verdict{Rule: verdict.BackupPeerDead, Act: verdict.TakeOver}
	n.claim(i, v)
	if i.reason != v.Why() {
		t.Errorf("the reason is %q", i.reason)
	}
}

// A takeover waits while a change is stuck in the kernel, and a preemption for a mute port; each is said once.
func TestWhatATakeoverWaitsFor(t *testing.T) {
	preempt := func(n *Node, i *instance) { i.consult.why, i.lower = vrrp.WhyPreempt, ago(n, 0) }
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   string
		level  Level
		said   string // part of what is said; "" for nothing
	}{
		{"nothing", func(n *Node, i *instance) {}, "master", 0, ""},
		{"a stuck change", func(n *Node, i *instance) { i.kernel.pending = ago(n, 2*time.Second) }, "1s", Warning, "stuck in the kernel"},
		{"a change that is not stuck yet", func(n *Node, i *instance) { i.kernel.pending = ago(n, 2*time.Second-1) }, "master", 0, ""},
		{"a preemption for nothing", preempt, "master", 0, ""},
		{"a preemption for a mute port", func(n *Node, i *instance) { preempt(n, i); i.serving[0].port.heard = false }, "1s", Info, "has not heard anybody"},
		{"a preemption for a stuck change", func(n *Node, i *instance) { preempt(n, i); i.kernel.pending = ago(n, 2*time.Second) }, "1s", Warning, "stuck in the kernel"},
		{"a preemption for a recant", func(n *Node, i *instance) { preempt(n, i); i.recant.barred = true }, "3.8046875s", 0, ""},
		{"a preemption for storage", func(n *Node, i *instance) { preempt(n, i); n.storage.state = StorageFailed }, "3.8046875s", 0, ""},
		{"a preemption of half a service for no storage", func(n *Node, i *instance) {
			preempt(n, i)
			n.storage.state, i.displaces = StorageFailed, true
		}, "master", 0, ""},
		{"a claim for no mute port", func(n *Node, i *instance) { i.serving[0].port.heard = false }, "master", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := deadlineReached(t, lone(50, 0))
			c.change(n, i)
			asked := *i.consult
			for turn := range 2 {
				i.consult = &asked
				n.out = nil
				n.rule(i, verdict.Verdict{Act: verdict.AtDeadline})
				if got := ruled(n, i); got != c.want {
					t.Fatalf("%s, want %s", got, c.want)
				}
				if c.want == "master" {
					if preempts := strings.HasPrefix(c.name, "a preemption"); (i.reason == causeText(vrrp.CausePreempt)) != preempts {
						t.Errorf("the reason is %q", i.reason)
					}
					return
				}
				said := remarks(n.out)
				if c.said == "" || turn > 0 {
					if len(said) > 0 {
						t.Errorf("turn %d: said %v", turn, said)
					}
				} else if len(said) != 1 || said[0].Level != c.level || !strings.Contains(said[0].Text, c.said) {
					t.Errorf("said %v, want %q", said, c.said)
				}
			}
		})
	}
}

// Where nothing is in doubt only a preemption is ruled upon.
func TestRulingWithoutADoubt(t *testing.T) {
	for why, want := range map[vrrp.Why]string{vrrp.WhyPreempt: "master", vrrp.WhySilence: "waits"} {
		n, i := deadlineReached(t, lone(50, 0))
		i.consult.why, i.lower = why, ago(n, 0)
		if n.ruleUndoubted(i); ruled(n, i) != want {
			t.Errorf("%v: %s, want %s", why, ruled(n, i), want)
		}
	}
}

// A verdict is said when it is another rule's, unless it is one that only waits for the first burst.
func TestVerdictsAreSaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		v      verdict.Verdict
		change func(n *Node, i *instance)
		said   bool
		level  Level
		kept   bool
	}{
		{"another", verdict.Verdict{Rule: verdict.BackupPeerDead, Finding: verdict.PeerDead}, nil, true, Warning, true},
		{"contested", verdict.Verdict{Rule: verdict.BackupContested, Finding: verdict.Contested}, nil, true, Alarm, true},
		{"the same", verdict.Verdict{Rule: verdict.BackupLate, Act: verdict.Stay}, nil, false, 0, true},
		{"unproven", verdict.Verdict{Rule: verdict.BackupUnproven, Act: verdict.ByPrior}, nil, true, Warning, true},
		{"unproven, no burst is over", verdict.Verdict{Rule: verdict.BackupUnproven, Act: verdict.ByPrior},
			func(n *Node, i *instance) { n.inquire(i).last = nil }, false, 0, false},
		{"unproven, the last burst was before the doubt", verdict.Verdict{Rule: verdict.BackupUnproven, Act: verdict.ByPrior},
			func(n *Node, i *instance) { n.inquire(i).last = &burst{began: i.doubt.since - 1} }, false, 0, false},
		{"unproven, the last burst began with the doubt", verdict.Verdict{Rule: verdict.BackupUnproven, Act: verdict.ByPrior},
			func(n *Node, i *instance) { n.inquire(i).last = &burst{began: i.doubt.since} }, true, Warning, true},
		{"proved before a burst is over", verdict.Verdict{Rule: verdict.BackupPeerDead, Act: verdict.TakeOver},
			func(n *Node, i *instance) { n.inquire(i).last = nil }, true, Warning, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := deadlineReached(t, lone(50, 0))
			i.verdict = verdict.Verdict{Rule: verdict.BackupLate}
			i.doubt.silent = ago(n, 0)
			if c.change != nil {
				c.change(n, i)
			}
			n.judged(i, c.v)
			said := remarks(n.out)
			if (len(said) == 1) != c.said || c.said && (said[0].Level != c.level || !strings.Contains(said[0].Text, c.v.Why())) {
				t.Errorf("said %v", said)
			}
			if (i.verdict == c.v) != c.kept {
				t.Errorf("kept %v", i.verdict)
			}
			contested := c.v.Finding == verdict.Contested
			if i.otherMaster != contested || i.recant.answered.ok != contested || i.doubt.served != contested || i.doubt.silent.ok == contested {
				t.Errorf("another MASTER %v, answered %v, served %v, silent %v", i.otherMaster, i.recant.answered.ok, i.doubt.served, i.doubt.silent.ok)
			}
		})
	}
}

// An owner asks once before its first advert. Where another answers it holds back, unless the addresses are its own for good.
func TestOwnerBeforeItsFirstAdvert(t *testing.T) {
	answered := func(n *Node, i *instance) {
		for _, a := range n.inquire(i).burst.asks {
			a.answers = []answer{{mac: peerMAC, seen: [forms]int{1, 1}}}
		}
	}
	for _, c := range []struct {
		name   string
		change func(n *Node, i *instance)
		want   string
		rule   verdict.Rule
	}{
		{"nobody answers", func(n *Node, i *instance) {}, "master", verdict.BackupUnproven},
		{"somebody answers", answered, "3.00390625s", verdict.BackupContested},
		{"somebody answers for what is its own for good", func(n *Node, i *instance) {
			answered(n, i)
			p := n.byName["p3p1"]
			p.state.Addresses = append(p.state.Addresses, netip.MustParsePrefix("192.168.10.1/24"))
		}, "master", verdict.BackupContested},
		{"the burst runs", func(n *Node, i *instance) { n.inquire(i).burst.next = n.now + 1 }, "waits", verdict.RuleNone},
		{"a reload forgot the burst", func(n *Node, i *instance) { n.inquiries = nil }, "waits", verdict.RuleNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, lone(255, 0))
			i := n.instances[0]
			if i.consult == nil || !i.doubt.on || i.doubt.cause != doubtDeadline || i.doubt.next != i.consult.until {
				t.Fatalf("an owner does not ask: %+v", i.doubt)
			}
			first := n.inquire(i).burst
			c.change(n, i)
			for c.want != "waits" && !n.inquire(i).burst.done {
				n.now = n.inquire(i).burst.next
				n.advance(n.inquire(i))
			}
			n.settleOwner(i)
			if got := ruled(n, i); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if told := i.verdict.Rule; told != c.rule {
				t.Errorf("the verdict is %v, want %v", told, c.rule)
			}
			if q := n.inquiries; c.want == "waits" && len(q) > 0 && q[0].burst != nil && !slices.ContainsFunc(q, func(q *inquiry) bool { return q.burst == first }) && i.state() == vrrp.Initialize {
				t.Error("it asked twice")
			}
		})
	}
}

// An owner that has not been asked by its machine has nothing to settle.
func TestOwnerWithoutAQuestion(t *testing.T) {
	n := single(t, lone(255, 0))
	i := n.instances[0]
	i.consult, i.doubt, n.out, n.inquiries = nil, doubt{}, nil, nil
	if n.settleOwner(i); i.doubt.on || len(n.out) > 0 {
		t.Errorf("%+v, %v", i.doubt, n.out)
	}
}

// Its own for good are addresses that stand on their ports, all of them.
func TestOwnForGood(t *testing.T) {
	n := single(t, story(255))
	i := n.instances[0]
	if n.ownsForGood(i) {
		t.Error("owns what is nowhere")
	}
	for k, v := range i.cfg.VIPs {
		p := n.byName[v.Port]
		p.state.Addresses = append(p.state.Addresses, v.Prefix)
		if got := n.ownsForGood(i); got != (k == len(i.cfg.VIPs)-1) {
			t.Errorf("with %d of %d: %v", k+1, len(i.cfg.VIPs), got)
		}
	}
	delete(n.byName, i.cfg.VIPs[1].Port)
	if n.ownsForGood(i) {
		t.Error("owns an address of a port that is not there")
	}
}
