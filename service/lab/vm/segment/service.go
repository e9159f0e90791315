package segment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Span is a time in which the same machines served.
type Span struct {
	From, To time.Duration // since the epoch
	Who      []string      // machines, in the order of their names; none is nobody
}

// Service is who served an address, or a virtual router, over a time.
type Service struct {
	Line []Span // without gaps, oldest first; before it and behind it nothing is known
}

// Spans returns who served between two moments, as far as that is known.
func (s Service) Spans(from, to time.Duration) []Span {
	var part []Span
	for _, x := range s.Line {
		x.From, x.To = max(x.From, from), min(x.To, to)
		if x.From < x.To {
			part = append(part, x)
		}
	}
	return part
}

// Nobody returns how long, between two moments, nobody served.
func (s Service) Nobody(from, to time.Duration) time.Duration {
	return s.total(from, to, func(n int) bool { return n == 0 })
}

// Both returns how long, between two moments, more than one machine served.
func (s Service) Both(from, to time.Duration) time.Duration {
	return s.total(from, to, func(n int) bool { return n > 1 })
}

func (s Service) total(from, to time.Duration, counts func(machines int) bool) time.Duration {
	var sum time.Duration
	for _, x := range s.Spans(from, to) {
		if counts(len(x.Who)) {
			sum += x.To - x.From
		}
	}
	return sum
}

// Transitions returns how often, between two moments, others served than those who had served last. That in between nobody did is
// no transition of its own.
func (s Service) Transitions(from, to time.Duration) int {
	var last []string
	changes := 0
	for _, x := range s.Spans(from, to) {
		if len(x.Who) == 0 {
			continue
		}
		if last != nil && !slices.Equal(last, x.Who) {
			changes++
		}
		last = x.Who
	}
	return changes
}

// String writes the spans with their lengths.
func (s Service) String() string {
	parts := make([]string, len(s.Line))
	for i, x := range s.Line {
		who := strings.Join(x.Who, "+")
		parts[i] = fmt.Sprintf("%s %v", cmp.Or(who, "nobody"), (x.To - x.From).Round(time.Millisecond))
	}
	return strings.Join(parts, ", ")
}

// Service judges who served the address. A machine serves from its first answer on, as long as it answers, and until the first
// question that it does not: a question that was never asked, because the laboratory was late, tells nothing. Times without a
// machine, and with more than one, that are not longer than grain are left aside: how coarse the record is. What is found can
// be too long by one interval and the time that an answer takes.
func (r Record) Service(grain time.Duration) Service {
	if len(r.Questions) == 0 {
		return Service{}
	}
	terms := make(map[string][]term)
	for _, a := range r.Answers {
		own := terms[a.Machine]
		next := term{from: a.At, to: r.doubt(a.At)}
		if n := len(own); n > 0 && next.from-own[n-1].to <= grain {
			own[n-1].to = next.to
		} else {
			own = append(own, next)
		}
		terms[a.Machine] = own
	}
	return Service{Line: smooth(lay(terms, r.Questions[0], r.Until), grain)}
}

// doubt is when the first question after an answer was asked; what is known of who answered ends there.
func (r Record) doubt(answer time.Duration) time.Duration {
	i, _ := slices.BinarySearch(r.Questions, answer+1)
	if i == len(r.Questions) {
		return r.Until
	}
	return r.Questions[i]
}

// ServiceOfAdverts judges who spoke as master of a virtual router, from the first advert on until a moment: each advert stands for
// hold, which is the interval of adverts and what one may be late by; a goodbye ends it.
func ServiceOfAdverts(adverts []Advert, vrid uint8, hold, until time.Duration) Service {
	terms := make(map[string][]term)
	begin := until
	for _, a := range adverts {
		if a.VRID != vrid {
			continue
		}
		begin = min(begin, a.At)
		own := terms[a.Machine]
		running := len(own) > 0 && a.At <= own[len(own)-1].to
		switch {
		case a.Priority == 0 && running:
			own[len(own)-1].to = a.At
		case a.Priority == 0:
		case running:
			own[len(own)-1].to = a.At + hold
		default:
			own = append(own, term{a.At, a.At + hold})
		}
		terms[a.Machine] = own
	}
	return Service{Line: lay(terms, begin, until)}
}

// term is a time in which one machine serves.
type term struct{ from, to time.Duration }

// lay lays the terms of several machines beside each other.
func lay(terms map[string][]term, from, to time.Duration) []Span {
	cuts := []time.Duration{from, to}
	for _, own := range terms {
		for _, t := range own {
			cuts = append(cuts, t.from, t.to)
		}
	}
	slices.Sort(cuts)
	var spans []Span
	for i := 1; i < len(cuts); i++ {
		s := Span{From: max(cuts[i-1], from), To: min(cuts[i], to)}
		if s.From >= s.To {
			continue
		}
		s.Who = serving(terms, s.From)
		spans = join(spans, s)
	}
	return spans
}

// serving returns the machines of which a term runs.
func serving(terms map[string][]term, at time.Duration) []string {
	var who []string
	for machine, own := range terms {
		if slices.ContainsFunc(own, func(t term) bool { return t.from <= at && at < t.to }) {
			who = append(who, machine)
		}
	}
	slices.Sort(who)
	return who
}

// join appends a span, to the last one if the same machines serve.
func join(spans []Span, s Span) []Span {
	if n := len(spans); n > 0 && slices.Equal(spans[n-1].Who, s.Who) {
		spans[n-1].To = s.To
		return spans
	}
	return append(spans, s)
}

// smooth gives a time without a machine, or with several, that is not longer than grain, to the span before it; at the beginning,
// to the one behind it.
func smooth(spans []Span, grain time.Duration) []Span {
	var smoothed []Span
	from := time.Duration(-1) // where a short beginning began
	for _, s := range spans {
		short := s.To-s.From <= grain && len(s.Who) != 1
		if from >= 0 {
			s.From, from = from, -1
		}
		switch {
		case !short:
			smoothed = join(smoothed, s)
		case len(smoothed) > 0:
			smoothed[len(smoothed)-1].To = s.To
		default:
			from = s.From
		}
	}
	return smoothed
}
