package world

import (
	"slices"
	"time"
)

// What Shrink spends at most: stories that it plays, and events in them.
const (
	maxReplays = 3000
	maxEvents  = 10_000_000
)

// Shrink looks for a smaller story that violates the same invariant: fewer rounds and
// faults, a plainer scene, shorter and rounder times. A story that holds comes back as it
// is. The same story always shrinks to the same one.
//
// What a fault does depends on luck, and luck on everything before it. So a smaller story
// that holds is tried with a few other seeds before it is given up.
func Shrink(s Story) Story {
	return shrink(s, func(s Story) Result { return s.play(transcript{}) })
}

func shrink(s Story, play func(Story) Result) Story {
	first := play(s).Violation
	if first == nil {
		return s
	}
	sh := shrinker{best: s.clone(), play: play, invariant: first.Invariant}
	sh.truncate(first.At)
	for before := (Story{}); !before.equal(sh.best) && !sh.spent(); {
		before = sh.best.clone()
		sh.rounds()
		sh.faults()
		sh.scene()
		sh.times()
	}
	return sh.best
}

// shrinker holds the smallest story that fails as the first one did.
type shrinker struct {
	best      Story
	play      func(Story) Result
	invariant string
	replays   int
	events    uint64
}

func (sh *shrinker) spent() bool { return sh.replays >= maxReplays || sh.events >= maxEvents }

func (s Story) clone() Story {
	c := Story{Scene: s.Scene, Plan: slices.Clone(s.Plan)}
	for k := range c.Plan {
		c.Plan[k].Faults = slices.Clone(c.Plan[k].Faults)
	}
	return c
}

func (s Story) equal(t Story) bool {
	return s.Scene == t.Scene && slices.EqualFunc(s.Plan, t.Plan, func(a, b Round) bool {
		return a.Heal == b.Heal && slices.Equal(a.Faults, b.Faults)
	})
}

// otherSeeds is how many seeds a smaller story is tried with.
const otherSeeds = 4

// try keeps a smaller story if it fails in the same way.
func (sh *shrinker) try(change func(*Story)) bool {
	s := sh.best.clone()
	change(&s)
	s.arrange()
	if s.equal(sh.best) || s.Scene.validate() != nil {
		return false
	}
	seed := s.Scene.Seed
	for k := range uint64(otherSeeds) {
		if sh.spent() {
			return false
		}
		s.Scene.Seed = seed
		if k > 0 {
			s.Scene.Seed = k - 1
		}
		r := sh.play(s)
		sh.replays++
		sh.events += r.Events
		if v := r.Violation; v != nil && v.Invariant == sh.invariant {
			sh.best = s
			sh.truncate(v.At)
			return true
		}
	}
	return false
}

// truncate drops what is planned for later than the violation. Nothing of it happened.
func (sh *shrinker) truncate(at time.Duration) {
	plan := sh.best.Plan
	for k := range plan {
		round := &plan[k]
		round.Faults = slices.DeleteFunc(round.Faults, func(f Fault) bool { return f.At > at })
		if round.Heal >= at {
			sh.best.Plan = plan[:k+1]
			return
		}
	}
}

// arrange moves the rounds to where the scene lets them begin, and drops faults of routers
// that the scene has not.
func (s *Story) arrange() {
	begin := s.Scene.warmUp()
	for k := range s.Plan {
		round := &s.Plan[k]
		round.Faults = slices.DeleteFunc(round.Faults, func(f Fault) bool { return !f.possible(s.Scene) })
		first := round.Heal
		if len(round.Faults) > 0 {
			first = round.Faults[0].At
		}
		for n := range round.Faults {
			round.Faults[n].At += begin - first
		}
		round.Heal += begin - first
		begin = round.Heal + s.Scene.settle() + s.Scene.calm()
	}
}

// possible says that the scene has the routers of a fault.
func (f Fault) possible(s Scene) bool {
	return f.Router < s.Routers && (f.Kind != OneWay && f.Kind != OneWayHeartbeat || f.N < s.Routers)
}

// rounds drops whole rounds.
func (sh *shrinker) rounds() {
	for k := 0; k < len(sh.best.Plan); {
		if !sh.try(func(s *Story) { s.Plan = slices.Delete(s.Plan, k, k+1) }) {
			k++
		}
	}
}

