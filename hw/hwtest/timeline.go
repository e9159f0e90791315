package hwtest

import (
	"fmt"
	"strings"
	"time"
)

// A Timeline is what an [Observer] saw.
type Timeline struct {
	VIPs       []VIP
	Routers    []*Router
	Samples    []Sample // oldest first
	Gratuitous []ARP    // gratuitous ARP messages for any address, oldest first
	Misses     int      // how often a router with power could not be read
}

// A View picks owners or answers from a sample.
type View func(Sample) []Set

// Owners views whose kernels have the addresses.
func Owners(s Sample) []Set { return s.Owners }

// Answers views who answers for the addresses.
func Answers(s Sample) []Set { return s.Answers }

// A Span is a time in which the same routers held an address.
type Span struct {
	From, To time.Time
	Who      Set
}

// A Tally is how long, and in how many samples, nobody, exactly one and several held an address.
type Tally struct {
	Nobody, One, Several          Share
	LongestNobody, LongestSeveral time.Duration
	Changes                       int // of who held it
}

// A Share is a part of a timeline.
type Share struct {
	Time    time.Duration
	Samples int
}

// Between returns the part from one moment to another; a zero To is the end.
func (t Timeline) Between(from, to time.Time) Timeline {
	part := t
	part.Samples, part.Gratuitous = nil, nil
	for _, s := range t.Samples {
		if !s.At.Before(from) && (to.IsZero() || s.At.Before(to)) {
			part.Samples = append(part.Samples, s)
		}
	}
	for _, g := range t.Gratuitous {
		if !g.At.Before(from) && (to.IsZero() || g.At.Before(to)) {
			part.Gratuitous = append(part.Gratuitous, g)
		}
	}
	return part
}

// Spans returns who held the VIP with that index, from the first sample to the last: each sample stands until the next.
func (t Timeline) Spans(vip int, view View) []Span {
	var spans []Span
	for i, s := range t.Samples {
		who := view(s)[vip]
		if i > 0 {
			spans[len(spans)-1].To = s.At
		}
		if len(spans) == 0 || spans[len(spans)-1].Who != who {
			spans = append(spans, Span{From: s.At, To: s.At, Who: who})
		}
	}
	return spans
}

// Tally sums up the spans of the VIP with that index.
func (t Timeline) Tally(vip int, view View) Tally {
	var tally Tally
	for i, s := range t.Spans(vip, view) {
		d := s.To.Sub(s.From)
		if i > 0 {
			tally.Changes++
		}
		share := tally.share(s.Who)
		share.Time += d
		switch share {
		case &tally.Nobody:
			tally.LongestNobody = max(tally.LongestNobody, d)
		case &tally.Several:
			tally.LongestSeveral = max(tally.LongestSeveral, d)
		}
	}
	for _, s := range t.Samples {
		tally.share(view(s)[vip]).Samples++
	}
	return tally
}

// share returns the part to which a set belongs.
func (t *Tally) share(who Set) *Share {
	switch who.Count() {
	case 0:
		return &t.Nobody
	case 1:
		return &t.One
	default:
		return &t.Several
	}
}

// Coarsest returns the longest time between two samples: how well the observer was served by the machine it shares.
func (t Timeline) Coarsest() time.Duration {
	var longest time.Duration
	for i := 1; i < len(t.Samples); i++ {
		longest = max(longest, t.Samples[i].At.Sub(t.Samples[i-1].At))
	}
	return longest
}

// Names writes a set with the routers' names.
func (t Timeline) Names(s Set) string {
	var names []string
	for i, r := range t.Routers {
		if s.Has(i) {
			names = append(names, r.Name())
		}
	}
	if s&Stranger != 0 {
		names = append(names, "stranger")
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, "+")
}

// String draws the timeline: one line per VIP, owners and answers, with times from the first sample.
func (t Timeline) String() string {
	var b strings.Builder
	for i, v := range t.VIPs {
		for _, row := range []struct {
			name string
			view View
		}{{"owned", Owners}, {"answered", Answers}} {
			fmt.Fprintf(&b, "%s %s:", v.Addr, row.name)
			for _, s := range t.Spans(i, row.view) {
				fmt.Fprintf(&b, " %s@%v", t.Names(s.Who), s.From.Sub(t.Samples[0].At).Round(time.Millisecond))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
