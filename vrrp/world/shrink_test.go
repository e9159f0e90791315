package world

import (
	"slices"
	"testing"
	"time"
)

// failing plays no world: a story fails where it has a power loss of B for longer than a second and, at
// any later time, a reload of A.
func failing(s Story) (r Result) {
	dark := false
	for _, round := range s.Plan {
		for _, f := range round.Faults {
			switch {
			case f.Kind == PowerOff && f.Router == 1 && f.For > time.Second:
				dark = true
			case f.Kind == Reloaded && f.Router == 0 && dark:
				r.Violation = &Violation{Invariant: "I1", At: f.At}
				return r
			}
		}
	}
	return r
}

// TestShrink wants of any story that fails nothing but what makes it fail, in the plainest of scenes.
func TestShrink(t *testing.T) {
	found := 0
	for seed := range uint64(3000) {
		s := StoryOf(seed)
		if failing(s).Violation == nil {
			continue
		}
		found++
		small := shrink(s, failing)
		if failing(small).Violation == nil {
			t.Fatalf("seed %d: shrunk to what does not fail:\n%s", seed, small)
		}
		want := defaultScene()
		want.Seed = small.Scene.Seed
		if small.Scene != want {
			t.Errorf("seed %d: the scene is not the plainest: %s", seed, small.Scene)
		}
		var kinds []Kind
		for _, round := range small.Plan {
			for _, f := range round.Faults {
				kinds = append(kinds, f.Kind)
			}
		}
		if !slices.Equal(kinds, []Kind{PowerOff, Reloaded}) {
			t.Errorf("seed %d: shrunk to %v, want no more than a power loss and a reload:\n%s", seed, kinds, small)
		}
		if again := shrink(s, failing); !again.equal(small) {
			t.Errorf("seed %d: shrunk twice, and to different stories", seed)
		}
		if again, err := ParseStory(small.String()); err != nil || !again.equal(small) {
			t.Errorf("seed %d: what was shrunk does not read back: %v", seed, err)
		}
	}
	if found < 10 {
		t.Errorf("only %d stories failed; the test wants more to work on", found)
	}
}

func TestShrinkLeavesWhatHolds(t *testing.T) {
	s := StoryOf(1)
	if got := shrink(s, func(Story) Result { return Result{} }); !got.equal(s) {
		t.Errorf("a story that holds was changed to\n%s", got)
	}
}

// TestShrinkGivesUp bounds the work where every story fails only sometimes.
func TestShrinkGivesUp(t *testing.T) {
	for _, c := range []struct{ events, most int }{{0, maxReplays}, {100_000, maxEvents / 100_000}} {
		played := 0
		shrink(StoryOf(1), func(s Story) (r Result) {
			r.Events = uint64(c.events)
			if played++; played%50 == 1 {
				r.Violation = &Violation{Invariant: "I1", At: time.Hour}
			}
			return r
		})
		if played > c.most+1 {
			t.Errorf("played %d stories of %d events, want %d at most", played, c.events, c.most)
		}
	}
}

func TestSimpler(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want []time.Duration
	}{
		{0, nil},
		{1, []time.Duration{0}},
		{1500 * time.Millisecond, []time.Duration{0, 750 * time.Millisecond, time.Second}},
		{12345678, []time.Duration{0, 6172839, 10 * time.Millisecond, 12 * time.Millisecond}},
	} {
		got := simpler(c.d)
		if !slices.Equal(got, c.want) {
			t.Errorf("simpler(%v) = %v, want %v", c.d, got, c.want)
		}
	}
}
