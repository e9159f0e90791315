package world

import (
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// twisted is a brain that misbehaves: what it hears or wants is changed on the way.
type twisted struct {
	brain
	hear func(node.Event) bool                                                       // false: it is not told
	want func(vrrp.Instant, node.Event, []node.Action) []node.Action                 // what it wants instead
	due  func(now vrrp.Instant, had vrrp.Instant, ok bool) (at vrrp.Instant, _ bool) // when it wants to be woken instead
	now  vrrp.Instant
}

func (b *twisted) Step(now vrrp.Instant, e node.Event) []node.Action {
	b.now = now
	if b.hear != nil && !b.hear(e) {
		e = node.Expired{}
	}
	actions := b.brain.Step(now, e)
	if b.want != nil {
		actions = b.want(now, e, actions)
	}
	return actions
}

func (b *twisted) Deadline() (vrrp.Instant, bool) {
	at, ok := b.brain.Deadline()
	if b.due != nil {
		return b.due(b.now, at, ok)
	}
	return at, ok
}

// twist makes a router misbehave from now on.
func (l *lab) twist(router int, b *twisted) {
	r := l.routers[router]
	b.brain, b.now = r.brain, l.now
	r.brain = b
	r.arm()
}

// except leaves out actions of a type.
func except[T node.Action](actions []node.Action) []node.Action {
	var list []node.Action
	for _, a := range actions {
		if _, ok := a.(T); !ok {
			list = append(list, a)
		}
	}
	return list
}

// caught lets time pass and wants a violation of one invariant.
func (l *lab) caught(invariant string, within time.Duration) {
	l.t.Helper()
	l.run(l.now.Add(within))
	l.wantCaught(invariant)
}

func (l *lab) wantCaught(invariant string) {
	l.t.Helper()
	v := l.result.Violation
	switch {
	case v == nil:
		l.t.Errorf("nothing is violated, want %s", invariant)
	case v.Invariant != invariant:
		l.t.Errorf("violated %s, want %s", v, invariant)
	}
}

// key is the first virtual router.
func (l *lab) key() node.Key { return l.routers[routerA].config.Instances[0].Key() }

// move is a transition of the first virtual router.
func (l *lab) move(now vrrp.Instant, from, to vrrp.State) node.Transition {
	return node.Transition{Key: l.key(), Name: "VI_1", At: now, From: from, To: to, Reason: "for no reason"}
}

// serveB takes A's power away until B serves.
func (l *lab) serveB() {
	l.t.Helper()
	l.pull("A loses power for 10s")
	l.until(10*time.Second, "B serves", func() bool { return l.serves(routerB) })
	l.pass(time.Second)
}

// TestCatchesOneThatNeverYields has B serve, deaf to A which comes back and outranks it.
func TestCatchesOneThatNeverYields(t *testing.T) {
	l := newLab(t, "")
	l.serveB()
	l.twist(routerB, &twisted{hear: func(e node.Event) bool {
		switch e.(type) {
		case node.Frame, node.Heard:
			return false
		}
		return true
	}})
	l.caught("I1", time.Minute)
}

// TestCatchesOneThatLeavesWithTheCable has A do what keepalived does.
func TestCatchesOneThatLeavesWithTheCable(t *testing.T) {
	l := newLab(t, "")
	left := false
	l.twist(routerA, &twisted{want: func(now vrrp.Instant, e node.Event, actions []node.Action) []node.Action {
		if _, lost := e.(node.CarrierLost); lost && !left {
			left = true
			actions = append(actions, l.move(now, vrrp.Master, vrrp.Fault), node.Withdraw{Key: l.key()})
		}
		return actions
	}})
	l.pull("the cable of p4p1 is cut for 10s")
	l.caught("I2", 10*time.Second)
}

// TestCatchesOneThatNeverTakesOver has B sit still while A is dead.
func TestCatchesOneThatNeverTakesOver(t *testing.T) {
	l := newLab(t, "")
	l.mute(routerB)
	l.twist(routerB, &twisted{due: func(now, _ vrrp.Instant, _ bool) (vrrp.Instant, bool) { return now.Add(100 * time.Millisecond), true }})
	l.pull("A loses power for 60s")
	began := l.elapsed()
	l.caught("I3", time.Minute)
	l.between("it", l.result.Violation.At-began, l.scene.boundNone()-time.Second, l.scene.boundNone()+2*time.Second)
}

// flap makes B go from BACKUP to FAULT and back with a period.
func (l *lab) flap(period time.Duration) {
	b := &twisted{}
	next := l.now.Add(period)
	b.want = func(now vrrp.Instant, _ node.Event, actions []node.Action) []node.Action {
		if now >= next {
			next = now.Add(period)
			actions = append(actions, l.move(now, vrrp.Backup, vrrp.Fault), l.move(now, vrrp.Fault, vrrp.Backup))
		}
		return actions
	}
	b.due = func(_, had vrrp.Instant, ok bool) (vrrp.Instant, bool) {
		if ok {
			return min(had, next), true
		}
		return next, true
	}
	l.twist(routerB, b)
}

// TestCatchesOneThatFlaps has B move too often after a heal, or once when all is calm.
func TestCatchesOneThatFlaps(t *testing.T) {
	l := newLab(t, "")
	l.flap(5 * time.Second)
	l.round(Round{Heal: l.elapsed()})
	l.wantCaught("I4")

	l = newLab(t, "")
	l.flap(l.scene.settle() + time.Second)
	l.round(Round{Heal: l.elapsed()})
	l.wantCaught("I4")
	l.want(strings.Contains(l.result.Violation.Text, "calm"), "one that is caught in the calm, not %s", l.result.Violation)
}

// TestCatchesOneThatSettlesOnNobody has A stand by as B does, while somebody keeps its addresses alive.
func TestCatchesOneThatSettlesOnNobody(t *testing.T) {
	l := newLab(t, "")
	l.routers[routerA].state[0] = vrrp.Backup
	l.judge.settled()
	l.wantCaught("I4")
}

// TestCatchesOneThatKeepsAddresses has B yield to A without giving anything back.
func TestCatchesOneThatKeepsAddresses(t *testing.T) {
	l := newLab(t, "")
	l.serveB()
	l.twist(routerB, &twisted{want: func(_ vrrp.Instant, _ node.Event, actions []node.Action) []node.Action {
		return except[node.Withdraw](actions)
	}})
	l.caught("I5", time.Minute)
}

// TestCatchesALeaseThatIsTooLong has the addresses of A outlive its process.
func TestCatchesALeaseThatIsTooLong(t *testing.T) {
	l := newLab(t, "")
	l.twist(routerA, &twisted{want: func(_ vrrp.Instant, _ node.Event, actions []node.Action) []node.Action {
		for k, a := range actions {
			if r, ok := a.(node.Renew); ok {
				r.Lease *= 10
				actions[k] = r
			}
		}
		return actions
	}})
	l.pass(5 * time.Second)
	l.pull("A's process is stopped for 30s")
	l.pull("lan10 carries nothing between routers for 30s") // or I1 is first
	l.pull("lan20 carries nothing between routers for 30s")
	l.pull("wan carries nothing between routers for 30s")
	l.caught("I5", 30*time.Second)
}

// TestCatchesAReloadThatMoves has A move, or touch its addresses, as it reloads.
func TestCatchesAReloadThatMoves(t *testing.T) {
	for _, more := range []func(*lab) node.Action{
		func(l *lab) node.Action { return l.move(l.now, vrrp.Master, vrrp.Backup) },
		func(l *lab) node.Action { return node.Install{Key: l.key()} },
		func(l *lab) node.Action { return node.Withdraw{Key: l.key()} },
	} {
		l := newLab(t, "")
		l.twist(routerA, &twisted{want: func(_ vrrp.Instant, e node.Event, actions []node.Action) []node.Action {
			if _, reload := e.(node.Reload); reload {
				actions = append(actions, more(l))
			}
			return actions
		}})
		l.pass(time.Second)
		l.pull("A reloads its configuration")
		l.caught("I6", 0)
	}
}

// TestCatchesPeerDeadAfterALife has B call A dead although an advert came after the cable went dark.
func TestCatchesPeerDeadAfterALife(t *testing.T) {
	l := newLab(t, "")
	l.routers[routerB].seen.dark = l.now
	heard := false
	l.twist(routerB, &twisted{want: func(now vrrp.Instant, e node.Event, actions []node.Action) []node.Action {
		if _, advert := e.(node.Frame); advert && !heard {
			heard = true
			t := l.move(now, vrrp.Backup, vrrp.Master)
			t.Verdict.Finding = verdict.PeerDead
			actions = append(actions, t)
		}
		return actions
	}})
	l.pass(0)
	l.caught("I7", 5*time.Second)
}

// TestCatchesAResignation has A resign with storage that is healthy, again and again, and to nobody.
func TestCatchesAResignation(t *testing.T) {
	for name, prepare := range map[string]func(*lab){
		"healthy": func(*lab) {},
		"again": func(l *lab) {
			l.routers[routerA].told = node.StorageFailed
			l.routers[routerA].seen.resigned[0] = l.now.Add(-servedLong + time.Second)
		},
		"to nobody": func(l *lab) {
			l.routers[routerA].told = node.StorageFailed
			l.routers[routerB].end()
			l.routers[routerB].seen.ran = l.now.Add(-askedLately - 1)
		},
		"": func(l *lab) { l.routers[routerA].told = node.StorageFailed },
	} {
		l := newLab(t, "")
		l.pass(2 * servedLong)
		prepare(l)
		l.twist(routerA, &twisted{want: func(now vrrp.Instant, _ node.Event, actions []node.Action) []node.Action {
			t := l.move(now, vrrp.Master, vrrp.Backup)
			t.Verdict = verdict.Retire(verdict.Fitness{Storage: verdict.StorageFailed, Keep: verdict.TriNo, Spent: verdict.TriNo, Peer: verdict.TriYes})
			return append(actions, t)
		}})
		l.routers[routerA].take(node.Expired{})
		if v := l.result.Violation; name == "" && v != nil {
			t.Errorf("violated %s", v)
		} else if name != "" && (v == nil || v.Invariant != "I8") {
			t.Errorf("%s: violated %v, want I8", name, v)
		}
	}
}

// TestHolds twists nothing: the same scenes as above hold.
func TestHolds(t *testing.T) {
	for _, faults := range [][]string{
		{"A loses power for 10s"},
		{"the cable of p4p1 is cut for 10s"},
		{"A's process is stopped for 30s"},
		{"A reloads its configuration"},
	} {
		l := newLab(t, "")
		for k := range l.routers {
			l.twist(k, &twisted{})
		}
		for _, f := range faults {
			l.pull(f)
		}
		l.pass(40 * time.Second)
		l.round(Round{Heal: l.elapsed()})
		if v := l.result.Violation; v != nil {
			t.Errorf("%v: violated %s", faults, v)
		}
	}
}
