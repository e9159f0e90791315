package world

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// The routers of a test, as in most stories: A serves, B stands by.
const (
	routerA = 0
	routerB = 1
)

// lab is a world that a test plays by hand.
type lab struct {
	*World
	t *testing.T
}

// newLab builds a world from a line as in a story, and lets it come to rest: A serves.
func newLab(t *testing.T, scene string) *lab {
	t.Helper()
	s, err := parseScene("scene seed=1 " + scene)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{World: newWorld(s), t: t}
	l.transcript.wanted = true
	t.Cleanup(func() {
		if t.Failed() {
			for _, line := range l.transcript.lines[max(len(l.transcript.lines)-20, 0):] {
				t.Log(line)
			}
		}
	})
	for _, r := range l.routers {
		r.start()
		l.pass(time.Second)
	}
	l.pass(s.warmUp())
	if l.routers[routerA].state[0] != vrrp.Master || l.routers[routerB].state[0] != vrrp.Backup {
		t.Fatalf("A is %s and B is %s after the warm-up", l.routers[routerA].state[0], l.routers[routerB].state[0])
	}
	return l
}

// pass lets time pass. The world must hold.
func (l *lab) pass(d time.Duration) {
	l.t.Helper()
	l.run(l.now.Add(d))
	if v := l.result.Violation; v != nil {
		l.t.Fatalf("violated %s", v)
	}
}

// pull injects a fault, told as in a story.
func (l *lab) pull(line string) {
	l.t.Helper()
	f, err := parseFault(line)
	if err != nil {
		l.t.Fatal(err)
	}
	l.inject(f)
}

// want fails the test unless something is so.
func (l *lab) want(ok bool, format string, args ...any) {
	l.t.Helper()
	if !ok {
		l.t.Errorf("at %s: want %s", exact(l.elapsed()), fmt.Sprintf(format, args...))
	}
}

func (l *lab) nic(router, segment int) *nic { return l.routers[router].nics[segment] }

// until lets time pass in small steps until something is so, and answers how long that took.
func (l *lab) until(limit time.Duration, what string, so func() bool) time.Duration {
	l.t.Helper()
	const step = time.Millisecond
	begin := l.now
	for !so() {
		if l.now.Sub(begin) > limit {
			l.t.Fatalf("not within %v: %s", limit, what)
		}
		l.pass(step)
	}
	return l.now.Sub(begin)
}

// between fails the test unless a duration lies between two others.
func (l *lab) between(what string, d, low, high time.Duration) {
	l.t.Helper()
	if d < low || d > high {
		l.t.Errorf("%s took %v, want %v to %v", what, d, low, high)
	}
}

// ear is a brain with somebody who listens at it.
type ear struct {
	brain
	heard []hearing
}

// hearing is an event that a brain was told of.
type hearing struct {
	at    vrrp.Instant
	event node.Event
}

func (e *ear) Step(now vrrp.Instant, event node.Event) []node.Action {
	e.heard = append(e.heard, hearing{now, event})
	return e.brain.Step(now, event)
}

// listen puts an ear to a router.
func (l *lab) listen(router int) *ear {
	r := l.routers[router]
	e := &ear{brain: r.brain}
	r.brain = e
	return e
}

// told lists the events of a type that were heard since some moment.
func told[T node.Event](e *ear, since vrrp.Instant) []T {
	var list []T
	for _, h := range e.heard {
		if event, ok := h.event.(T); ok && h.at >= since {
			list = append(list, event)
		}
	}
	return list
}

// deaf is a brain that does nothing.
type deaf struct{}

func (deaf) Step(vrrp.Instant, node.Event) []node.Action { return nil }
func (deaf) Deadline() (vrrp.Instant, bool)              { return 0, false }

// mute silences a router: its process runs, and does nothing.
func (l *lab) mute(router int) *ear {
	l.routers[router].brain = deaf{}
	return l.listen(router)
}

// ask puts a question for a virtual address from one router, and answers who replied to it within a time. A brain that
// asks nothing by itself is in its place meanwhile.
func (l *lab) ask(from int, q node.Ask, patience time.Duration) []node.MAC {
	l.t.Helper()
	r := l.routers[from]
	had := r.brain
	e := l.mute(from)
	l.segments[segmentOf(q.Port)].ask(r, q)
	l.pass(patience)
	r.brain = had
	r.arm()
	var macs []node.MAC
	for _, h := range told[node.Heard](e, 0) {
		if h.Op == node.Reply && h.Sender == q.Target {
			macs = append(macs, h.MAC)
		}
	}
	slices.SortFunc(macs, func(a, b node.MAC) int { return slices.Compare(a[:], b[:]) })
	return macs
}
