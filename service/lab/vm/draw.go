package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"standfast/service/lab/timeline"
	"standfast/service/lab/vm/machine"
	"standfast/service/lab/vm/segment"
)

// A picture is what a story is drawn as, with one daemon.
type picture struct {
	story  string
	daemon daemon
	name   string // of its files, without their ends
	title  string
}

// pictures are the stories of the crossover cable. docs/stories.md shows them.
var pictures = []picture{
	{"a", standfast, "story-peer-off-master", "The MASTER loses power"},
	{"b", standfast, "story-peer-off-backup", "The BACKUP loses power"},
	{"c", standfast, "story-cable-out", "The cable is out, both live"},
	{"a", keepalived, "story-keepalived-peer-off-master", "keepalived: the MASTER loses power"},
	{"b", keepalived, "story-keepalived", "keepalived: the BACKUP loses power"},
	{"c", keepalived, "story-keepalived-cable-out", "keepalived: the cable is out, both live"},
	{"a", untracked, "story-untracked-peer-off-master", "keepalived with dont_track_primary: the MASTER loses power"},
	{"b", untracked, "story-untracked-peer-off-backup", "keepalived with dont_track_primary: the BACKUP loses power"},
	{"c", untracked, "story-untracked-cable-out", "keepalived with dont_track_primary: the cable is out, both live"},
}

// before is how long before the event a picture begins.
const before = 2 * time.Second

// The lanes beside those of the routers, which have their names.
const (
	laneLAN, laneWAN = "LAN: who answers", "WAN: who answers"
	lanePackets      = "client's packets"
)

// past is what was done to a router, on the laboratory's clock.
type past struct {
	power, carrier []change // oldest first; the carrier is that of its end of the cable
}

type change struct {
	at time.Duration
	on bool
}

// A testimony is what is known of a router: what was done to it, and what it says itself.
type testimony struct {
	past
	name    string
	console []said
}

// said is a line of a console.
type said struct {
	at   time.Duration
	text string
}

// records are all that a picture is drawn from, on the laboratory's clock.
type records struct {
	from, event, to time.Duration
	out             outcome
	routers         []testimony
	lan, wan        segment.Service
	lost            []segment.Loss
}

// draw draws a story that has ended into a folder: a picture for a page, and beside it, as JSON, the [timeline.Recording] that it was drawn from. It
// does nothing without a folder, and for a story that has no picture.
func (w *watch) draw(folder string) error {
	i := slices.IndexFunc(pictures, func(p picture) bool { return p.story == w.out.Story && p.daemon == w.out.Daemon })
	if folder == "" || i < 0 || w.to == 0 {
		return nil
	}
	return save(folder, pictures[i].name, w.records().recording(pictures[i].title))
}

// save writes a recording and its picture.
func save(folder, name string, r timeline.Recording) error {
	var svg bytes.Buffer
	if err := r.SVG(&svg); err != nil {
		return fmt.Errorf("draw %s: %w", name, err)
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("draw %s: %w", name, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, name+".svg"), svg.Bytes(), 0o644),
		os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644))
}

// records collects what there is of a story.
func (w *watch) records() records {
	l := w.lab
	rec := records{
		from: w.event - before, event: w.event, to: w.to, out: w.out,
		lan: l.lanAsk.Service(netip.MustParseAddr(lanVIP)), wan: l.wanAsk.Service(netip.MustParseAddr(wanVIP)),
	}
	rec.lost = l.ping.Pings().Windows(rec.from, rec.to)
	for _, r := range l.pair() {
		rec.routers = append(rec.routers, r.testimony())
	}
	return rec
}

func (r *router) testimony() testimony {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := testimony{name: r.name, past: past{power: slices.Clone(r.past.power), carrier: slices.Clone(r.past.carrier)}}
	for _, line := range r.vm.Lines() {
		t.console = append(t.console, said{r.lab.when(line), line.Text})
	}
	return t
}

// when is the moment of a line on the laboratory's clock.
func (l *lab) when(line machine.Line) time.Duration { return l.now() - time.Since(line.At) }

// recording is what a picture shows. Its 0 is the event.
func (rec records) recording(title string) timeline.Recording {
	r := timeline.Recording{
		Title: title, Subtitle: rec.subtitle(), From: rec.from - rec.event, To: rec.to - rec.event,
		Marks: []timeline.Mark{{At: 0, Text: rec.out.Happened}},
	}
	for _, t := range rec.routers {
		r.Lanes = append(r.Lanes, timeline.Lane{Name: t.name, Spans: rec.spans(t.states())})
		r.Marks = append(r.Marks, rec.marks(t)...)
	}
	for _, t := range rec.routers {
		r.Lanes = append(r.Lanes, timeline.Lane{Name: "cable at " + t.name, Spans: rec.spans(t.carriers())})
	}
	r.Lanes = append(r.Lanes,
		timeline.Lane{Name: laneLAN, Spans: rec.answers(rec.lan)},
		timeline.Lane{Name: laneWAN, Spans: rec.answers(rec.wan)},
		timeline.Lane{Name: lanePackets, Spans: rec.losses()})
	return r
}

