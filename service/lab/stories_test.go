package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// told tells a story to the product and finds what is not as promised.
func (s *scene) told(story Story, watch time.Duration) finding {
	s.t.Helper()
	o, err := s.tell(story, s.daemon, watch, func(at time.Time, what string) { s.t.Logf("%9s  %s", s.at(at), what) })
	check(s.t, err)
	s.t.Logf("%s; observed each %v at the coarsest", o.Figures(), o.Line.Coarsest().Round(time.Millisecond))
	f := finding{complaints: o.Complaints()}
	f.from, f.to = s.mattered(o.Acts)
	for i, wanted := range reasons()[story.Key] {
		for _, want := range wanted {
			if len(f.complaints) == 0 && !strings.Contains(o.Why[i], want) {
				f.complaints = append(f.complaints, fmt.Sprintf("why on %s does not say %q:\n%s", s.Members()[i].Name(), want, o.Why[i]))
			}
		}
	}
	if len(f.complaints) > 0 {
		s.t.Logf("\n%v", o.Line)
	}
	return f
}

// moment is the time within which a stumble of the laboratory can have made the product believe in a death.
const moment = 100 * time.Millisecond

// mattered is when milliseconds mattered: before the first transition that an act caused, or after the last act.
func (s *scene) mattered(acts []Act) (from, to time.Time) {
	from = acts[len(acts)-1].At
	to = from.Add(moment)
	for _, m := range s.Members() {
		for _, line := range m.Log.Between(acts[0].At, time.Time{}) {
			if strings.Contains(line.Text, "Entering ") && line.At.Before(to) {
				from, to = line.At.Add(-moment), line.At
			}
		}
	}
	return from, to
}

// reasons is what `why` has to name at the end of each story: rule and evidence of the router that decided. In story d the
// deadline may come before the silence proves a death: then the policy decided.
func reasons() map[byte][2][]string {
	dead := []string{"MASTER", "rule backup-5-peer-dead, finding peer-dead", "silence calibrated", "vip silent", "heartbeat no-carrier"}
	alone := []string{"MASTER", "rule master-3-unrivalled", "In doubt: carrier lost"}
	held := []string{"BACKUP", "rule backup-3-contested, finding contested", "vip peer", "heartbeat no-carrier", "In doubt: carrier lost"}
	silent := []string{"MASTER", "rule backup-", "vip silent", "heartbeat no-carrier"}
	return map[byte][2][]string{'a': {nil, dead}, 'b': {alone, nil}, 'c': {alone, held}, 'd': {nil, silent}}
}

// TestTakeover tells story a, in which milliseconds count.
func TestTakeover(t *testing.T) {
	fairly(t, func(s *scene) finding { return s.told(Stories()[0], 2*time.Second) })
}

// TestStories tells the others. Those in which nothing may happen are watched.
func TestStories(t *testing.T) {
	t.Parallel()
	watch := shortOr(8*time.Second, time.Minute)
	for _, story := range Stories()[1:] {
		t.Run(fmt.Sprintf("(%c) %s", story.Key, story.Title), func(t *testing.T) {
			t.Parallel()
			fairly(t, func(s *scene) finding { return s.told(story, watch) })
		})
	}
}

// TestTakeoverBehindCutCable looks closer at story d: with the cable cut first, the takeover is no matter of the carrier. It
// comes within the master-down interval and never before the MASTER died, however soon that is after the cable.
func TestTakeoverBehindCutCable(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 30 * time.Millisecond, 700 * time.Millisecond, 2500 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			fairly(t, func(s *scene) finding { return s.secondDeath(delay) })
		})
	}
}

func (s *scene) secondDeath(delay time.Duration) (f finding) {
	s.t.Helper()
	complain := func(format string, args ...any) { f.complaints = append(f.complaints, fmt.Sprintf(format, args...)) }
	s.settle()
	meter, err := s.NewMeter(s.B)
	check(s.t, err)
	defer meter.Close()
	cut := time.Now()
	check(s.t, s.Cable.Cut())
	s.watch(delay)
	dark, err := s.A.PowerOff(nil)
	check(s.t, err)
	taken, err := meter.Measure(dark, takeoverPatience)
	if err != nil {
		complain("B does not take over: %v", err)
	}
	s.watch(time.Second)
	s.t.Logf("%v after the cable A died; B served after %v", dark.Sub(cut).Round(time.Millisecond), taken.Served().Round(time.Millisecond))
	if taken.Served() > MasterDown {
		complain("B serves %v after the death, promised is %v", taken.Served(), MasterDown)
	}
	early := s.observer.Timeline().Between(cut, dark)
	for i, v := range early.VIPs {
		if tally := early.Tally(i, hwtest.Owners); tally.Several.Samples > 0 || tally.Nobody.Samples > 0 {
			complain("%s was not held by A alone while A lived", v.Addr)
		}
	}
	if got := s.B.Log.Transitions(cut, time.Time{}); !slices.Equal(got, []string{"MASTER"}) {
		complain("B went through %v", got)
	}
	f.from, f.to = s.mattered([]Act{{At: cut}, {At: dark}})
	return f
}
