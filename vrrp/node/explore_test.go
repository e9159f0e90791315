package node

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
)

// The exploration: every course that the world of explore_arena_test.go can take when it is disturbed so many times, at whatever
// moments. Undisturbed a state has one successor. At each state of such a chain everything that can be disturbed is: the cable, the first
// LAN, a port, the power or the process of either router, and the fate of each single frame that the step would deliver. The chains that
// follow run until they come to a state that is known, so that an exploration ends, and then it has seen everything that so many
// disturbances can lead to.

var (
	exploreDepth  = flag.Int("explore.depth", 0, "explore with so many disturbances; 0 is what the tests can afford")
	exploreStates = flag.Int("explore.states", 0, "and stop each exploration at so many states; 0 is what the tests can afford")
	exploreRoot   = flag.String("explore.root", "", "explore only from situations with this in their name")
)

// disturbance is a choice at one step of a chain: a fault before it, or the fate of one of its frames. A fault strikes as soon as the step before
// is over, or in the last moment, when what it leads to comes after the step.
type disturbance struct {
	step  int // steps since the root
	fault arenaFault
	last  bool
	fate  frameFate // delivered: it is a fault
	nth   int
}

// take does the disturbed step.
func (d disturbance) take(w *arena) {
	if d.fate == delivered {
		if at, _, ok := w.next(); ok && d.last {
			w.now = at
		}
		w.strike(d.fault)
		w.step(nil)
		return
	}
	w.step(func(nth int) frameFate {
		if nth == d.nth {
			return d.fate
		}
		return delivered
	})
}

// chain is a way through the states: to a last disturbance, and from there on undisturbed.
type chain struct {
	way    []disturbance
	end    int   // its last step
	places []int // the steps before which a state was new
}

// expedition explores from one state.
type expedition struct {
	root      *arena
	seen      map[uint64]int // by which chain
	chains    int
	limit     int
	worst     measures
	depth     int    // steps of the longest way
	broken    *chain // the way to a violation
	violation string
}

// replay leads a copy of the root along a way.
func (x *expedition) replay(way []disturbance, to int, say func(string)) *arena {
	w := clone(x.root)
	w.say = say
	step := 0
	for _, d := range way {
		for ; step < d.step; step++ {
			w.step(nil)
		}
		d.take(w)
		step++
	}
	for ; step < to; step++ {
		w.step(nil)
	}
	return w
}

// full says that no more states may be visited.
func (x *expedition) full() bool { return len(x.seen) >= x.limit || x.broken != nil }

// restless is how many steps no chain needs to come to a known state.
const restless = 100_000

// follow runs a chain until it comes to a state that is known. Once it was calm for long enough only the coarse fingerprint counts, and the
// chain ends as well when that has not changed for so long that all clocks would have moved.
func (x *expedition) follow(w *arena, way []disturbance, step int) chain {
	x.chains++
	c := chain{way: way}
	changed, still := w.now, 0
	for ; !x.full(); step++ {
		calm := w.now.Sub(w.watch.disturbed) > calmEnough
		h := fingerprint(w, calm)
		by, known := x.seen[h]
		switch {
		case still > len(w.due)+20:
			w.violate("time stands still")
		case step > restless:
			w.violate("nothing comes to rest")
		case !known:
			x.seen[h] = x.chains
			changed = w.now
			c.places = append(c.places, step)
		}
		if x.violation = w.watch.broken; x.violation != "" {
			x.broken = &c
			break
		}
		_, _, awake := w.next()
		if !awake || still == 0 && known && (by != x.chains || !calm || w.now.Sub(changed) > horizon) {
			break
		}
		before := w.now
		w.step(nil)
		still++
		if w.now > before {
			still = 0
		}
	}
	c.end = step
	x.depth = max(x.depth, step)
	x.worst.add(w.worst)
	return c
}

func (m *measures) add(o measures) {
	m.both, m.nobody = max(m.both, o.both), max(m.nobody, o.nobody)
	m.moves, m.woken = max(m.moves, o.moves), max(m.woken, o.woken)
}