// subtitle says what was measured, and how far the states are to be trusted.
func (rec records) subtitle() string {
	o := rec.out
	text := fmt.Sprintf("%s on two virtual machines. Without a master: %s; two masters: %s; packets of a client lost: %d of %d. The state of a machine is drawn "+
		"as its console said it, when it said it: it may have been so a little earlier. Who answers is what an observer on the LANs heard.",
		o.Daemon, span(o.Nobody, o.Took), span(o.Both, o.Took), o.Lost, o.Sent)
	if o.Verdict != "" {
		text += " Asked at the end: " + strings.TrimRight(o.Verdict, ".") + "."
	}
	return text
}

// A turn is where a lane changes. A kind that is empty says that nothing is known from there on.
type turn struct {
	at         time.Duration
	kind, text string
}

// spans makes bars of turns: each lasts until the next one, and the last one to the end.
func (rec records) spans(turns []turn) (spans []timeline.Span) {
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	for i, t := range turns {
		from, to := max(t.at, rec.from)-rec.event, rec.to-rec.event
		if i+1 < len(turns) {
			to = min(to, turns[i+1].at-rec.event)
		}
		switch n := len(spans); {
		case t.kind == "" || from >= to:
		case n > 0 && spans[n-1].Kind == t.kind && spans[n-1].To == from:
			spans[n-1].To = to
		default:
			spans = append(spans, timeline.Span{From: from, To: to, Kind: t.kind, Text: t.text})
		}
	}
	return spans
}

// outages are the turns of whatever ends with the power, and is unknown when it is back.
func (t testimony) outages() (turns []turn) {
	for _, c := range t.power {
		if c.on {
			turns = append(turns, turn{at: c.at})
		} else {
			turns = append(turns, turn{c.at, "off", "without power"})
		}
	}
	return turns
}

// enters is the line of a transition, of either daemon; ours has its reason behind it.
const enters = `\(VI_1\) (?:Stopped|Entering (MASTER|BACKUP|FAULT) STATE)(?:.* finding=(\S+) rule=(\S+))?`

// states are the daemon's states, as it logged them.
func (t testimony) states() []turn {
	turns := t.outages()
	for _, line := range t.console {
		if m := regexp.MustCompile(enters).FindStringSubmatch(line.text); m != nil {
			state := cmp.Or(m[1], "INIT")
			turns = append(turns, turn{line.at, strings.ToLower(state), state})
		}
	}
	return turns
}

// carriers are what the router sees at its end of the cable.
func (t testimony) carriers() []turn {
	turns := t.outages()
	for _, c := range t.carrier {
		if c.on {
			turns = append(turns, turn{c.at, "up", "carrier"})
		} else {
			turns = append(turns, turn{c.at, "down", "no carrier"})
		}
	}
	return turns
}

// answers is who answered for an address.
func (rec records) answers(s segment.Service) (spans []timeline.Span) {
	for _, x := range s.Spans(rec.from, rec.to) {
		bar := timeline.Span{From: x.From - rec.event, To: x.To - rec.event, Kind: "answers", Text: strings.Join(x.Who, " and ")}
		switch len(x.Who) {
		case 0:
			bar.Kind, bar.Text = "silent", "nobody"
		case 1:
		default:
			bar.Kind = "both"
		}
		spans = append(spans, bar)
	}
	return spans
}

// losses are the times in which no packet came back.
func (rec records) losses() (spans []timeline.Span) {
	for _, x := range rec.lost {
		spans = append(spans, timeline.Span{From: x.From - rec.event, To: x.To - rec.event, Kind: "lost", Text: fmt.Sprintf("%d lost", x.Lost)})
	}
	return spans
}

// marks are what a router said of its reasons, each once.
func (rec records) marks(t testimony) (marks []timeline.Mark) {
	told := map[string]bool{}
	for _, line := range t.console {
		if line.at < rec.from || line.at > rec.to {
			continue
		}
		if text := reason(line.text); text != "" && !told[text] {
			told[text] = true
			marks = append(marks, timeline.Mark{At: line.at - rec.event, Lane: t.name, Text: text})
		}
	}
	return marks
}

// The lines of our log that give a reason without a transition.
const (
	judges = `\(VI_1\) verdict (\S+) \[(\S+)\]`
	doubts = `\(VI_1\) peer in doubt: (.+)`
	goesOn = `\(VI_1\) the heartbeat port is dark, this router serves on: ([^(]+)`
)

// reason is what a line of a log says of a transition or a verdict; empty if it is about something else.
func reason(line string) string {
	if m := regexp.MustCompile(judges).FindStringSubmatch(line); m != nil {
		return ruling(m[1], m[2])
	}
	if m := regexp.MustCompile(doubts).FindStringSubmatch(line); m != nil {
		return "in doubt: " + m[1]
	}
	if m := regexp.MustCompile(goesOn).FindStringSubmatch(line); m != nil {
		return "goes on. " + strings.TrimSpace(m[1])
	}
	if m := regexp.MustCompile(enters).FindStringSubmatch(line); m != nil && m[1] != "" {
		return strings.TrimSuffix("enters "+m[1]+": "+ruling(m[2], m[3]), ": ")
	}
	return ""
}

// ruling writes a finding with its rule. A rule may find nothing.
func ruling(finding, rule string) string {
	switch {
	case rule == "" || rule == "none":
		return strings.TrimSuffix(finding, "none")
	case finding == "none":
		return rule
	}
	return finding + " (" + rule + ")"
}
