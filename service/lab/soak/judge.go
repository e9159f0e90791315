package main

import (
	"fmt"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

// lateBound is the promise: how late 99 of 100 adverts are at most.
const lateBound = 5 * time.Millisecond

// begin starts the time that is judged.
func (s *stage) begin() {
	s.control.reset()
	s.began = time.Now()
}

// onTime wants the adverts of a MASTER to have left on time since the trouble began. Where the machine kept others waiting for
// as long, nobody can tell.
func (s *stage) onTime(m *lab.Member) {
	interval := s.interval()
	sent := s.adverts.Between(m, s.began, time.Time{})
	s.outcome.lateness = lab.MeasureLateness(sent, interval)
	s.outcome.adverts = len(sent)
	lasted := time.Since(s.began)
	if due := int(lasted/interval) - 2; len(sent) < due {
		s.complain("%s sent %d adverts in %v, %d were due", m.Name(), len(sent), lasted.Round(time.Millisecond), due)
	}
	if p99 := s.outcome.lateness.P99; p99 > lateBound {
		share := 99
		if len(sent) < 100 {
			share = 100 // of so few the worst is more than one in a hundred
		}
		if machine := s.control.quantile(share); machine > lateBound/2 {
			s.outcome.busy = fmt.Sprintf("adverts are late by %v, but others had to wait for the machine too, for %v", p99, machine)
			return
		}
		s.complain("one advert in a hundred is late by %v or more, promised are %v", p99, lateBound)
	}
}

// single wants no address to have been answered for, or held, by both routers for longer than an advert interval.
func (s *stage) single() {
	line := s.seen()
	if len(line.Samples) == 0 || line.Misses > 0 {
		s.complain("the observer failed: %d samples, %d missed", len(line.Samples), line.Misses)
	}
	for i, v := range line.VIPs {
		answered, held := line.Tally(i, hwtest.Answers).LongestSeveral, line.Tally(i, hwtest.Owners).LongestSeveral
		s.outcome.doubled = max(s.outcome.doubled, answered)
		if answered > s.interval() {
			s.complain("%s was answered by both for %v", v.Addr, answered)
		}
		if held > s.interval() {
			s.complain("%s was held by both for %v", v.Addr, held)
		}
	}
}

// missing wants no address to have been without an owner for longer than the bound.
func (s *stage) missing(bound time.Duration) {
	line := s.seen()
	for i, v := range line.VIPs {
		if nobody := line.Tally(i, hwtest.Owners).LongestNobody; nobody > bound {
			s.complain("nobody held %s for %v, allowed are %v", v.Addr, nobody, bound)
		}
	}
}

// undisturbed wants everything to have stayed with A since the trouble began.
func (s *stage) undisturbed() {
	s.single()
	line := s.seen()
	for i, v := range line.VIPs {
		tally := line.Tally(i, hwtest.Owners)
		if tally.Nobody.Samples > 0 || tally.Several.Samples > 0 || tally.Changes > 0 {
			s.complain("%s: missing in %d samples, doubled in %d, moved %d times", v.Addr, tally.Nobody.Samples, tally.Several.Samples, tally.Changes)
		}
	}
	if sent := s.adverts.Between(s.B, s.began, time.Time{}); len(sent) > 0 {
		s.complain("B sent %d adverts", len(sent))
	}
	for _, m := range s.Members() {
		entered, err := s.transitionsBy(m, s.began)
		if err != nil {
			s.complain("%v", err)
		}
		s.outcome.transitions += len(entered)
		if len(entered) > 0 {
			s.complain("%s went through %v, the latest first", m.Name(), entered)
		}
	}
}

// healthy wants no watchdog to have bitten, and nobody to have ended.
func (s *stage) healthy() {
	for _, m := range s.Members() {
		r := s.supervisors[m].Report()
		s.outcome.kills += len(r.Kills)
		if len(r.Kills) > 0 || len(r.Ends) > 0 || r.Err != nil {
			s.complain("%s: %d watchdog kills, %d ends, %v", m.Name(), len(r.Kills), len(r.Ends), r.Err)
		}
	}
}
