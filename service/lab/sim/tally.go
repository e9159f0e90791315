package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"standfast/vrrp/world"
)

// tally sums up worlds. Its methods may be called from any goroutine.
type tally struct {
	mu    sync.Mutex
	begin time.Time
	from  uint64

	worlds, heals int
	episodes      [world.NumKinds]int
	events, steps uint64
	all, second   pace // of all worlds, and of those with advert_int 1
	bounds        []closest
	digest        uint64
	failed        []world.Result
}

// pace is how fast time passed.
type pace struct {
	simulated, worked time.Duration // worked: by one core
}

// times is how many times faster than real time one core was.
func (p pace) times() float64 {
	if p.worked == 0 {
		return 0
	}
	return p.simulated.Seconds() / p.worked.Seconds()
}

// closest is the run that came closest to a bound.
type closest struct {
	world.Bound
	seed uint64
}

func newTally(from uint64) *tally { return &tally{begin: time.Now(), from: from} }

// add takes one more world into account and returns how many have failed.
func (t *tally) add(r world.Result, worked time.Duration) (failed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.worlds++
	t.heals += r.Heals
	for k, n := range r.Episodes {
		t.episodes[k] += n
	}
	t.events += r.Events
	t.steps += r.Steps
	t.all.add(r.Simulated, worked)
	if r.Scene.Interval == time.Second {
		t.second.add(r.Simulated, worked)
	}
	t.closer(r)
	t.digest += r.Digest() // in any order
	if r.Violation != nil {
		t.failed = append(t.failed, r)
	}
	return len(t.failed)
}

func (p *pace) add(simulated, worked time.Duration) {
	p.simulated += simulated
	p.worked += worked
}

// closer remembers who came closest to each bound, and of equals the lowest seed.
func (t *tally) closer(r world.Result) {
	for k, b := range r.Bounds() {
		c := closest{b, r.Seed}
		if k == len(t.bounds) {
			t.bounds = append(t.bounds, c)
			continue
		}
		had := &t.bounds[k]
		if c.Share() > had.Share() || c.Share() == had.Share() && c.seed < had.seed {
			*had = c
		}
	}
}

// line says how far the work is.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := time.Since(t.begin)
	return fmt.Sprintf("%4.0f s  %s worlds  %s episodes  %s of simulated time  %s × real time  %d violations",
		took.Seconds(), grouped(t.worlds), grouped(t.faults()), calendar(t.all.simulated),
		grouped(t.all.simulated.Seconds()/took.Seconds()), len(t.failed))
}

func (t *tally) faults() int {
	n := 0
	for _, k := range t.episodes {
		n += k
	}
	return n
}

// print writes the figures.
func (t *tally) print(out io.Writer, workers int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := time.Since(t.begin)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	t.printEpisodes(w)
	fmt.Fprintln(w)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("worlds", "%s, seeds from %#x, in %.1f s on %d cores", grouped(t.worlds), t.from, took.Seconds(), workers)
	row("fault episodes", "%s, %s per second", grouped(t.faults()), grouped(float64(t.faults())/took.Seconds()))
	row("heals awaited", "%s", grouped(t.heals))
	row("simulated time", "%s, %s × real time", calendar(t.all.simulated), grouped(t.all.simulated.Seconds()/took.Seconds()))
	row("at advert_int 1", "%s, %s × real time per core, %s × summed over cores", calendar(t.second.simulated),
		grouped(t.second.times()), grouped(t.second.times()*float64(workers)))
	row("events", "%s, %s per second", grouped(t.events), grouped(float64(t.events)/took.Seconds()))
	row("steps of brains", "%s, %s per second", grouped(t.steps), grouped(float64(t.steps)/took.Seconds()))
	for _, c := range t.bounds {
		row("worst "+c.Invariant, "%s: %v of %v allowed, %.0f %%, seed %#x", c.Of, c.Took.Round(time.Microsecond), c.Limit, 100*c.Share(), c.seed)
	}
	row("digest", "%016x", t.digest)
	row("violations", "%d", len(t.failed))
	return w.Flush()
}

// columns is how many kinds stand side by side.
const columns = 3

// printEpisodes lists how often what went wrong, the most frequent first, down the columns.
func (t *tally) printEpisodes(w io.Writer) {
	var kinds []world.Kind
	for k := range world.NumKinds {
		kinds = append(kinds, k)
	}
	slices.SortStableFunc(kinds, func(a, b world.Kind) int { return cmp.Compare(t.episodes[b], t.episodes[a]) })
	rows := (len(kinds) + columns - 1) / columns
	widest := len(grouped(t.episodes[kinds[0]]))
	for r := range rows {
		var cells []string
		for k := r; k < len(kinds); k += rows {
			cells = append(cells, fmt.Sprintf("%*s  %s", widest, grouped(t.episodes[kinds[k]]), kinds[k]))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
}

// grouped writes a number with its thousands apart.
func grouped[N int | uint64 | float64](n N) string {
	s := strconv.FormatUint(uint64(n), 10)
	for k := len(s) - 3; k > 0; k -= 3 {
		s = s[:k] + "," + s[k:]
	}
	return s
}

// calendar writes a long time in the unit that suits it.
func calendar(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 365*day:
		return fmt.Sprintf("%.1f years", d.Hours()/24/365)
	case d >= 2*day:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	}
	return fmt.Sprintf("%.1f hours", d.Hours())
}
