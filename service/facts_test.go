package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp/verdict"
)

func factWords(facts verdict.Facts) []string {
	all := []string{}
	for f := range facts.All() {
		all = append(all, f.String())
	}
	return all
}

func maybe(v bool) ethtool.Maybe[bool] { return ethtool.Maybe[bool]{Known: true, V: v} }

// oneLane is a module with one light path.
func oneLane(l ethtool.Lane) ethtool.Module { return ethtool.Module{Lanes: []ethtool.Lane{l}} }

// TestFacts holds each source against the fact that it is, and that it is no other.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		is   reading
		want []string
	}{
		{reading{present: true}, []string{}},
		{reading{held: true}, []string{"proto-down"}},
		{reading{testing: true}, []string{"testing"}},
		{reading{unbound: true}, []string{"unbound"}},
		{reading{detached: true}, []string{"detached"}},
		{reading{mute: true}, []string{"card-silent"}},
		{reading{unplugged: true}, []string{"card-gone"}},
		{reading{recovery: port.RecoveryBegun}, []string{"recovering"}},
		{reading{recovery: port.RecoveryFailed}, []string{"recovery-failed"}},
		{reading{recovery: port.RecoveryDone}, []string{}},
		{reading{corrected: true}, []string{"errors-corrected"}},
		{reading{hung: true}, []string{"transmit-hung"}},
		{reading{stalled: true}, []string{"transmit-stalled"}},
		{reading{slowdown: true}, []string{"partner-asleep"}},
		{reading{partner: true}, []string{"partner-abilities"}},
		{reading{page: true}, []string{"partner-speaks"}},
		{reading{missing: true}, []string{"module-missing"}},
		{reading{module: ethtool.Module{Fault: maybe(true)}}, []string{"module-fault"}},
		{reading{module: ethtool.Module{Fault: maybe(false)}}, []string{}},
		{reading{module: oneLane(ethtool.Lane{TransmitFault: maybe(true)})}, []string{"module-transmit"}},
		{reading{module: oneLane(ethtool.Lane{TransmitOff: maybe(true)})}, []string{"module-transmit"}},
		{reading{module: oneLane(ethtool.Lane{LightLost: maybe(true)})}, []string{"no-light"}},
		{reading{module: oneLane(ethtool.Lane{LightLost: maybe(false), TransmitFault: maybe(false), TransmitOff: maybe(false)})}, []string{}},
		{reading{reason: ethtool.Reason{State: ethtool.ExtNoCable}}, []string{}}, // was not asked
		{reading{reasoned: true, reason: ethtool.Reason{State: ethtool.ExtNoCable}}, []string{"cage-empty"}},
		{reading{detached: true, mute: true, reasoned: true, reason: ethtool.Reason{State: ethtool.ExtOverheat}}, []string{"detached", "card-silent", "overheated"}},
	} {
		if diff := cmp.Diff(c.want, factWords(c.is.facts())); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.is, diff)
		}
	}
}

// TestReasons has every reason that a kernel can give for a missing link, the ones that are to come included.
func TestReasons(t *testing.T) {
	want := map[ethtool.ExtState][]verdict.Fact{ // by substate from 0; the last holds for all above
		ethtool.ExtAutoneg: {verdict.FactNone, verdict.FactNoPartner, verdict.FactPartnerSpeaks, verdict.FactPartnerSpeaks,
			verdict.FactNoPartner, verdict.FactPartnerSpeaks, verdict.FactPartnerSpeaks, verdict.FactNone},
		ethtool.ExtTrainingFailure: {verdict.FactNone, verdict.FactNone, verdict.FactNone, verdict.FactPartnerSpeaks,
			verdict.FactRemoteFault, verdict.FactNone},
		ethtool.ExtLogicalMismatch:     {verdict.FactSignalBad},
		ethtool.ExtBadSignal:           {verdict.FactSignalBad, verdict.FactSignalBad, verdict.FactSignalBad, verdict.FactClockLost, verdict.FactNoPartner, verdict.FactSignalBad},
		ethtool.ExtNoCable:             {verdict.FactCageEmpty},
		ethtool.ExtCableIssue:          {verdict.FactCableUnsupported, verdict.FactCableUnsupported, verdict.FactNone, verdict.FactCableUnsupported},
		ethtool.ExtEEPROMIssue:         {verdict.FactModuleFault},
		ethtool.ExtCalibrationFailure:  {verdict.FactCalibrationFailed},
		ethtool.ExtPowerBudgetExceeded: {verdict.FactPowerExceeded},
		ethtool.ExtOverheat:            {verdict.FactOverheated},
		ethtool.ExtModule:              {verdict.FactModuleFault},
		ethtool.ExtOTPSpeedViolation:   {verdict.FactRefused},
		ethtool.ExtBMCRequestDown:      {verdict.FactRefused},
	}
	for state := range ethtool.ExtState(20) {
		for sub := range uint8(12) {
			facts, fact := want[state], verdict.FactNone
			if len(facts) > 0 {
				fact = facts[min(int(sub), len(facts)-1)]
			}
			if got := reasonFact(ethtool.Reason{State: state, Sub: sub}); got != fact {
				t.Errorf("%v: %v, want %v", ethtool.Reason{State: state, Sub: sub}, got, fact)
			}
		}
	}
}

// TestEveryFactHasASource keeps the tables complete: a fact that nothing can say, and a row that says nothing new, are mistakes.
func TestEveryFactHasASource(t *testing.T) {
	for f := range verdict.EveryFact() {
		named := func(have verdict.Fact, from string) bool { return have == f && from != "" }
		ok := slices.ContainsFunc(sources[:], func(s source) bool { return named(s.fact, s.from) })
		for _, r := range reasons {
			ok = ok || named(r.fact, r.from)
		}
		if !ok {
			t.Errorf("%v has no source", f)
		}
	}
	seen := map[string]bool{}
	for _, r := range reasons {
		row := fmt.Sprint(r.state, r.sub)
		if seen[row] || seen[fmt.Sprint(r.state, anySub)] {
			t.Errorf("state %v substate %d is never reached", r.state, r.sub)
		}
		seen[row] = true
	}
}
