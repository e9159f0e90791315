package vrrp

import (
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// The election explored: every machine in every state that two or three of them can get each other into, over a wire that
// loses and delays what it likes, while routers fail, are repaired, stop and start at any moment. Where it says "complete", there is no
// other state, so what holds in each of them holds for ever.
//
// Time is a multiple of a quarter of a second, of which all timers of the chosen priorities are multiples too. An advert arrives in
// the quarter in which it was sent, or in the next one where the wire is slow, or never; what is due at one moment happens in any order.

var exploreStates = flag.Int("explore.states", 0, "explore so many states of an election at most; 0 is enough for the tests")

const (
	quarter  = 250 * time.Millisecond
	maxWires = 6 // adverts in flight at once; those beyond are lost
)

// electorate is what is explored.
type electorate struct {
	name   string
	params []Params
	slow   bool // adverts may wait for a quarter
	judge  bool // anything may be ruled at any time
	// swallow, when set, may swallow an event of a machine: the bug that TestExploreFinds plants.
	swallow func(*Machine, Instant, Event) bool
}

// contest is one state of the election.
type contest struct {
	machines []Machine
	now      Instant
	wires    []wired
	calm     int // quarters since the last disturbance, as far as that counts
	double   int // and of them those with two MASTERs, without a break, until now
	none     int // quarters without a MASTER since the last event that is no loss
}

// wired is an advert in flight.
type wired struct {
	from, to int
	priority uint8
	age      int
}

// contestKey is a contest with every moment taken relative to now.
type contestKey struct {
	machines [3]machineKey
	wires    [maxWires]uint32 // in no order
	calm     int
	double   int
	none     int
}

type machineKey struct {
	state                 State
	priority              uint8
	timer                 timing
	why                   Why
	due, lower, delay, md int8
}

// step is a choice: what happens next.
type step struct {
	kind stepKind
	who  int // of the machines, or of the wires
}

type stepKind uint8

const (
	stepPasses  stepKind = iota // a quarter of a second goes by
	stepWakes                   // a machine whose timer ran out
	stepArrives                 // an advert in flight
	stepLoses                   // an advert in flight
	stepStarts                  // from here on disturbances by the operator or a fault
	stepStops                   //
	stepFails                   //
	stepRepairs                 //
	stepTakes                   // from here on rulings
	stepHolds                   //
	stepYields                  //
	numKinds
)

func (k stepKind) String() string {
	return [...]string{"passes", "wakes", "arrives", "lost", "starts", "stops", "fails", "is repaired", "is ruled to take over",
		"is ruled to hold", "is ruled to step down"}[k]
}

// disturbs says that the calm begins anew.
func (s step) disturbs() bool { return s.kind >= stepLoses }

func (e electorate) source(who int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + who)})
}

// bounds in quarters: how long two may be MASTER in a calm, how long nobody, and when all has settled.
func (e electorate) bounds() (two, none, settled int) {
	longest := 0
	for _, p := range e.params {
		down := masterDown(&p, p.Priority, p.Interval) + p.Patience + p.PreemptDelay
		longest = max(longest, int(down/quarter))
	}
	interval := int(e.params[0].Interval / quarter)
	return interval + 1, longest + 2, longest + 2*interval + 4
}

// steps are the choices in a state.
func (e electorate) steps(c contest) []step {
	var list []step
	due, waiting := false, true
	for who := range c.machines {
		if c.machines[who].due(c.now) {
			due = true
			list = append(list, step{stepWakes, who})
		}
	}
	for k, w := range c.wires {
		waiting = waiting && e.slow && w.age == 0
		list = append(list, step{stepArrives, k}, step{stepLoses, k})
	}
	if !due && waiting {
		list = append(list, step{stepPasses, 0})
	}
	for who := range c.machines {
		switch c.machines[who].state {
		case Initialize:
			list = append(list, step{stepStarts, who})
		case Backup, Master:
			list = append(list, step{stepStops, who}, step{stepFails, who})
			if e.judge {
				list = append(list, step{stepTakes, who}, step{stepHolds, who}, step{stepYields, who})
			}
		case Fault:
			list = append(list, step{stepRepairs, who})
		}
	}
	return list
}

// take returns the state after a choice, and tells a story of it where somebody listens.
func (e electorate) take(c contest, s step, say func(string)) contest {
	next := c
	next.machines, next.wires = slices.Clone(c.machines), slices.Clone(c.wires)
	if s.disturbs() {
		next.calm, next.double = 0, 0
	}
	if s.kind > stepLoses {
		next.none = 0
	}
	switch s.kind {
	case stepPasses:
		_, none, settled := e.bounds()
		next.now = c.now.Add(quarter)
		next.calm, next.none = min(c.calm+1, settled+1), min(c.none+1, none+1)
		next.double++
		for k := range next.wires {
			next.wires[k].age++
		}
	case stepArrives, stepLoses:
		w := c.wires[s.who]
		next.wires = slices.Delete(next.wires, s.who, s.who+1)
		if say != nil {
			say(fmt.Sprintf("%v: advert %d from %c to %c", s.kind, w.priority, 'A'+w.from, 'A'+w.to))
		}
		if s.kind == stepArrives {
			e.tell(&next, w.to, Heard{Advert: e.params[w.from].Advert(w.priority), From: e.source(w.from)}, say)
		}
	default:
		if say != nil {
			say(fmt.Sprintf("%c %v", 'A'+s.who, s.kind))
		}
		e.tell(&next, s.who, e.event(s), say)
	}
	if next.masters() < 2 {
		next.double = 0
	}
	if next.masters() > 0 {
		next.none = 0
	}
	return next
}

