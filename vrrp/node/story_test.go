package node

import (
	"net/netip"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

func TestOneRouterBootsAlone(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(100)).start()
	took := w.until("A serves", 20*time.Second, a.serves)
	if limit := 5*time.Second + 3610*time.Millisecond; took > limit {
		t.Errorf("a router alone served after %v, want at most %v", took, limit)
	}
}

func TestOneRouterBootsAloneWithoutCable(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(100))
	a.carrier[cable] = false
	a.start()
	took := w.until("A serves", 20*time.Second, a.serves)
	if limit := 5*time.Second + 3620*time.Millisecond; took > limit {
		t.Errorf("a router alone served after %v, want at most %v", took, limit)
	}
}

func TestPowerOffOfTheMaster(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(a)
	took := w.until("B serves", 10*time.Second, b.serves)
	if took > 50*time.Millisecond {
		t.Errorf("B served %v after the power-off, want at most 50ms", took)
	}
	if got := b.moves[len(b.moves)-1].Verdict.Rule; got != verdict.BackupPeerDead {
		t.Errorf("rule %v, want %v", got, verdict.BackupPeerDead)
	}
	moves := len(b.moves)
	w.run(time.Minute)
	w.want("B still serves", b.serves() && len(b.moves) == moves)
}

func TestPowerOffOfTheBackup(t *testing.T) {
	w, a, b := newStory(t)
	moves := len(a.moves)
	w.powerOff(b)
	w.run(time.Minute)
	w.want("A still serves and never moved", a.serves() && len(a.moves) == moves)
	w.want("A knows why", a.rule() == verdict.MasterUnrivalled && a.n.Status().Instances[0].Doubt == doubtCarrier.String())
}

func TestCableCutWithBothAlive(t *testing.T) {
	w, a, b := newStory(t)
	ma, mb := len(a.moves), len(b.moves)
	w.cut()
	for range 6000 {
		w.run(10 * time.Millisecond)
		w.want("A serves alone", a.serves() && b.bare() && w.masters() == 1)
	}
	w.want("nobody moved", len(a.moves) == ma && len(b.moves) == mb)
	w.want("both know why", a.rule() == verdict.MasterUnrivalled && b.rule() == verdict.BackupContested)
	w.join()
	w.run(time.Minute)
	w.want("no doubt is left", a.n.Status().Instances[0].Doubt == "")
	w.want("nobody moved after the heal", len(a.moves) == ma && len(b.moves) == mb)
}

func TestCableCutThenPowerOff(t *testing.T) {
	w, a, b := newStory(t)
	w.cut()
	w.run(20 * time.Second)
	w.want("B waits", b.bare())
	w.powerOff(a)
	took := w.until("B serves", 10*time.Second, b.serves)
	if took > 3800*time.Millisecond {
		t.Errorf("B served after %v, want at most the master-down interval", took)
	}
}

func TestBothBootWithTheCableCut(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
		w := newPair(t)
		a, b := w.add("A", story(100)), w.add("B", story(50))
		a.carrier[cable], b.carrier[cable] = false, false
		a.start()
		w.run(lag)
		b.start()
		w.run(30 * time.Second)
		w.want("exactly one MASTER", w.masters() == 1)
		if total := a.changes() + b.changes(); total > 4 {
			t.Errorf("lag %v: %d transitions, want at most 4", lag, total)
		}
	}
}

func TestBothBootEqualPriorities(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(100))
	a.carrier[cable], b.carrier[cable] = false, false
	a.start()
	b.start()
	w.run(60 * time.Second)
	w.want("exactly one MASTER", w.masters() == 1)
	w.want("and it serves", a.serves() != b.serves())
}

func TestBootOnAMutePort(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	a.carrier[cable], b.carrier[cable] = false, false
	for _, l := range w.lans {
		l.muted[b] = true
	}
	a.start()
	b.start()
	w.run(30 * time.Second)
	for _, l := range w.lans {
		l.muted[b] = false
	}
	w.run(2 * time.Second)
	w.want("exactly one MASTER", w.masters() == 1)
	w.run(30 * time.Second)
	w.want("exactly one MASTER at the end", w.masters() == 1 && (a.serves() != b.serves()))
	if total := a.changes() + b.changes(); total > 4 {
		t.Errorf("%d transitions", total)
	}
}

