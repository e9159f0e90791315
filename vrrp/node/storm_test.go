package node

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"standfast/vrrp"
)

// TestStorm throws seeded faults at the pair and then heals everything: in the
// end exactly one serves, and it got there without wandering about. A failure
// names its seed.
func TestStorm(t *testing.T) {
	for seed := range seeds(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, seed) })
	}
}

func storm(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	w, a, b := newStory(t)
	boxes := []*box{a, b}
	for range 4 + r.IntN(8) {
		w.fault(r, boxes[r.IntN(2)])
		w.run(time.Duration(r.Int64N(int64(8 * time.Second))))
	}
	w.heal(boxes)
	w.run(90 * time.Second)
	w.want("exactly one serves", w.masters() == 1 && a.serves() != b.serves())
	w.want("the other holds nothing", a.bare() != b.bare())
	ma, mb := len(a.moves), len(b.moves)
	w.run(2 * time.Minute)
	w.want("and then nothing moves", len(a.moves) == ma && len(b.moves) == mb)
	barred := a.n.instances[0].recant.barred // its preemption was refused: one-way heartbeat
	w.want("A preempted", a.serves() || barred)
}

func (w *pair) fault(r *rand.Rand, b *box) {
	p := ports[r.IntN(len(ports))]
	switch r.IntN(9) {
	case 0:
		w.say("cut")
		w.cut()
	case 1:
		w.say("join")
		w.join()
	case 2:
		w.say("%s power off", b.name)
		w.powerOff(b)
	case 3:
		w.say("%s power on", b.name)
		w.powerOn(b)
	case 4:
		w.say("%s muted on %s", b.name, p)
		w.lans[p].muted[b] = !w.lans[p].muted[b]
	case 5:
		w.say("%s paused %v", b.name, !b.paused)
		b.paused = !b.paused
		b.tell(Expired{})
	case 6:
		up := !b.carrier[p]
		w.say("%s %s carrier %v", b.name, p, up)
		b.link(p, up)
	case 7:
		w.say("%s deaf on the cable %v", b.name, !b.deaf[cable])
		b.deaf[cable] = !b.deaf[cable]
	case 8:
		w.say("gateways quiet %v", !w.quiet)
		w.quiet = !w.quiet
	}
}

// powerOn boots a router that was off.
func (w *pair) powerOn(b *box) {
	if !b.dead {
		return
	}
	b.dead, b.paused = false, false
	b.start()
	w.join()
}

func (w *pair) heal(boxes []*box) {
	w.say("heal")
	w.quiet = false
	for _, l := range w.lans {
		l.muted = map[*box]bool{}
	}
	for _, b := range boxes {
		if b.dead {
			w.powerOn(b)
		}
		b.deaf = map[Port]bool{}
		b.paused = false
		for _, p := range ports {
			b.link(p, true)
		}
		b.tell(Expired{})
	}
	w.join()
}

// TestQuestionBudget holds every port to its budget, whatever happens: twelve
// frames a second in the long run, one second ahead at most.
func TestQuestionBudget(t *testing.T) {
	w, _, b := newStory(t)
	asked := map[Port][]vrrp.Instant{}
	b.onAsk = func(q Ask) { asked[q.Port] = append(asked[q.Port], w.now) }
	for range 20 {
		w.cut()
		w.run(3 * time.Second)
		w.join()
		w.run(9 * time.Second)
	}
	for p, at := range asked {
		for from := range at {
			for to := from; to < len(at); to++ {
				span := at[to].Sub(at[from])
				if limit := int(span.Seconds()*budgetPerSecond) + budgetPerSecond + budgetBorrow + 1; to-from+1 > limit {
					t.Fatalf("%s: %d questions within %v, want at most %d", p, to-from+1, span, limit)
				}
			}
		}
	}
}