// event is what a choice means to its machine.
func (e electorate) event(s step) Event {
	switch s.kind {
	case stepWakes:
		return Expired{}
	case stepStarts:
		return Start{Source: e.source(s.who)}
	case stepStops:
		return Stop{}
	case stepFails:
		return Failed{}
	case stepRepairs:
		return Repaired{}
	case stepTakes:
		return Ruled{Ruling: TakeOver}
	case stepHolds:
		return Ruled{Ruling: Hold}
	case stepYields:
		return Ruled{Ruling: StepDown}
	case stepPasses, stepArrives, stepLoses, numKinds:
	}
	return nil
}

// tell steps a machine and puts its adverts on the wire.
func (e electorate) tell(c *contest, who int, event Event, say func(string)) {
	m := &c.machines[who]
	if e.swallow != nil && e.swallow(m, c.now, event) {
		return
	}
	for _, a := range m.Step(c.now, event) {
		if say != nil {
			say(fmt.Sprintf("    %c: %s", 'A'+who, describe(a, c.now)))
		}
		send, ok := a.(Send)
		if !ok {
			continue
		}
		for to := range c.machines {
			if to != who && len(c.wires) < maxWires {
				c.wires = append(c.wires, wired{from: who, to: to, priority: send.Priority})
			}
		}
	}
}

func (c contest) masters() int {
	k := 0
	for i := range c.machines {
		if c.machines[i].state == Master {
			k++
		}
	}
	return k
}

// key is what makes two states the same one.
func (e electorate) key(t *testing.T, c contest) contestKey {
	k := contestKey{calm: c.calm, double: c.double, none: c.none}
	away := func(at Instant) int8 {
		if d := at.Sub(c.now); d%quarter != 0 {
			t.Fatalf("%v is no multiple of %v: choose other priorities", d, quarter)
		}
		return int8(at.Sub(c.now) / quarter)
	}
	for i := range c.machines {
		m := &c.machines[i]
		x := machineKey{state: m.state, priority: m.priority, timer: m.timer.kind, why: m.timer.why, md: int8(m.MasterDown() / quarter), lower: 1, delay: -1}
		if m.timer.kind != idle {
			x.due = away(m.timer.at)
		}
		if m.lower.set { // 1: never; else how old, as far as that counts
			x.lower = max(away(m.lower.at), -x.md-1)
		}
		if m.delay.set {
			x.delay = max(away(m.delay.at), 0)
		}
		k.machines[i] = x
	}
	for i, w := range c.wires {
		k.wires[i] = 1 + uint32(w.from)<<24 + uint32(w.to)<<16 + uint32(w.priority)<<8 + uint32(w.age)<<1
	}
	slices.Sort(k.wires[:])
	return k
}

// wrong is the invariant: what must not be, in a state and on the way to it.
func (e electorate) wrong(before, c contest) string {
	two, none, settled := e.bounds()
	running, best := 0, -1
	for i := range c.machines {
		m := &c.machines[i]
		switch m.state {
		case Master, Backup:
			running++
		case Initialize, Fault:
			continue
		}
		if best < 0 || m.priority > c.machines[best].priority || m.priority == c.machines[best].priority && i > best {
			best = i
		}
		if c.calm >= settled && m.state != before.machines[i].state {
			return "something moves although all has settled"
		}
	}
	switch {
	case c.double > two:
		return fmt.Sprintf("%d MASTERs for more than %v of calm", c.masters(), time.Duration(two)*quarter)
	case running > 0 && c.none > none:
		return fmt.Sprintf("no MASTER for more than %v", time.Duration(none)*quarter)
	case running > 0 && c.calm > settled && e.params[best].Preempt && e.unequal() && c.machines[best].state != Master:
		return fmt.Sprintf("%c is the best and not the MASTER", 'A'+best)
	}
	return ""
}

// unequal says that no two have the same priority; between equals the first MASTER stays.
func (e electorate) unequal() bool {
	seen := map[uint8]bool{}
	for _, p := range e.params {
		seen[p.Priority] = true
	}
	return len(seen) == len(e.params)
}

// ledger remembers how every state was first reached.
type ledger []struct {
	parent int
	by     step
}

// path is how to get to a state.
func (l ledger) path(at int) []step {
	var steps []step
	for ; at > 0; at = l[at].parent {
		steps = append(steps, l[at].by)
	}
	slices.Reverse(steps)
	return steps
}

