package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// TestShortcuts compares what can be asked alone with what Status says, in every state and with a learned interval.
func TestShortcuts(t *testing.T) {
	p := Params{VRID: 1, Family: IPv4, Version: V3, Priority: 100, Interval: time.Second, Preempt: true, Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.1")}}
	m := New(p)
	peer := netip.MustParseAddr("10.0.0.1")
	seen := map[State]bool{}
	for _, e := range []Event{
		Start{Source: netip.MustParseAddr("10.0.0.2")},
		Heard{Advert: Advert{Version: V3, VRID: 1, Priority: 200, Interval: 3 * time.Second, Addresses: p.Addresses}, From: peer},
		Reprioritized{Priority: 50},
		Ruled{Ruling: TakeOver},
		Failed{},
	} {
		m.Step(Instant(time.Hour), e)
		s := m.Status()
		seen[s.State] = true
		if m.State() != s.State || m.MasterInterval() != s.MasterInterval || m.Skew() != s.Skew || m.MasterDown() != s.MasterDown {
			t.Errorf("after %T: %s %v %v %v, but Status says %+v", e, m.State(), m.MasterInterval(), m.Skew(), m.MasterDown(), s)
		}
		if want := 3*s.MasterInterval + s.Skew; s.MasterDown != want || s.Skew == 0 {
			t.Errorf("after %T: master-down %v, want three of %v and a skew of %v", e, s.MasterDown, s.MasterInterval, s.Skew)
		}
	}
	if len(seen) != 3 {
		t.Errorf("the machine was in %v only", seen)
	}
}