// disturb disturbs one state of a chain in every way, and follows what comes of it.
func (x *expedition) disturb(c chain, step int) []chain {
	var found []chain
	w := x.replay(c.way, step, nil)
	try := func(d disturbance) {
		if x.full() {
			return
		}
		d.step = step
		v := clone(w)
		d.take(v)
		way := append(append([]disturbance{}, c.way...), d)
		if next := x.follow(v, way, step+1); len(next.places) > 0 || x.broken != nil {
			found = append(found, next)
		}
	}
	for _, f := range w.faults() {
		try(disturbance{fault: f})
		try(disturbance{fault: f, last: true})
	}
	frames := clone(w).step(nil)
	for nth := range frames {
		try(disturbance{fate: lost, nth: nth})
		try(disturbance{fate: heldBack, nth: nth})
	}
	return found
}

// level disturbs every state of the chains, in an order that is spread over them, lest an exploration that has to stop has seen the
// beginning of everything and the end of nothing. It says whether it came to its end.
func (x *expedition) level(chains []chain) (next []chain, complete bool) {
	type place struct {
		c    chain
		step int
	}
	var places []place
	for _, c := range chains {
		for _, step := range c.places {
			places = append(places, place{c, step})
		}
	}
	stride := spread(len(places))
	for k, at := 0, 0; k < len(places); k, at = k+1, (at+stride)%len(places) {
		if x.full() {
			return next, false
		}
		next = append(next, x.disturb(places[at].c, places[at].step)...)
	}
	return next, true
}

// spread is a stride that comes by everywhere.
func spread(n int) int {
	stride := max(n*618/1000, 1)
	for gcd(stride, n) > 1 {
		stride++
	}
	return stride
}

func gcd(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// explore goes from level to level.
func (x *expedition) explore(depth int, report func(string)) {
	began := time.Now()
	chains := []chain{x.follow(clone(x.root), nil, 0)}
	complete := !x.full()
	for level := 0; ; level++ {
		how := "complete"
		if !complete {
			how = "stopped"
		}
		report(fmt.Sprintf("%d disturbances: %d states, %d chains with new ones, %d steps deep, %s, %v; two served for %v at most, nobody for %v, %d transitions, %d wakings a second",
			level, len(x.seen), len(chains), x.depth, how, time.Since(began).Round(time.Millisecond),
			x.worst.both.Round(time.Millisecond), x.worst.nobody.Round(time.Millisecond), x.worst.moves, x.worst.woken))
		if level == depth || !complete {
			return
		}
		chains, complete = x.level(chains)
	}
}

// story is the transcript of a way and of some steps beyond it.
func (x *expedition) story(c chain) string {
	var b strings.Builder
	x.replay(c.way, c.end, func(s string) { fmt.Fprintln(&b, s) })
	return b.String()
}

// exploration is a situation from which one begins.
type exploration struct {
	name   string
	a, b   *Config
	script []scripted
}

// scripted is a fault, and how long the world is then left alone.
type scripted struct {
	fault arenaFault
	then  time.Duration
}

// root plays the script. The story until then is told to whoever listens.
func (e exploration) root(t *testing.T, say func(string)) *arena {
	w := newArena(e.a, e.b)
	w.say = say
	for _, s := range e.script {
		w.strike(s.fault)
		for end := w.now.Add(s.then); ; {
			if at, _, ok := w.next(); !ok || at > end {
				break
			}
			w.step(nil)
		}
	}
	if w.watch.broken != "" {
		t.Fatalf("%s: %s", e.name, w.watch.broken)
	}
	w.say = nil
	w.watch.disturbed, w.watch.others = w.now, w.seats[0].state == vrrp.Master && w.seats[1].state == vrrp.Master
	return w
}

// explorations are the situations that are worth a beginning of their own, because it takes several disturbances to get there.
func explorations() []exploration {
	high, low := arenaConfig(100), arenaConfig(50)
	boot := []scripted{{arenaFault{powersOn, 0}, 0}, {arenaFault{powersOn, 1}, 20 * time.Second}}
	after := func(more ...scripted) []scripted { return append(append([]scripted{}, boot...), more...) }
	return []exploration{
		{"a pair that boots", high, low, []scripted{{arenaFault{powersOn, 0}, 0}, {arenaFault{powersOn, 1}, 0}}},
		{"a pair in peace", high, low, boot},
		{"the cable is cut", high, low, after(scripted{arenaFault{cuts, 0}, 10 * time.Second})},
		{"the cable and a LAN are cut", high, low, after(
			scripted{arenaFault{cuts, 0}, 10 * time.Second}, scripted{arenaFault{splitsA, 0}, 10 * time.Second})},
		{"two who serve meet again", high, low, after(
			scripted{arenaFault{cuts, 0}, 0}, scripted{arenaFault{splitsA, 0}, 0}, scripted{arenaFault{splitsB, 1}, 20 * time.Second},
			scripted{arenaFault{heals, 0}, 0}, scripted{arenaFault{heals, 1}, 0})},
		{"two who serve meet on one LAN", high, low, after(
			scripted{arenaFault{cuts, 0}, 0}, scripted{arenaFault{splitsA, 0}, 0}, scripted{arenaFault{splitsB, 1}, 20 * time.Second},
			scripted{arenaFault{heals, 1}, 0})},
		{"the peer is dead", high, low, after(scripted{arenaFault{powersOff, 0}, 10 * time.Second})},
		{"the peer is frozen", high, low, after(scripted{arenaFault{freezes, 0}, 10 * time.Second})},
		{"equals in peace", high, high, boot},
	}
}

// TestExplore explores them, and prints how far it came.
func TestExplore(t *testing.T) {
	depth, states := *exploreDepth, *exploreStates
	if depth == 0 {
		depth = 2
	}
	if states == 0 {
		states = 1_500
		if testing.Short() {
			states = 100
		}
	}
	for _, e := range explorations() {
		if !strings.Contains(e.name, *exploreRoot) {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			x := &expedition{root: e.root(t, nil), seen: map[uint64]int{}, limit: states}
			x.explore(depth, func(s string) { t.Log(s) })
			if x.broken != nil {
				var before strings.Builder
				e.root(t, func(s string) { fmt.Fprintln(&before, s) })
				t.Fatalf("%s, after %d disturbances:\n%s%s", x.violation, len(x.broken.way), before.String(), x.story(*x.broken))
			}
		})
		runtime.GC()
	}
}

