package service

import (
	"slices"
	"strings"
	"testing"

	"standfast/vrrp/verdict"
)

func TestEverySignalHasAWord(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range EverySignal() {
		if w := s.String(); w == "" || seen[w] {
			t.Errorf("signal %d is called %q", s, w)
		} else {
			seen[w] = true
		}
	}
}

func TestDriverTable(t *testing.T) {
	rows := DriverTable()
	for _, r := range rows {
		if len(r.Signals) != len(EverySignal()) {
			t.Errorf("%s has %d signals", r.Driver, len(r.Signals))
		}
		// Whatever carries a port, its own counters can show that adverts do not leave.
		if !slices.Contains(r.Facts, verdict.FactTransmitStalled.String()) {
			t.Errorf("%s can be known to suffer %v only", r.Driver, r.Facts)
		}
	}
	var b strings.Builder
	if err := PrintDrivers(&b); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "\n"); got != len(rows)+1 {
		t.Errorf("%d lines for %d drivers:\n%s", got, len(rows), b.String())
	}
	if _, ok := LookUpDriver("mlx5_core"); !ok {
		t.Error("mlx5_core is not in the table")
	}
	if _, ok := LookUpDriver("nobody"); ok {
		t.Error("nobody is in the table")
	}
}
