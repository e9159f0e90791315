package vrrp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What holds to the nanosecond, and wherever the clock began.

// A clock may have begun at any moment, before or after the machine: only differences count.
func TestClockBeginsAnywhere(t *testing.T) {
	p := router3()
	p.PreemptDelay = 2 * time.Second
	for _, params := range []Params{router3(), p} {
		deadline := func(start Instant) time.Duration {
			m, _ := after(params, start, Start{Source: addr("192.0.2.100")})
			for _, d := range []time.Duration{time.Second, 2500 * time.Millisecond, 4 * time.Second} {
				m.Step(start.Add(d), heard(50, "192.0.2.50"))
			}
			at, _ := m.Deadline()
			return at.Sub(start)
		}
		want := deadline(0)
		for _, start := range []Instant{Instant(-1000 * time.Hour), Instant(-3 * time.Second), -1, 1, Instant(1000 * time.Hour)} {
			if got := deadline(start); got != want {
				t.Errorf("preemption delay %v, from %v: the deadline is after %v, want %v", params.PreemptDelay, start, got, want)
			}
		}
	}
}

// The shortest wait that a ruling can give is one, and none means a master-down interval.
func TestHoldToTheNanosecond(t *testing.T) {
	for _, tt := range []struct{ hold, want time.Duration }{
		{-1, 3_609_375_000}, {0, 3_609_375_000}, {1, 1}, {2, 2},
	} {
		m, _ := after(router3(), 0, Start{Source: addr("192.0.2.100")}, Ruled{Ruling: Hold, For: tt.hold})
		if at, ok := m.Deadline(); !ok || at != Instant(tt.want) {
			t.Errorf("held for %v: deadline %v, want %v", tt.hold, at, tt.want)
		}
	}
}

// The shortest preemption delay obeys the first lower advert, and no other.
func TestShortestPreemptDelay(t *testing.T) {
	p := router3()
	p.PreemptDelay = 1
	m, now := after(p, 0, Start{Source: addr("192.0.2.100")}, heard(50, "192.0.2.50"))
	if got := m.Status(); !got.Heard || got.LastHeard != now {
		t.Errorf("the first lower advert was not obeyed: %+v", got)
	}
	m.Step(now+1, heard(50, "192.0.2.50"))
	if got := m.Status().LastHeard; got != now {
		t.Errorf("an advert of %v was obeyed, after the delay", got)
	}
}

// A MASTER that has no address says so in its own family, and knows its own advert when it comes back.
func TestUnknownSourceIsOfItsFamily(t *testing.T) {
	for _, tt := range []struct {
		params      Params
		own, lowest string
	}{{router3(), "0.0.0.0", "0.0.0.1"}, {router6(), "::", "::1"}} {
		m, now := after(tt.params, 0, Start{}, Ruled{Ruling: TakeOver})
		if got := m.Step(now, heard(100, tt.own)); got != nil {
			t.Errorf("%v: the own advert is answered by %v", tt.params.Family, got)
		}
		want := []Action{Enter{From: Master, To: Backup, Cause: CauseOutranked}}
		if diff := cmp.Diff(want, m.Step(now, heard(100, tt.lowest))); diff != "" {
			t.Errorf("%v: any address is better than none (-want +got):\n%s", tt.params.Family, diff)
		}
	}
}
