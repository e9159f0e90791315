package main

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	p, err := parse([]string{"-standfast", "/dev/null", "-for", "20s", "calm", "spin"})
	if err != nil || p.trouble != 20*time.Second || len(p.stories) != 2 || p.stories[1].name != "spin" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := parse([]string{"-standfast", "/dev/null"}); err != nil || len(p.stories) != len(stories()) || p.trouble != 10*time.Minute {
		t.Errorf("without arguments: %+v, %v", p, err)
	}
	for _, args := range [][]string{{"-standfast", "/no/such"}, {"-standfast", "/dev/null", "calmer"}, {"-standfast", "/dev/null", "-jobs", "0"}, {"-for"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// TestNames wants every story to have a name of its own and a promise.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, y := range stories() {
		if seen[y.name] || y.name == "" || y.promise == "" || y.play == nil {
			t.Errorf("story %q", y.name)
		}
		seen[y.name] = true
	}
}

func TestVerdict(t *testing.T) {
	var r row
	if got := r.verdict(); got != "as promised" {
		t.Errorf("of nothing: %q", got)
	}
	r.remark("bitten after %v", time.Second)
	if got := r.verdict(); got != "as promised, bitten after 1s" {
		t.Errorf("with a remark: %q", got)
	}
	r.busy = "late"
	if got := r.verdict(); !strings.Contains(got, "too busy") {
		t.Errorf("of a busy machine: %q", got)
	}
	r.complaints = []string{"x", "y"}
	if got := r.verdict(); got != "NOT AS PROMISED: x; y" {
		t.Errorf("with complaints: %q", got)
	}
	var b strings.Builder
	table(&b, time.Minute, []row{{story: story{name: "calm"}, lasted: time.Minute}})
	if !strings.Contains(b.String(), "calm") || !strings.Contains(b.String(), "as promised") {
		t.Errorf("table: %s", b.String())
	}
}

// TestGraftsFit wants the places of the defects to be there, so that a change of the product that moves them is noticed.
func TestGraftsFit(t *testing.T) {
	if _, err := overlay(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestGauges(t *testing.T) {
	for name, g := range map[string]*gauge{"control": newControl(), "cables": newCables()} {
		measured := func() int { g.mu.Lock(); defer g.mu.Unlock(); return len(g.late) }
		for deadline := time.Now().Add(10 * time.Second); measured() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s measures nothing", name)
			}
		}
		g.stop()
		if g.reset(); measured() != 0 || g.quantile(99) != 0 {
			t.Errorf("%s does not forget", name)
		}
	}
	g := newGauge()
	for i := range 200 {
		g.late = append(g.late, time.Duration(200-i))
	}
	for share, want := range map[int]time.Duration{50: 100, 99: 198, 100: 200} {
		if got := g.quantile(share); got != want {
			t.Errorf("%d of 100: %v, want %v", share, got, want)
		}
	}
}

// TestExcused wants complaints to count unless the cables were held up.
func TestExcused(t *testing.T) {
	for _, tt := range []struct {
		held       time.Duration
		blind      bool
		complaints []string
		want       bool
	}{
		{0, false, nil, false}, {0, false, []string{"x"}, false}, {99 * time.Millisecond, false, []string{"x"}, false},
		{100 * time.Millisecond, false, []string{"x"}, true}, {time.Second, true, nil, false}, {0, true, []string{"x"}, true},
	} {
		s := &stage{blind: tt.blind, setting: setting{fast: true}, cables: newGauge(), control: newGauge(), complaints: tt.complaints}
		s.cables.late = []time.Duration{1, tt.held, 2}
		if got := s.excused(); got != tt.want || (s.outcome.busy != "") != tt.want {
			t.Errorf("held up for %v, complaints %q: %v, %q", tt.held, tt.complaints, got, s.outcome.busy)
		}
	}
}
