package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/service/lab/vm/segment"
)

// line is a service of spans of a second each: "A" and "B" are who serves, "+" is both, "." is nobody.
func line(spans string) (s segment.Service) {
	who := map[rune][]string{'A': {"A"}, 'B': {"B"}, '+': {"A", "B"}, '.': nil}
	for i, r := range spans {
		from := time.Duration(i) * time.Second
		s.Line = append(s.Line, segment.Span{From: from, To: from + time.Second, Who: who[r]})
	}
	return s
}

func TestAlone(t *testing.T) {
	const from, to = 2 * time.Second, 3 * time.Second
	for _, c := range []struct{ lan, wan, want string }{
		{"A.A", "..A", "A"},
		{"AAB", "AAB", "B"},
		{"AAA", "AAB", ""},
		{"AAA", "AA.", ""},
		{"AA.", "AA.", ""},
		{"AA+", "AAA", ""},
		{"AAA", "AA+", ""},
		{"AA", "AAA", ""}, // of the LAN nothing is known
		{"AAA", "", ""},
	} {
		if got := alone(from, to, line(c.lan), line(c.wan)); got != c.want {
			t.Errorf("LAN %s, WAN %s: %q serves alone, want %q", c.lan, c.wan, got, c.want)
		}
	}
	if got := alone(from-1, to, line("A.B"), line("B.B")); got != "" {
		t.Errorf("somebody else served a moment before, and %q serves alone", got)
	}
}

// TestMeasure: what was worse of LAN and WAN counts, and what was not seen is not taken for peace.
func TestMeasure(t *testing.T) {
	const from, to = time.Second, 5 * time.Second
	pings := segment.Pings{Until: time.Minute}
	for i := range 60 { // one in each tenth of a second; those of the second second are lost
		at := time.Duration(i) * 100 * time.Millisecond
		pings.Echoes = append(pings.Echoes, segment.Echo{Sent: at, Answered: at < 2*time.Second || at >= 3*time.Second, Took: time.Millisecond})
	}
	for _, c := range []struct {
		lan, wan string
		pings    segment.Pings
		want     outcome
	}{
		{"AAAAAA", "AAAAAA", pings, outcome{Lost: 10, Sent: 40}},
		{"AA.BBB", "AAABBB", pings, outcome{Nobody: time.Second, Moves: 1, Lost: 10, Sent: 40}},
		{"AAABBB", "AA..BB", pings, outcome{Nobody: 2 * time.Second, Moves: 1, Lost: 10, Sent: 40}},
		{"AA++BA", "AAAAAA", pings, outcome{Both: 2 * time.Second, Moves: 2, Lost: 10, Sent: 40}},
		{".AAAA.", "BAAAA+", pings, outcome{Lost: 10, Sent: 40}}, // before and afterwards
		{"......", "AAAAAA", segment.Pings{}, outcome{Nobody: 4 * time.Second, Wrong: []string{"no packet was sent"}}},
		{"", "AAAAAA", pings, outcome{Lost: 10, Sent: 40, Wrong: []string{"it is not known who served"}}},
	} {
		got := outcome{}
		got.measure(from, to, c.pings, line(c.lan), line(c.wan))
		c.want.Took = to - from
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("LAN %q, WAN %q:\n%s", c.lan, c.wan, diff)
		}
	}
}

// TestJudgement: each thing that may not happen is caught alone, and with its figures.
func TestJudgement(t *testing.T) {
	const bound = 100 * time.Millisecond
	for _, c := range []struct {
		name                 string
		o                    outcome
		still, quiet, within bool // that find it wrong
	}{
		{"nothing", outcome{Sent: 100}, false, false, false},
		{"a packet is lost", outcome{Lost: 1}, true, true, false},
		{"a move", outcome{Moves: 1}, true, true, false},
		{"a daemon's state", outcome{Entered: []string{"B FAULT"}}, true, false, false},
		{"a stumble", outcome{Nobody: bound}, false, false, false},
		{"the longest stumble", outcome{Nobody: stumble}, false, false, true},
		{"nobody for longer", outcome{Nobody: stumble + 1}, true, true, true},
		{"both for a moment", outcome{Both: 1}, true, true, false},
		{"both within bounds", outcome{Both: bound}, true, true, false},
		{"both for longer", outcome{Both: bound + 1}, true, true, true},
		{"nobody for longer than bounds", outcome{Nobody: bound + 1}, false, false, true},
	} {
		for name, j := range map[string]struct {
			judge func(*outcome)
			wrong bool
		}{
			"still": {(*outcome).still, c.still}, "quiet": {(*outcome).quiet, c.quiet},
			"within": {func(o *outcome) { o.within(bound, bound) }, c.within},
		} {
			o := c.o
			j.judge(&o)
			if (len(o.Wrong) > 0) != j.wrong || j.wrong && !strings.Contains(o.Wrong[0], o.figures()) {
				t.Errorf("%s is %s: %q", c.name, name, o.Wrong)
			}
		}
	}
}