// faults drops faults: first half of those of a round, then a quarter, at last each alone.
func (sh *shrinker) faults() {
	for k := range len(sh.best.Plan) {
		if k >= len(sh.best.Plan) {
			return // a violation that comes earlier leaves less
		}
		for size := (len(sh.best.Plan[k].Faults) + 1) / 2; size > 0; size /= 2 {
			sh.batches(k, size)
		}
	}
}

// batches drops faults of a round, some at a time.
func (sh *shrinker) batches(k, size int) {
	for at := 0; k < len(sh.best.Plan) && at < len(sh.best.Plan[k].Faults); {
		end := min(at+size, len(sh.best.Plan[k].Faults))
		if !sh.try(func(s *Story) { s.Plan[k].Faults = slices.Delete(s.Plan[k].Faults, at, end) }) {
			at += size
		}
	}
}

// plainer are ways in which a scene gets plainer.
func plainer() []func(*Scene) {
	return []func(*Scene){
		func(s *Scene) { s.Routers = 2 },
		func(s *Scene) { s.Loss = 0 },
		func(s *Scene) { s.Peer = Ours },
		func(s *Scene) { s.Shape = Single },
		func(s *Scene) { s.Shape, s.Switched = Single, false },
		func(s *Scene) { s.Switched = false },
		func(s *Scene) { s.Interval = time.Second },
		func(s *Scene) { s.Take = false },
		func(s *Scene) { s.Prior = 0 },
		func(s *Scene) { s.Version = 3 },
		func(s *Scene) { s.Equal = false },
		func(s *Scene) { s.Nopreempt = false },
		func(s *Scene) { s.Owned = false },
		func(s *Scene) { s.Fibre = false },
	}
}

func (sh *shrinker) scene() {
	for _, p := range plainer() {
		sh.try(func(s *Story) { p(&s.Scene) })
	}
}

// times makes faults come together, shorter, rounder and less bad.
func (sh *shrinker) times() {
	for k := range len(sh.best.Plan) {
		for n := 0; k < len(sh.best.Plan) && n < len(sh.best.Plan[k].Faults); n++ {
			sh.pause(k, n)
			sh.shorter(k, n)
		}
		if k < len(sh.best.Plan) {
			sh.sooner(k)
		}
	}
}

// pause shortens or rounds the time before a fault. What follows moves along.
func (sh *shrinker) pause(k, n int) {
	if n == 0 {
		return
	}
	faults := sh.best.Plan[k].Faults
	had := faults[n].At - faults[n-1].At
	for _, want := range simpler(had) {
		if sh.try(func(s *Story) {
			for m := n; m < len(s.Plan[k].Faults); m++ {
				s.Plan[k].Faults[m].At += want - had
			}
			s.Plan[k].Heal += want - had
		}) {
			return
		}
	}
}

func (sh *shrinker) shorter(k, n int) {
	if n >= len(sh.best.Plan[k].Faults) {
		return
	}
	f := sh.best.Plan[k].Faults[n]
	for _, want := range simpler(f.For) {
		if sh.try(func(s *Story) { s.Plan[k].Faults[n].For = want }) {
			break
		}
	}
	if f.Kind == OneWay || f.Kind == OneWayHeartbeat {
		return // its N is a router
	}
	for _, want := range []int{0, 1, f.N / 2, f.N - 1} {
		if want >= 0 && want < f.N && n < len(sh.best.Plan[k].Faults) && sh.try(func(s *Story) { s.Plan[k].Faults[n].N = want }) {
			break
		}
	}
}

// sooner heals a round earlier.
func (sh *shrinker) sooner(k int) {
	round := sh.best.Plan[k]
	last := time.Duration(0)
	if len(round.Faults) > 0 {
		last = round.Faults[len(round.Faults)-1].At
	}
	for _, want := range simpler(round.Heal - last) {
		if sh.try(func(s *Story) { s.Plan[k].Heal = last + want }) {
			return
		}
	}
}

// simpler lists what a duration might be instead, the simplest first: nothing, half of it,
// or itself with fewer digits.
func simpler(d time.Duration) []time.Duration {
	list := []time.Duration{0, d / 2}
	for _, grain := range []time.Duration{10 * time.Second, time.Second, 100 * time.Millisecond, 10 * time.Millisecond, time.Millisecond} {
		list = append(list, d/grain*grain)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(x time.Duration) bool { return x >= d })
}