// TestExploreFinds plants bugs, and wants each found, with a transcript that tells of it.
func TestExploreFinds(t *testing.T) {
	for _, c := range []struct {
		name, violation, told string
		bug                   func(w *arena, who int, e Event) bool
	}{
		{"nobody hears an answer for the address", "took its peer for dead", "the cable is cut", func(_ *arena, _ int, e Event) bool {
			h, is := e.(Heard)
			return is && h.Op == Reply && lanOf(h.Port) >= 0 && h.Sender == arenaVIP(lanOf(h.Port)).Addr()
		}},
		{"a dark cable ends a mastership", "only the cable was disturbed", "the cable is cut", func(w *arena, who int, e Event) bool {
			if _, is := e.(CarrierLost); is {
				n := w.seats[who].n
				n.drive(n.instances[0], vrrp.Ruled{Ruling: vrrp.StepDown})
				for _, a := range n.out {
					w.perform(who, a)
				}
			}
			return false
		}},
		{"a BACKUP does not look at its clock", "time stands still", "", func(w *arena, who int, e Event) bool {
			return e == Expired{} && w.seats[who].state == vrrp.Backup
		}},
		{"a proof of service is never too old", "nobody has held", "A loses power", func(w *arena, who int, _ Event) bool {
			w.seats[who].n.instances[0].obeyed.at = w.now
			return false
		}},
	} {
		e := explorations()[1]
		x := &expedition{root: e.root(t, nil), seen: map[uint64]int{}, limit: 30_000}
		x.root.bug = c.bug
		x.explore(1, func(string) {})
		if x.broken == nil {
			t.Errorf("%s: not found in %d states", c.name, len(x.seen))
			continue
		}
		story := x.story(*x.broken)
		if !strings.Contains(x.violation, c.violation) || !strings.Contains(story, c.told) {
			t.Errorf("%s: found after %d states %s\n%s", c.name, len(x.seen), x.violation, story)
		}
		t.Logf("%s: %s, found after %d states", c.name, x.violation, len(x.seen))
	}
}
