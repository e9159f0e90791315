package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"standfast/service/lab/vm/segment"
)

// An outcome is what was seen of a story, with one daemon.
type outcome struct {
	Story    string
	Daemon   daemon
	Happened string
	Nobody   time.Duration // on the LAN or on the WAN, whichever was longer
	Both     time.Duration
	Lost     int
	Sent     int
	Moves    int      // of the addresses, from one machine to the other
	Entered  []string // states that the daemons entered, as they logged it
	Verdict  string
	Took     time.Duration // of the wall clock
	Notes    []string
	Wrong    []string // what is not as promised
}

// A watch sees what happens from its beginning to its end.
type watch struct {
	lab      *lab
	from, to time.Duration
	event    time.Duration
	out      outcome
}

// watch begins to look.
func (l *lab) watch(story string, d daemon) *watch {
	for _, r := range l.pair() {
		r.mark()
	}
	return &watch{lab: l, from: l.now(), out: outcome{Story: story, Daemon: d}}
}

// do is the event of a story.
func (w *watch) do(what string, act func() error) error {
	w.out.Happened = what
	w.lab.say("%s", what)
	w.event = w.lab.now()
	return act()
}

// wrong notes that something is not as promised.
func (w *watch) wrong(format string, args ...any) {
	w.out.Wrong = append(w.out.Wrong, fmt.Sprintf(format, args...))
}

// note says something of interest.
func (w *watch) note(format string, args ...any) {
	w.out.Notes = append(w.out.Notes, fmt.Sprintf(format, args...))
}

// serves waits until a router, by name, serves alone.
func (w *watch) serves(ctx context.Context, name string, patience time.Duration) bool {
	err := until(ctx, patience, name+" serves alone", func() bool { return w.lab.serving() == name })
	if err != nil {
		w.wrong("%v", err)
	}
	return err == nil
}

// end judges what was seen. Packets are given time to be answered.
func (w *watch) end(ctx context.Context) outcome {
	w.to = w.lab.now()
	_ = lookOn(ctx, segment.PingBound)
	o := &w.out
	o.measure(w.from, w.to, w.lab.ping.Pings(), w.lab.lanAsk.Service(netip.MustParseAddr(lanVIP)), w.lab.wanAsk.Service(netip.MustParseAddr(wanVIP)))
	for _, r := range w.lab.pair() {
		for _, line := range r.said(`\(VI_1\) Entering \w+ STATE`) {
			o.Entered = append(o.Entered, r.name+" "+strings.Fields(line)[2])
		}
	}
	return *o
}

// measure takes the figures from what was recorded between two moments. Where nothing was, nothing is shown.
func (o *outcome) measure(from, to time.Duration, pings segment.Pings, services ...segment.Service) {
	o.Took = to - from
	for _, s := range services {
		o.Nobody = max(o.Nobody, s.Nobody(from, to))
		o.Both = max(o.Both, s.Both(from, to))
		o.Moves = max(o.Moves, s.Transitions(from, to))
		if len(s.Spans(from, to)) == 0 {
			o.Wrong = append(o.Wrong, "it is not known who served")
		}
	}
	lost := pings.Losses(from, to)
	o.Lost, o.Sent = lost.Lost, lost.Sent
	if o.Sent == 0 {
		o.Wrong = append(o.Wrong, "no packet was sent")
	}
}

// stumble is how long an emulated machine may answer nobody because its host does something else: as long as a packet may take that is not lost.
// Addresses that were really gone cost packets, too.
const stumble = segment.PingBound

// still wants a story in which nothing moves, and no daemon says that anything does.
func (o *outcome) still() {
	o.quiet()
	if len(o.Entered) > 0 {
		o.Wrong = append(o.Wrong, fmt.Sprintf("no daemon was to enter another state: %s", o.figures()))
	}
}

// quiet wants a story in which the one who serves goes on, whatever the other one's daemon says of itself.
func (o *outcome) quiet() {
	if o.Lost > 0 || o.Moves > 0 || o.Both > 0 || o.Nobody > stumble {
		o.Wrong = append(o.Wrong, fmt.Sprintf("nothing was to move: %s", o.figures()))
	}
}

// within wants bounds kept.
func (o *outcome) within(nobody, both time.Duration) {
	if o.Nobody > nobody || o.Both > both {
		o.Wrong = append(o.Wrong, fmt.Sprintf("at most %v without a master and %v with two were promised: %s", nobody, both, o.figures()))
	}
}

func (o *outcome) figures() string {
	return fmt.Sprintf("%v without a master, %v with two, %d of %d packets lost, %d moves, entered %q", o.Nobody.Round(time.Millisecond),
		o.Both.Round(time.Millisecond), o.Lost, o.Sent, o.Moves, o.Entered)
}

// verdict asks a router for the reason of its last transition, or of what it thinks now.
func (w *watch) verdict(ctx context.Context, r *router) {
	if r.runs != standfast {
		return
	}
	why, err := r.why(ctx)
	if err != nil || len(why.Instances) == 0 {
		w.wrong("%s has no reasons: %v", r.name, err)
		return
	}
	i := why.Instances[0]
	v := i.Verdict
	if len(i.Transitions) > 0 && why.Time.Sub(i.Transitions[0].Time) < w.lab.now()-w.from {
		v = i.Transitions[0].Verdict
		w.out.Verdict = fmt.Sprintf("%s %s→%s: ", r.name, i.Transitions[0].From, i.Transitions[0].To)
	} else {
		w.out.Verdict = fmt.Sprintf("%s stays %s: ", r.name, i.State)
	}
	if v.Finding == "" || v.Finding == "none" {
		w.out.Verdict += i.Reason
		return
	}
	w.out.Verdict += v.Finding + " (" + v.Rule + ")"
}
