package sample

import (
	"testing"
	"time"
)

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestTimes(t *testing.T) {
	check(t, "3 s", Late(3*time.Second), false)
	check(t, "more than 3 s", Late(3*time.Second+1), true)
	check(t, "far less", Early(time.Millisecond), true)
	check(t, "far more", Early(time.Hour), false)
	check(t, "first pause", Pause(0), time.Second)
	check(t, "second pause", Pause(1), 3*time.Second)
}

func TestStart(t *testing.T) {
	var e Engine
	e.Start(time.Second)
	e.Start(time.Minute)
	check(t, "state", e.state, On)
	check(t, "since", e.since, time.Second)
}

func TestTruths(t *testing.T) {
	check(t, "both", Both(true, true), true)
	check(t, "one", Both(true, false), false)
}

func TestSums(t *testing.T) {
	check(t, "a sum", Sum([]int{1, -5, 2, 0, 7}), 3)
	check(t, "a large one", Sum([]int{90, 90}), 100)
	check(t, "shadowed", Shadowed([]int{1, 1}), 3)
	check(t, "generic", Generic(2), 3)
	check(t, "endless", Endless(3), 3)
}
