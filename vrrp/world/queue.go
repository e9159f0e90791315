package world

import (
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// event is something that happens at a moment: something is done, or a router woken.
// Events of one moment happen in the order in which they were planned.
type event struct {
	at   vrrp.Instant
	seq  uint64
	do   func()
	wake *router
	turn int // of the router's wake-ups
}

// overtaken says that the router has set its alarm anew.
func (e *event) overtaken() bool { return e.wake != nil && e.turn != e.wake.turn }

// happen lets it happen.
func (e *event) happen() {
	if e.wake != nil {
		e.wake.take(node.Expired{})
		return
	}
	e.do()
}

func (e *event) before(f *event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

// queue is a heap of events in which each has up to four below it.
type queue struct {
	events []event
	seq    uint64
}

const fan = 4

func (q *queue) push(at vrrp.Instant, do func()) { q.add(event{at: at, do: do}) }

// pushWake plans to wake a router, unless it sets its alarm anew before.
func (q *queue) pushWake(at vrrp.Instant, r *router) {
	q.add(event{at: at, wake: r, turn: r.turn})
}

func (q *queue) add(e event) {
	q.seq++
	e.seq = q.seq
	q.events = append(q.events, e)
	k := len(q.events) - 1
	for k > 0 {
		up := (k - 1) / fan
		if !e.before(&q.events[up]) {
			break
		}
		q.events[k] = q.events[up]
		k = up
	}
	q.events[k] = e
}

// next is the moment of the first event, if there is one.
func (q *queue) next() (vrrp.Instant, bool) {
	if len(q.events) == 0 {
		return 0, false
	}
	return q.events[0].at, true
}

func (q *queue) pop() event {
	first := q.events[0]
	end := len(q.events) - 1
	last := q.events[end]
	q.events[end] = event{}
	q.events = q.events[:end]
	for k := 0; end > 0; {
		least := q.leastBelow(k)
		if least == 0 || !q.events[least].before(&last) {
			q.events[k] = last
			break
		}
		q.events[k] = q.events[least]
		k = least
	}
	return first
}

// leastBelow is the place of the earliest event below another, 0 if there is none.
func (q *queue) leastBelow(k int) int {
	from := fan*k + 1
	if from >= len(q.events) {
		return 0
	}
	least := from
	for down := from + 1; down < min(from+fan, len(q.events)); down++ {
		if q.events[down].before(&q.events[least]) {
			least = down
		}
	}
	return least
}
