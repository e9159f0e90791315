package world

import "standfast/vrrp"

// event is something that happens at a moment. Events of one moment happen in
// the order in which they were planned.
type event struct {
	at  vrrp.Instant
	seq uint64
	do  func()
}

func (e event) before(f event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

// queue is a binary heap of events.
type queue struct {
	events []event
	seq    uint64
}

func (q *queue) push(at vrrp.Instant, do func()) {
	q.seq++
	q.events = append(q.events, event{at, q.seq, do})
	k := len(q.events) - 1
	for k > 0 {
		up := (k - 1) / 2
		if !q.events[k].before(q.events[up]) {
			break
		}
		q.events[k], q.events[up] = q.events[up], q.events[k]
		k = up
	}
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
	last := len(q.events) - 1
	q.events[0] = q.events[last]
	q.events[last] = event{}
	q.events = q.events[:last]
	for k := 0; ; {
		least := k
		for _, down := range [2]int{2*k + 1, 2*k + 2} {
			if down < last && q.events[down].before(q.events[least]) {
				least = down
			}
		}
		if least == k {
			return first
		}
		q.events[k], q.events[least] = q.events[least], q.events[k]
		k = least
	}
}