func TestDyingPeerDropsPortsOneByOne(t *testing.T) {
	for _, step := range []time.Duration{5 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second} {
		w, a, b := newStory(t)
		for k, l := range []Port{"p3p1", "p3p2", "p1p1"} {
			w.at(time.Duration(k+1)*step, func() { w.lans[l].muted[a] = true })
		}
		w.cut()
		w.at(4*step, func() { w.powerOff(a) })
		w.run(4*step + 4*time.Second)
		w.want("B serves", b.serves() && b.is(vrrp.Master))
	}
}

func TestFabricThatAnswersForTheDead(t *testing.T) {
	w, a, b := newStory(t)
	for p, l := range w.lans {
		l.cache = map[netip.Addr]MAC{}
		for k, v := range story(1).VIPs {
			if ports[k] == p {
				l.cache[v.Prefix.Addr()] = a.macs[p]
			}
		}
	}
	w.run(40 * time.Second)
	w.powerOff(a)
	took := w.until("B serves", 10*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v although only a cache answers", took)
	}
	moves := len(b.moves)
	for range 6000 {
		w.run(10 * time.Millisecond)
		w.want("B does not give way to a cache", b.serves() && len(b.moves) == moves)
	}
}

func TestFabricThatHidesTheLiving(t *testing.T) {
	w := newPair(t)
	for _, l := range w.lans {
		l.hide = true
	}
	a, b := w.add("A", story(100)), w.add("B", story(50))
	a.start()
	b.start()
	w.run(60 * time.Second)
	w.cut()
	w.run(60 * time.Second)
	w.want("one MASTER", w.masters() == 1 && a.serves() && b.bare())
	w.want("B knows why", b.rule() == verdict.BackupContested)
	w.join()
	w.run(60 * time.Second)
	w.powerOff(a)
	if took := w.until("B serves", 10*time.Second, b.serves); took > 50*time.Millisecond {
		t.Errorf("B served %v after the power-off, although it knew whom to ask", took)
	}
}

func TestPauseAsTheCableIsCutIsRecanted(t *testing.T) {
	w, a, b := newStory(t)
	for _, l := range w.lans {
		l.muted[a] = true
	}
	w.cut()
	w.at(20*time.Millisecond, func() {
		for _, l := range w.lans {
			l.muted[a] = false
		}
	})
	w.run(10 * time.Second)
	w.want("one MASTER", w.masters() == 1 && (a.serves() != b.serves()))
}

func TestStoppedMasterListensBeforeItSpeaks(t *testing.T) {
	w, a, b := newStory(t)
	a.paused = true
	w.run(10 * time.Second)
	w.want("B serves, A's leases ran out", b.serves() && a.bare())
	a.paused = false
	a.tell(Expired{})
	w.want("A gave up at once", a.is(vrrp.Backup))
	w.run(10 * time.Second)
	w.want("one MASTER", w.masters() == 1)
}

func TestStopHandsOver(t *testing.T) {
	w, a, b := newStory(t)
	a.tell(Stop{})
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > time.Second {
		t.Errorf("handover took %v", took)
	}
	w.want("A holds nothing", a.bare())
}

func TestServingPortFault(t *testing.T) {
	w, a, b := newStory(t)
	a.link("p3p1", false)
	w.until("B serves", 5*time.Second, b.serves)
	w.want("A is FAULT", a.is(vrrp.Fault) && a.bare())
	a.link("p3p1", true)
	w.run(20 * time.Second)
	w.want("A preempts", a.serves() && b.bare())
}

func TestPartialService(t *testing.T) {
	w, a, b := newStory(t)
	a.link("p3p1", false)
	b.link("p3p1", false)
	w.run(15 * time.Second)
	w.want("one of them serves the rest", a.is(vrrp.Master) != b.is(vrrp.Master))
	a.link("p3p1", true)
	b.link("p3p1", true)
	w.run(30 * time.Second)
	w.want("A serves again", a.serves() && b.bare() && w.masters() == 1)
}
