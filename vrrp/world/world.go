package world

import (
	"fmt"
	"math/rand/v2"
	"time"

	"standfast/vrrp"
)

// epoch is when a world begins. It is not zero, so that nothing can take "at
// the beginning" for "never".
const epoch = vrrp.Instant(time.Hour)

// World is one simulated network. It is not safe for concurrent use.
type World struct {
	scene    Scene
	now      vrrp.Instant
	queue    queue
	luck     *rand.Rand // latencies and losses
	routers  []*router
	segments [numSegments]*segment
	vips     []vip
	virtuals int

	weather weather
	active  []*pulled // faults that are not over
	judge   judge
	result  Result

	transcript transcript
}

// weather is what happens to frames everywhere.
type weather struct {
	loss, double, corrupt float64
	late                  time.Duration // some frames are up to so much late
}

// Result is what came of one run.
type Result struct {
	Seed      uint64
	Scene     Scene
	Episodes  [NumKinds]int // faults injected, by kind
	Simulated time.Duration
	Events    uint64 // events of the world
	Steps     uint64 // of all brains
	Heals     int    // how often everything was healed, and the end awaited
	Worst     Worst
	Violation *Violation
	// Transcript is what happened, a line each, where it was asked for.
	Transcript []string

	trace trace
}

// Violation is an invariant that did not hold.
type Violation struct {
	Invariant string // "I1" … "I8"
	At        time.Duration
	Text      string
}

// String is one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s at %s: %s", v.Invariant, exact(v.At), v.Text)
}

// Run makes the world of a seed, lets its plan happen and says what came of it.
// It stops at the first violation.
func Run(seed uint64) Result { return StoryOf(seed).play(transcript{}) }

// newWorld builds a scene in which nothing has happened yet.
func newWorld(s Scene) *World {
	w := &World{scene: s, now: epoch, luck: rand.New(rand.NewPCG(s.Seed, 3)), vips: s.vips()}
	w.result = Result{Seed: s.Seed, Scene: s}
	w.weather.loss = s.Loss
	instances, _ := s.virtuals()
	w.virtuals = len(instances)
	for k := range w.segments {
		w.segments[k] = newSegment(w, k)
	}
	for k := range s.Routers {
		w.routers = append(w.routers, newRouter(w, k))
	}
	w.judge = newJudge(w)
	return w
}

// after plans something.
func (w *World) after(d time.Duration, do func()) { w.queue.push(w.now.Add(d), do) }

// within draws a time below d.
func (w *World) within(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.luck.Int64N(int64(d)))
}

// run lets time pass up to a moment, or to the first violation.
func (w *World) run(until vrrp.Instant) {
	for w.result.Violation == nil {
		at, ok := w.queue.next()
		if !ok || at > until {
			break
		}
		e := w.queue.pop()
		if e.overtaken() {
			continue
		}
		w.now = e.at
		w.result.Events++
		w.result.trace.mix(uint64(e.at))
		e.happen()
		w.judge.look()
	}
	w.now = max(w.now, until)
}

// elapsed is the time since the beginning.
func (w *World) elapsed() time.Duration { return w.now.Sub(epoch) }

// violated records the first invariant that does not hold.
func (w *World) violated(invariant, format string, args ...any) {
	if w.result.Violation != nil {
		return
	}
	w.result.Violation = &Violation{Invariant: invariant, At: w.elapsed(), Text: fmt.Sprintf(format, args...)}
}
