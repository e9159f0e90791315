package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// report prints what was seen, a line for each story and daemon, and returns how many comparisons failed.
func report(out io.Writer, all []outcome) (wrong int) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nstory\tdaemon\tnobody serves\ttwo serve\tpackets lost\tmoves\twhat happened; verdict")
	for _, o := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d of %d\t%d\t%s\n", o.Story, o.Daemon, span(o.Nobody, o.Took), span(o.Both, o.Took), o.Lost, o.Sent, o.Moves,
			strings.Join(append([]string{o.Happened}, nonEmpty(o.Verdict)...), "; "))
	}
	_ = t.Flush() // of a terminal or a log
	for _, o := range all {
		for _, n := range o.Notes {
			fmt.Fprintf(out, "(%s) %s: %s\n", o.Story, o.Daemon, n)
		}
		for _, w := range o.Wrong {
			fmt.Fprintf(out, "(%s) %s: WRONG: %s\n", o.Story, o.Daemon, w)
		}
	}
	return compare(out, all)
}

// compare holds the first story against keepalived's.
func compare(out io.Writer, all []outcome) (wrong int) {
	ours, theirs := find(all, "a", standfast), find(all, "a", untracked)
	if ours == nil || theirs == nil {
		return 0
	}
	ratio := float64(theirs.Nobody) / float64(max(ours.Nobody, time.Millisecond))
	fmt.Fprintf(out, "without a master after the power-off: %v, keepalived with dont_track_primary %v: %.0f times as long\n",
		ours.Nobody.Round(time.Millisecond), theirs.Nobody.Round(time.Millisecond), ratio)
	if ratio < 10 {
		fmt.Fprintln(out, "WRONG: it was to be ten times as long at least")
		return 1
	}
	return 0
}

func find(all []outcome, story string, d daemon) *outcome {
	for i := range all {
		if all[i].Story == story && all[i].Daemon == d {
			return &all[i]
		}
	}
	return nil
}

// span writes a time; one that lasted to the end is not known to have ended.
func span(d, whole time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d > whole*9/10:
		return fmt.Sprintf("> %.0f s", d.Seconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func nonEmpty(texts ...string) (kept []string) {
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}