// TestVerdict: a transition counts if it is one of the story, by the machine's own clock, which is not the laboratory's.
func TestVerdict(t *testing.T) {
	const document = `{"time": "2001-02-03T04:05:16Z", "instances": [{"state": "MASTER", "reason": "as it was", "verdict": {"finding": "%s", "rule": "now"},
		"transitions": [{"time": "2001-02-03T04:05:%s", "from": "BACKUP", "to": "MASTER", "verdict": {"finding": "peer-dead", "rule": "then"}}]}]}`
	for _, c := range []struct{ finding, second, want string }{
		{"peer-alive", "15Z", "B BACKUP→MASTER: peer-dead (then)"},
		{"peer-alive", "06.001Z", "B BACKUP→MASTER: peer-dead (then)"},
		{"peer-alive", "05Z", "B stays MASTER: peer-alive (now)"},
		{"none", "05Z", "B stays MASTER: as it was"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, _, b := pairOfToys(t)
			b.script = func(context.Context, string) (string, error) { return fmt.Sprintf(document, c.finding, c.second), nil }
			w := l.watch("a", standfast)
			time.Sleep(10 * time.Second)
			w.verdict(t.Context(), l.b)
			if w.out.Verdict != "" {
				t.Errorf("a router without our daemon has a verdict: %q", w.out.Verdict)
			}
			l.b.runs = standfast
			w.verdict(t.Context(), l.b)
			if w.out.Verdict != c.want || len(w.out.Wrong) > 0 {
				t.Errorf("%s: %q, %q, want %q", c.second, w.out.Verdict, w.out.Wrong, c.want)
			}
			b.script = func(context.Context, string) (string, error) { return `{"instances": []}`, nil }
			if w.verdict(t.Context(), l.b); len(w.out.Wrong) != 1 {
				t.Errorf("a service without an instance is not wrong: %q", w.out.Wrong)
			}
		})
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		after := func(d time.Duration) func() bool { return func() bool { return time.Since(began) >= d } }
		if err := until(t.Context(), time.Minute, "it comes", after(0)); err != nil || time.Since(began) != 0 {
			t.Errorf("what holds already: %v after %v", err, time.Since(began))
		}
		if err := until(t.Context(), time.Minute, "it comes", after(time.Second)); err != nil || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("what comes about: %v after %v", err, time.Since(began))
		}
		began = time.Now()
		err := until(t.Context(), 2*time.Second, "it comes", after(time.Hour))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not within 2s: it comes") || time.Since(began) != 2*time.Second {
			t.Errorf("what does not: %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := until(ctx, time.Minute, "it comes", after(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
		if err := lookOn(ctx, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted while looking on: %v", err)
		}
		began = time.Now()
		if err := lookOn(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("looked on for %v (%v)", time.Since(began), err)
		}
	})
}

// TestReport prints a table that people know by sight; -update writes it anew.
func TestReport(t *testing.T) {
	all := []outcome{
		{Story: "c", Daemon: standfast, Happened: "the cable is out", Sent: 400, Took: 8 * time.Second, Verdict: "B stays BACKUP: peer-alive (backup-3)"},
		{Story: "a", Daemon: standfast, Happened: "power off", Nobody: 200 * time.Millisecond, Sent: 500, Lost: 11, Moves: 1, Took: 5 * time.Second,
			Verdict: "B BACKUP→MASTER: peer-dead (backup-5)", Notes: []string{"a note"}},
		{Story: "a", Daemon: keepalived, Happened: "power off", Nobody: 19 * time.Second, Sent: 1000, Lost: 1000, Took: 20 * time.Second},
		{Story: "a", Daemon: untracked, Happened: "power off", Nobody: 3600 * time.Millisecond, Sent: 500, Lost: 180, Moves: 1, Took: 8 * time.Second},
		{Story: "e1", Daemon: standfast, Happened: "the disk hangs", Both: 1500 * time.Millisecond, Sent: 500, Took: 20 * time.Second, Wrong: []string{"two served"}},
	}
	var out bytes.Buffer
	if wrong := report(&out, all); wrong != 0 {
		t.Errorf("%d comparisons are wrong", wrong)
	}
	const golden = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestCompare: ten times as long is the promise, and without keepalived's row there is nothing to compare.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		ours, theirs time.Duration
		wrong        int
		says         string
	}{
		{200 * time.Millisecond, 3600 * time.Millisecond, 0, "18 times"},
		{200 * time.Millisecond, 2 * time.Second, 0, "10 times"},
		{200 * time.Millisecond, 2*time.Second - 1, 1, "WRONG"},
		{0, 3 * time.Second, 0, "3000 times"},
		{200 * time.Millisecond, 0, 1, "WRONG"},
	} {
		all := []outcome{{Story: "b", Daemon: untracked}, {Story: "a", Daemon: standfast, Nobody: c.ours}, {Story: "a", Daemon: untracked, Nobody: c.theirs}}
		var out strings.Builder
		if wrong := compare(&out, all); wrong != c.wrong || !strings.Contains(out.String(), c.says) {
			t.Errorf("%v and %v: %d is wrong: %s", c.ours, c.theirs, wrong, out.String())
		}
		for _, part := range [][]outcome{all[:2], all[2:]} {
			if wrong := compare(&out, part); wrong != 0 {
				t.Errorf("nothing to compare, and %d is wrong", wrong)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		d, whole time.Duration
		want     string
	}{
		{0, time.Minute, "0"},
		{999 * time.Millisecond, time.Minute, "999 ms"},
		{time.Second, time.Minute, "1.0 s"},
		{54 * time.Second, time.Minute, "54.0 s"},
		{55 * time.Second, time.Minute, "> 55 s"},
	} {
		if got := span(c.d, c.whole); got != c.want {
			t.Errorf("%v of %v is %q, want %q", c.d, c.whole, got, c.want)
		}
	}
}
