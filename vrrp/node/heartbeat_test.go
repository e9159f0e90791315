package node

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
)

// boot starts A and B with these configurations and runs them until A serves
// and B is calibrated.
func boot(t *testing.T, ca, cb Config) (w *pair, a, b *box) {
	t.Helper()
	w = newPair(t)
	a, b = w.add("A"), w.add("B")
	a.cfg, b.cfg = ca, cb
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.want("A serves everything", a.serves() && b.bare())
	return w, a, b
}

func TestStallOfAnUnansweredConsultationIsJudged(t *testing.T) {
	w, a, b := newStory(t)
	w.cut()
	w.until("B's machine asks", 10*time.Second, func() bool { return b.n.instances[0].consult != nil })
	b.paused = true
	w.run(time.Second)
	b.paused = false
	b.tell(Expired{})
	w.run(20 * time.Millisecond)
	w.want("B holds back", b.is(vrrp.Backup) && a.serves())
}

func TestFlappingLastsUntilTheCarrierWasQuiet(t *testing.T) {
	w, _, b := newStory(t)
	flap := func() {
		w.cut()
		w.run(100 * time.Millisecond)
		w.join()
	}
	for range 3 {
		flap()
		w.run(2 * time.Second)
	}
	for range 4 { // never quiet for ten seconds
		w.run(6 * time.Second)
		w.want("flapping", b.n.byName[cable].flapping(w.now))
		flap()
	}
	w.run(flapWindow + time.Second)
	w.want("quiet", !b.n.byName[cable].flapping(w.now))
}

// Whatever happens to the heartbeat port alone, nobody moves.
func TestTheHeartbeatPortAloneMovesNobody(t *testing.T) {
	for seed := range seeds(40) {
		w, a, b := newStory(t)
		r := rand.New(rand.NewPCG(seed, 3))
		w.want("calibrated", a.changes() == 1 && b.changes() == 0)
		for range 30 {
			x := []*box{a, b}[r.IntN(2)]
			switch r.IntN(4) {
			case 0:
				w.cut()
			case 1:
				w.join()
			case 2:
				x.deaf[cable] = !x.deaf[cable]
			case 3:
				x.link(cable, !x.carrier[cable])
			}
			w.run(time.Duration(r.Int64N(int64(5 * time.Second))))
			w.want(fmt.Sprintf("seed %d: A serves alone", seed), a.serves() && b.bare() && a.changes() == 1 && b.changes() == 0)
		}
	}
}

// An instance that a reload adds waits for the carrier like any other.
func TestAddedInstanceWaitsForTheCarrier(t *testing.T) {
	w, a, b := newStory(t)
	a.cfg = dual(100)
	a.carrier[cable] = false
	a.tell(a.read())
	w.run(time.Second)
	a.tell(Reload{Config: a.cfg})
	six := a.cfg.Instances[1].Key()
	w.run(time.Second)
	w.want("not started", a.state[six] == vrrp.Initialize)
	w.run(5 * time.Second)
	w.want("started without it", a.state[six] == vrrp.Backup && b.bare())
}

func TestWaitingIsSaidOnce(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	b.start()
	w.run(8 * time.Second)
	w.lans["p3p1"].muted[a] = true
	a.start()
	w.run(40 * time.Second)
	count := 0
	for _, n := range a.notes {
		if strings.Contains(n.Text, "preemption waits") {
			count++
		}
	}
	if count != 1 {
		t.Errorf("said %d times", count)
	}
}

// A stall that outlives the leases puts the addresses back and says so.
func TestStallThatOutlivesTheLease(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(b)
	a.paused = true
	w.run(3400 * time.Millisecond)
	w.want("the leases ran out", a.bare())
	announced := 0
	a.onAnnounce = func(Announce) { announced++ }
	a.paused = false
	a.tell(Expired{})
	w.run(100 * time.Millisecond)
	w.want("the addresses are back and announced", a.serves() && announced > 0 && a.is(vrrp.Master))
}
