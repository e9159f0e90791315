// Package sample is code with known mutations: what its tests notice of them and what not is known, too.
package sample

import "time"

// State has two names, which are no numbers to be changed.
type State uint8

// The states.
const (
	Off State = iota
	On
)

const wait = 3 * time.Second

var pauses = [...]time.Duration{time.Second, wait}

// Engine has something of everything.
type Engine struct {
	state State
	count int
	since time.Duration
}

// Late is tested on both sides of its boundary.
func Late(d time.Duration) bool { return d > wait }

// Early is tested far from its boundary.
func Early(d time.Duration) bool { return d < wait }

// Start is tested, apart from its count, at which nobody looks.
func (e *Engine) Start(now time.Duration) {
	if e.state == On {
		return
	}
	e.state, e.since = On, now
	e.count++
}

// Both is tested with one combination that tells "and" from "or" and one side from none.
func Both(a, b bool) bool { return a && b }

// Sum adds up what is positive, and leaves the loop at the first zero.
func Sum(list []int) int {
	total := 0
	for _, x := range list {
		if x == 0 {
			break
		}
		if x < 0 {
			continue
		}
		total += x
	}
	return min(total, 100)
}

// Pause is tested, its last line apart.
func Pause(turn uint8) time.Duration {
	switch turn {
	case 0:
		return pauses[0]
	case 1:
		return pauses[1]
	}
	return pauses[turn%2] / 2
}

// Forgotten is not tested.
func Forgotten() bool { return !Late(0) }

// Shadowed has a number whose type has lost its name where it stands.
func Shadowed(list []int) int {
	int := len(list)
	return int + 1
}

// Generic has a number of a type that has no name in the package.
func Generic[T ~int](x T) T { return x + 1 }

// Endless goes on for ever with one of its mutations.
func Endless(n uint8) (steps uint8) {
	for steps < n {
		steps += 1
	}
	return steps
}
