package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

// lateBound is the promise: how late 99 of 100 adverts are at most.
const lateBound = 5 * time.Millisecond

// begin starts the time that is judged.
func (s *stage) begin() {
	s.control.reset()
	s.cables.reset()
	s.began = time.Now()
}

// heldUp is how long no machine has to hold up anybody on it, even one that hurries.
const heldUp = 250 * time.Millisecond

// excused says that the machine held up the cables, or whoever is as urgent as a daemon, for so long that routers had to think
// that something is wrong.
func (s *stage) excused() bool {
	held := max(s.cables.quantile(100), s.control.quantile(100))
	if len(s.complaints) == 0 || held < min(s.interval(), heldUp) && !s.blind {
		return false
	}
	s.outcome.busy = fmt.Sprintf("it held up the laboratory for %v: %s", held, strings.Join(s.complaints, "; "))
	return true
}

// onTime wants the adverts of whoever was MASTER since the trouble began to have left on time. Where the machine kept others
// waiting for as long, nobody can tell, nor where the daemons of other stories run on it: a router has one.
func (s *stage) onTime() {
	interval := s.interval()
	terms := s.terms()
	s.outcome.lateness = lab.MeasureLateness(interval, terms...)
	s.outcome.adverts = s.outcome.lateness.Adverts
	lasted := time.Since(s.began)
	if due := int(lasted/interval)*99/100 - 2*len(terms); s.outcome.adverts < due { // one in a hundred may be late, even by an interval
		s.complain("%d adverts in %v, %d were due", s.outcome.adverts, lasted.Round(time.Millisecond), due)
	}
	share := 99
	if s.outcome.adverts < 100 {
		share = 100 // of so few the worst is more than one in a hundred
	}
	p99, machine := s.outcome.lateness.P99, s.control.quantile(share)
	switch {
	case p99 <= lateBound:
	case s.shared:
		s.outcome.remark("late, but among others that are as urgent")
	case machine > lateBound/2:
		s.outcome.busy = fmt.Sprintf("adverts are late by %v, but others had to wait for the machine too, for %v", p99, machine)
	default:
		s.complain("one advert in a hundred is late by %v or more, promised are %v", p99, lateBound)
	}
}

// terms are the adverts since the trouble began, of each time in which one router was MASTER by itself. A goodbye is no beat.
func (s *stage) terms() (terms [][]lab.Advert) {
	type said struct {
		lab.Advert
		by int
	}
	var all []said
	for i, m := range s.Members() {
		for _, x := range s.adverts.Between(m, s.began, time.Time{}) {
			if x.Priority > 0 {
				all = append(all, said{x, i})
			}
		}
	}
	slices.SortFunc(all, func(a, b said) int { return a.At.Compare(b.At) })
	for i, x := range all {
		if i == 0 || all[i-1].by != x.by {
			terms = append(terms, nil)
		}
		last := &terms[len(terms)-1]
		*last = append(*last, x.Advert)
	}
	return terms
}

// single wants no address to have been answered for, or held, by both routers for longer than an advert interval.
func (s *stage) single() {
	line := s.seen()
	if len(line.Samples) == 0 || line.Misses > 0 {
		s.blind = true // for two seconds and more the kernel did not say which addresses it has
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
	for _, m := range s.running() {
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
	for _, m := range s.running() {
		r := s.supervisors[m].Report()
		s.outcome.kills += len(r.Kills)
		if len(r.Kills) > 0 || len(r.Ends) > 0 || r.Err != nil {
			s.complain("%s: %d watchdog kills, %d ends, %v", m.Name(), len(r.Kills), len(r.Ends), r.Err)
		}
	}
}
