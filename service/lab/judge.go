package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"standfast/hw/hwtest"
)

// Complaints returns in what the outcome differs from what the product promises; none means as promised.
func (o Outcome) Complaints() []string {
	if len(o.Line.Samples) == 0 || o.Line.Misses > 0 {
		return []string{fmt.Sprintf("the observer failed: %d samples, %d missed", len(o.Line.Samples), o.Line.Misses)}
	}
	switch o.Story.Key {
	case 'a':
		return slices.Concat(o.taken(TakeoverBound), o.ended(SideB), o.never(), o.moved(nil, []string{"MASTER"}))
	case 'd':
		return slices.Concat(o.taken(MasterDown), o.ended(SideB), o.never(), o.waited(), o.moved(nil, []string{"MASTER"}))
	default:
		return slices.Concat(o.undisturbed(), o.ended(SideA), o.never(), o.moved(nil, nil))
	}
}

// taken complains of a takeover that did not come in time.
func (o Outcome) taken(bound time.Duration) []string {
	if o.NotTaken != nil {
		return []string{"B does not take over: " + o.NotTaken.Error()}
	}
	if served := o.Takeover.Served(); served > bound {
		return []string{fmt.Sprintf("B serves after %v, later than %v", served.Round(time.Millisecond), bound)}
	}
	return nil
}

// ended complains of an end in which the VIPs are not held by exactly that side.
func (o Outcome) ended(who hwtest.Set) []string {
	if last := o.Line.Samples[len(o.Line.Samples)-1]; !held(last.Owners, who) {
		return []string{"in the end: " + o.Masters()}
	}
	return nil
}

// never complains of addresses that both held or answered for.
func (o Outcome) never() []string {
	var complaints []string
	for i, v := range o.Line.VIPs {
		if t := o.Line.Tally(i, hwtest.Owners).Several; t.Samples > 0 {
			complaints = append(complaints, fmt.Sprintf("%s was held by both in %d samples", v.Addr, t.Samples))
		}
		if t := o.Line.Tally(i, hwtest.Answers).Several; t.Samples > 0 {
			complaints = append(complaints, fmt.Sprintf("%s was answered by both in %d samples", v.Addr, t.Samples))
		}
	}
	return complaints
}

// undisturbed complains of addresses that were missing or moved, and of lost packets.
func (o Outcome) undisturbed() []string {
	var complaints []string
	for i, v := range o.Line.VIPs {
		if t := o.Line.Tally(i, hwtest.Owners); t.Nobody.Samples > 0 || t.Changes > 0 {
			complaints = append(complaints, fmt.Sprintf("%s was missing in %d samples, moved %d times", v.Addr, t.Nobody.Samples, t.Changes))
		}
	}
	if o.Losses.Lost > 0 {
		complaints = append(complaints, fmt.Sprintf("%d of %d packets lost", o.Losses.Lost, o.Losses.Sent))
	}
	return complaints
}

// waited complains of a B that held an address while A lived.
func (o Outcome) waited() []string {
	for _, s := range o.Line.Between(time.Time{}, o.Acts[1].At).Samples {
		if slices.ContainsFunc(s.Owners, func(who hwtest.Set) bool { return who != SideA }) {
			return []string{fmt.Sprintf("%v before A died, A did not hold every address alone", o.Acts[1].At.Sub(s.At).Round(time.Millisecond))}
		}
	}
	return nil
}

// moved complains of transitions other than the expected ones.
func (o Outcome) moved(a, b []string) []string {
	var complaints []string
	for i, want := range [][]string{a, b} {
		if got := o.Transitions[i]; !slices.Equal(got, want) {
			complaints = append(complaints, fmt.Sprintf("%c went through %v, not %v", 'A'+i, got, want))
		}
	}
	return complaints
}

// Masters says who is master in the end.
func (o Outcome) Masters() string {
	if len(o.Line.Samples) == 0 {
		return "unknown"
	}
	last := o.Line.Samples[len(o.Line.Samples)-1].Owners
	switch {
	case held(last, 0):
		return "no master"
	case held(last, SideA):
		return "one master, A"
	case held(last, SideB):
		return "one master, B"
	case held(last, SideA|SideB):
		return "two masters"
	}
	var parts []string
	for _, who := range last {
		parts = append(parts, o.Line.Names(who))
	}
	return "divided: " + strings.Join(parts, ", ")
}

// Figures says what was measured, in a few words.
func (o Outcome) Figures() string {
	figures := []string{o.Masters()}
	if o.Story.Key == 'a' || o.Story.Key == 'd' {
		if o.NotTaken == nil {
			figures = append(figures, fmt.Sprintf("after %v", o.Takeover.Served().Round(100*time.Microsecond)))
		}
	}
	return strings.Join(append(figures, fmt.Sprintf("lost %d/%d", o.Losses.Lost, o.Losses.Sent)), ", ")
}