// found is the outcome of an exploration.
type found struct {
	states, depth int
	complete      bool
	violation     string
	transcript    string
}

// explore visits states breadth first, so that the way to the first violation is a shortest one.
func (e electorate) explore(t *testing.T, limit int) found {
	start := contest{}
	for _, p := range e.params {
		start.machines = append(start.machines, *New(p))
	}
	type point struct {
		contest
		at, depth int
	}
	seen := map[contestKey]bool{e.key(t, start): true}
	ways := make(ledger, 1)
	open := []point{{start, 0, 0}}
	var f found
	for len(open) > 0 {
		x := open[0]
		open = open[1:]
		f.depth = x.depth
		for _, s := range e.steps(x.contest) {
			next := e.take(x.contest, s, nil)
			if f.violation = e.wrong(x.contest, next); f.violation != "" {
				f.states = len(ways)
				f.transcript = e.transcript(start, append(ways.path(x.at), s))
				return f
			}
			k := e.key(t, next)
			if seen[k] {
				continue
			}
			if len(ways) >= limit {
				f.states = len(ways)
				return f
			}
			seen[k] = true
			ways = append(ways, struct {
				parent int
				by     step
			}{x.at, s})
			open = append(open, point{next, len(ways) - 1, x.depth + 1})
		}
	}
	f.states, f.complete = len(ways), true
	return f
}

// transcript tells the steps as a story.
func (e electorate) transcript(c contest, steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		c = e.take(c, s, func(said string) { fmt.Fprintf(&b, "%8v  %s\n", time.Duration(c.now), said) })
	}
	fmt.Fprintf(&b, "%8v  and so it is\n", time.Duration(c.now))
	return b.String()
}

// voters are the settings of routers with priorities that make quarters of a second.
func voters(change func(*Params), priorities ...uint8) []Params {
	var list []Params
	for _, priority := range priorities {
		p := router3()
		p.Priority = priority
		change(&p)
		list = append(list, p)
	}
	return list
}

func electorates() []electorate {
	as := func(*Params) {}
	return []electorate{
		{name: "two", params: voters(as, 128, 192)},
		{name: "two on a slow wire", params: voters(as, 128, 192), slow: true},
		{name: "two of equal priority", params: voters(as, 128, 128), slow: true},
		{name: "two without preemption", params: voters(func(p *Params) { p.Preempt = false }, 128, 192), slow: true},
		{name: "two with a preemption delay", params: voters(func(p *Params) { p.PreemptDelay = time.Second }, 128, 192)},
		{name: "two of version 2", params: voters(func(p *Params) { p.Version = V2 }, 128, 192)},
		{name: "two with a judge who says anything", params: voters(func(p *Params) { p.Patience = quarter }, 128, 192), judge: true},
		{name: "three", params: voters(as, 64, 128, 192)},
	}
}

// TestExploreElection explores each electorate, as far as the flag allows.
func TestExploreElection(t *testing.T) {
	limit := *exploreStates
	switch {
	case limit == 0 && testing.Short():
		limit = 3_000
	case limit == 0:
		limit = 60_000
		if testing.Short() {
			limit = 5_000
		}
	}
	for _, e := range electorates() {
		t.Run(e.name, func(t *testing.T) {
			began := time.Now()
			f := e.explore(t, limit)
			if f.violation != "" {
				t.Fatalf("%s:\n%s", f.violation, f.transcript)
			}
			how := "complete"
			if !f.complete {
				how = "not complete"
			}
			t.Logf("%d states, depth %d, %s, %v", f.states, f.depth, how, time.Since(began).Round(time.Millisecond))
		})
	}
}

// TestExploreFinds plants a bug into a machine, and wants it found and told.
func TestExploreFinds(t *testing.T) {
	for _, c := range []struct {
		bug, violation string
		swallow        func(*Machine, Instant, Event) bool
	}{
		{"a MASTER does not listen", "2 MASTERs", func(m *Machine, _ Instant, e Event) bool {
			_, is := e.(Heard)
			return is && m.state == Master
		}},
		{"a BACKUP that was told goodbye waits for ever", "no MASTER", func(m *Machine, now Instant, e Event) bool {
			if _, is := e.(Expired); !is || m.timer.kind != farewell {
				return false
			}
			m.timer.at = now.Add(quarter)
			return true
		}},
		{"a better BACKUP takes lower adverts for orders", "the best and not the MASTER", func(m *Machine, now Instant, e Event) bool {
			if h, is := e.(Heard); is && m.state == Backup && h.Advert.Priority != 0 {
				m.obey(now, h.Advert, h.From)
				return true
			}
			return false
		}},
	} {
		e := electorates()[0]
		e.swallow = c.swallow
		f := e.explore(t, 60_000)
		if !strings.Contains(f.violation, c.violation) || f.transcript == "" {
			t.Errorf("%s: found %q in %d states", c.bug, f.violation, f.states)
		}
		t.Logf("%s: %s\n%s", c.bug, f.violation, f.transcript)
	}
}
