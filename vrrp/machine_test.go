package vrrp

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The names are what operators read, grep and count, so they are stable.
func TestNames(t *testing.T) {
	names := func(from func(uint8) string, n uint8) []string {
		var list []string
		for i := range n {
			list = append(list, from(i))
		}
		return list
	}
	tests := []struct {
		name string
		got  []string
		want []string
	}{
		{"states", names(func(i uint8) string { return State(i).String() }, 5),
			[]string{"INIT", "BACKUP", "MASTER", "FAULT", "UNKNOWN"}},
		{"rulings", names(func(i uint8) string { return Ruling(i).String() }, 5),
			[]string{"none", "take-over", "hold", "step-down", "unknown"}},
		{"occasions", names(func(i uint8) string { return Why(i).String() }, 6),
			[]string{"none", "silence", "preempt", "goodbye", "owner", "unknown"}},
		{"causes", names(func(i uint8) string { return Cause(i).String() }, 12),
			[]string{"none", "started", "owner", "silence", "preempt", "goodbye", "outranked", "ruling", "failed", "repaired", "stopped", "unknown"}},
		{"causes of occasions", names(func(i uint8) string { return Why(i).cause().String() }, 6),
			[]string{"none", "silence", "preempt", "goodbye", "owner", "none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusOfNew(t *testing.T) {
	m := New(router2())
	want := Status{
		State: Initialize, Priority: 100, MasterInterval: time.Second,
		Skew: 609_375_000, MasterDown: 3_609_375_000,
	}
	if diff := cmp.Diff(want, m.Status(), compareAddr); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if deadline, ok := m.Deadline(); ok {
		t.Errorf("a machine that was not started wants to be woken at %v", deadline)
	}
}

func TestStatusOfBackup(t *testing.T) {
	m := New(router3())
	m.Step(Instant(7*time.Second), Start{Source: addr("192.0.2.100")})
	e := heard(200, "192.0.2.200")
	e.Advert.Interval = 2 * time.Second
	m.Step(Instant(8*time.Second), e)
	want := Status{
		State: Backup, Priority: 100, Since: Instant(7 * time.Second),
		Heard: true, Master: addr("192.0.2.200"), MasterPriority: 200, LastHeard: Instant(8 * time.Second),
		MasterInterval: 2 * time.Second, Skew: 1_218_750_000, MasterDown: 7_218_750_000,
	}
	if diff := cmp.Diff(want, m.Status(), compareAddr); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// The deadline is met to the nanosecond, neither before nor after.
func TestDeadlineToTheNanosecond(t *testing.T) {
	m, now := after(router3(), 0, Start{Source: addr("192.0.2.100")})
	deadline, ok := m.Deadline()
	if want := now.Add(3_609_375_000); !ok || deadline != want {
		t.Fatalf("deadline %v %v, want %v", deadline, ok, want)
	}
	if got := m.Step(deadline-1, Expired{}); got != nil {
		t.Errorf("a nanosecond early: %v", got)
	}
	want := []Action{Send{Priority: 100}, Enter{From: Backup, To: Master, Cause: CauseSilence}}
	if diff := cmp.Diff(want, m.Step(deadline, Expired{})); diff != "" {
		t.Errorf("in time (-want +got):\n%s", diff)
	}
}

// A preemption delay ends at its end: an advert of that very moment is not obeyed.
func TestPreemptDelayToTheNanosecond(t *testing.T) {
	p := router3()
	p.PreemptDelay = 2 * time.Second
	for _, tt := range []struct {
		at     time.Duration
		obeyed bool
	}{{2*time.Second - 1, true}, {2 * time.Second, false}, {2*time.Second + 1, false}} {
		m, _ := after(p, 0, Start{Source: addr("192.0.2.100")}, heard(50, "192.0.2.50"))
		m.Step(Instant(tt.at), heard(50, "192.0.2.50"))
		if got := m.Status().LastHeard == Instant(tt.at); got != tt.obeyed {
			t.Errorf("after %v: obeyed is %v, want %v", tt.at, got, tt.obeyed)
		}
	}
}

// A lower advert makes an expiry a preemption for exactly one master-down interval.
func TestOccasionToTheNanosecond(t *testing.T) {
	p := router3()
	p.Patience = time.Millisecond
	const down = 3_609_375_000
	for _, tt := range []struct {
		hold time.Duration
		want Why
	}{{down - 1, WhyPreempt}, {down, WhyPreempt}, {down + 1, WhySilence}} {
		m, _ := after(p, 0, Start{Source: addr("192.0.2.100")}, heard(50, "192.0.2.50"),
			Ruled{Ruling: Hold, For: tt.hold})
		got := m.Step(Instant(tt.hold), Expired{})
		want := []Action{Consult{Why: tt.want, Until: Instant(tt.hold).Add(time.Millisecond)}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("held for %v (-want +got):\n%s", tt.hold, diff)
		}
	}
}

// A lower advert from before the MASTER left, or from before a better one spoke, is no
// reason to speak of preemption.
func TestOccasionForgetsLowerAdverts(t *testing.T) {
	p := router3()
	p.Patience = time.Millisecond
	for _, tt := range []struct {
		name  string
		heard Heard
		want  Why
	}{
		{"goodbye", heard(0, "192.0.2.50"), WhyGoodbye},
		{"better", heard(200, "192.0.2.200"), WhySilence},
		{"lower again", heard(50, "192.0.2.50"), WhyPreempt},
	} {
		m, _ := after(p, 0, Start{Source: addr("192.0.2.100")}, heard(50, "192.0.2.50"), tt.heard)
		if tt.want != WhyGoodbye {
			m.Step(1, Ruled{Ruling: Hold, For: time.Second})
		}
		deadline, _ := m.Deadline()
		want := []Action{Consult{Why: tt.want, Until: deadline.Add(time.Millisecond)}}
		if diff := cmp.Diff(want, m.Step(deadline, Expired{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A preemption delay that a reload brings begins with the next lower advert.
func TestPreemptDelayByReload(t *testing.T) {
	p := router3()
	m, _ := after(p, 0, Start{Source: addr("192.0.2.100")}, heard(50, "192.0.2.50"))
	p.PreemptDelay = time.Minute
	m.Step(Instant(time.Second), Reconfigured{Params: p})
	now := Instant(2 * time.Second)
	m.Step(now, heard(50, "192.0.2.50"))
	if m.Status().LastHeard != now {
		t.Errorf("the new preemption delay does not count")
	}
}

// A router that fails before it starts knows its address once it is MASTER.
func TestSourceGivenInFault(t *testing.T) {
	for _, learned := range []Event{Start{Source: addr("192.0.2.100")}, Addressed{Source: addr("192.0.2.100")}} {
		m, now := after(router3(), 0, Failed{}, learned, Repaired{}, Ruled{Ruling: TakeOver})
		want := []Action{Send{Priority: 100}, Reannounce{}}
		if diff := cmp.Diff(want, m.Step(now, heard(100, "192.0.2.50"))); diff != "" {
			t.Errorf("%T (-want +got):\n%s", learned, diff)
		}
	}
}

// A MASTER that is woken late by less than an interval keeps its beat; by a whole
// interval or more, it begins a new one.
func TestBeat(t *testing.T) {
	for _, tt := range []struct{ late, next time.Duration }{
		{0, 2 * time.Second},
		{1, 2 * time.Second},
		{time.Second - 1, 2 * time.Second},
		{time.Second, 3 * time.Second},
		{time.Second + 1, 3*time.Second + 1},
		{time.Hour, time.Hour + 2*time.Second},
	} {
		m, _ := after(router3(), 0, Start{Source: addr("192.0.2.100")}, Ruled{Ruling: TakeOver})
		now := Instant(time.Second).Add(tt.late)
		if diff := cmp.Diff([]Action{Send{Priority: 100}}, m.Step(now, Expired{})); diff != "" {
			t.Errorf("late by %v (-want +got):\n%s", tt.late, diff)
		}
		if deadline, _ := m.Deadline(); deadline != Instant(tt.next) {
			t.Errorf("late by %v: next at %v, want %v", tt.late, deadline, tt.next)
		}
	}
}

// A router that is held for ever stays held.
func TestHoldForEver(t *testing.T) {
	m, _ := after(router3(), Instant(time.Hour), Start{Source: addr("192.0.2.100")}, Ruled{Ruling: Hold, For: math.MaxInt64})
	if got := m.Step(Instant(1000*time.Hour), Expired{}); got != nil {
		t.Errorf("after 1000 hours: %v", got)
	}
}

// The preemption delay of one time as BACKUP is not that of the next.
func TestPreemptDelayBeginsAnew(t *testing.T) {
	p := router3()
	p.PreemptDelay = 10 * time.Second
	m, _ := after(p, 0, Start{Source: addr("192.0.2.100")}, heard(50, "192.0.2.50"))
	m.Step(Instant(time.Second), Ruled{Ruling: TakeOver})
	m.Step(Instant(8*time.Second), heard(200, "192.0.2.200"))
	m.Step(Instant(9*time.Second), heard(50, "192.0.2.50"))
	now := Instant(11 * time.Second) // the first delay would be over
	m.Step(now, heard(50, "192.0.2.50"))
	if m.Status().LastHeard != now {
		t.Errorf("the delay of an earlier time as BACKUP still counts")
	}
}

// What the machine does for every advert of a healthy MASTER costs no memory.
func TestHeardDoesNotAllocate(t *testing.T) {
	m, now := after(router3(), 0, Start{Source: addr("192.0.2.100")})
	var e Event = heard(200, "192.0.2.200")
	if got := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		m.Step(now, e)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// The actions of a step are the caller's to keep.
func TestActionsAreNotReused(t *testing.T) {
	m, _ := after(router3(), 0, Start{Source: addr("192.0.2.100")}, Ruled{Ruling: TakeOver})
	first := m.Step(Instant(time.Second), Expired{})
	kept := slices.Clone(first)
	m.Step(Instant(2*time.Second), Reprioritized{Priority: 7})
	m.Step(Instant(3*time.Second), Expired{})
	if diff := cmp.Diff(kept, first); diff != "" {
		t.Errorf("the actions of an earlier step changed:\n%s", diff)
	}
}

func BenchmarkStepHeard(b *testing.B) {
	m, now := after(router3(), 0, Start{Source: addr("192.0.2.100")})
	var e Event = heard(200, "192.0.2.200")
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		m.Step(now, e)
	}
}
