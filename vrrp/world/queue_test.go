package world

import (
	"math/rand/v2"
	"slices"
	"testing"

	"standfast/vrrp"
)

// TestQueue wants events in the order of time, and those of one moment in the order in which they were planned.
func TestQueue(t *testing.T) {
	type planned struct {
		at   vrrp.Instant
		turn int
	}
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	var want, got []planned
	turn := 0
	push := func(at vrrp.Instant) {
		p := planned{at, turn}
		turn++
		want = append(want, p)
		q.push(at, func() { got = append(got, p) })
	}
	for range 1000 {
		push(vrrp.Instant(r.IntN(100)))
	}
	for len(q.events) > 0 {
		at, ok := q.next()
		e := q.pop()
		if !ok || e.at != at {
			t.Fatalf("next was %v, %v, and what came was %v", at, ok, e.at)
		}
		e.happen()
		if r.IntN(3) == 0 {
			push(at + vrrp.Instant(r.IntN(50)))
		}
	}
	slices.SortFunc(want, func(a, b planned) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.turn - b.turn
	})
	if !slices.Equal(got, want) {
		t.Error("events came in another order")
	}
	if _, ok := q.next(); ok {
		t.Error("an empty queue has a next event")
	}
}
