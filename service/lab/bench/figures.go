package main

import (
	"fmt"
	"slices"
	"time"

	"standfast/service/lab"
)

// figures sum up the takeovers of one kind. Times are milliseconds after the carrier dropped at the device.
type figures struct {
	Runs      int     `json:"runs"`
	Median    float64 `json:"median_ms"`
	P90       float64 `json:"p90_ms"`
	Worst     float64 `json:"worst_ms"`
	Addresses float64 `json:"median_addresses_ms"`
	Routes    float64 `json:"median_routes_ms"`
	Announced float64 `json:"median_announced_ms"`

	takeovers []lab.Takeover
}

// add takes one more takeover into account.
func (f *figures) add(t lab.Takeover) {
	f.takeovers = append(f.takeovers, t)
	f.Runs = len(f.takeovers)
	served := f.sorted(lab.Takeover.Served)
	const median = 5000
	at := func(share int, sorted []time.Duration) float64 { return milliseconds(lab.Quantile(sorted, share)) }
	f.Median, f.P90, f.Worst = at(median, served), at(9000, served), at(10_000, served)
	f.Addresses = at(median, f.sorted(func(t lab.Takeover) time.Duration { return t.Addresses }))
	f.Routes = at(median, f.sorted(func(t lab.Takeover) time.Duration { return t.Routes }))
	f.Announced = at(median, f.sorted(func(t lab.Takeover) time.Duration { return t.Announced }))
}

func (f *figures) sorted(of func(lab.Takeover) time.Duration) []time.Duration {
	var values []time.Duration
	for _, t := range f.takeovers {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return values
}

// A pause is what came of a MASTER that paused for 20 ms as the cable was cut.
type pause struct {
	Taken    bool          `json:"taken"`    // the BACKUP took over
	Recanted bool          `json:"recanted"` // and let go again, while the cable was still cut
	Both     time.Duration `json:"both_ns"`  // the longest time in which both held an address
}

// A result is everything measured.
type result struct {
	Quiet      figures  `json:"standfast"`
	Noisy      figures  `json:"standfast_after_other_carrier_change"`
	Keepalived figures  `json:"keepalived_dont_track_primary"`
	Pauses     []pause  `json:"pauses"`
	Broken     []string `json:"broken_promises"`
}

// ratio is how many times the yardstick's median is longer.
func (r result) ratio() float64 { return r.Keepalived.Median / r.Quiet.Median }

// recants counts takeovers from a paused MASTER, how many were taken back, and the longest double mastership.
func (r result) recants() (taken, recanted int, both time.Duration) {
	for _, p := range r.Pauses {
		if p.Taken {
			taken++
		}
		if p.Recanted {
			recanted++
		}
		both = max(both, p.Both)
	}
	return taken, recanted, both
}

// broken lists the promises that the figures do not keep.
func (r result) broken() []string {
	var broken []string
	for _, kind := range []struct {
		name string
		figures
	}{{"standfast", r.Quiet}, {"standfast after another port's change", r.Noisy}} {
		if kind.Runs == 0 {
			continue
		}
		if kind.Median > milliseconds(promisedMedian) || kind.Worst > milliseconds(promisedWorst) {
			broken = append(broken, fmt.Sprintf("%s: median %.1f ms and worst %.1f ms, promised are %v and %v",
				kind.name, kind.Median, kind.Worst, promisedMedian, promisedWorst))
		}
	}
	if r.Keepalived.Runs > 0 && r.Quiet.Runs > 0 && r.ratio() < promisedRatio {
		broken = append(broken, fmt.Sprintf("only %.0f times faster than keepalived, promised is %d", r.ratio(), promisedRatio))
	}
	if taken, recanted, _ := r.recants(); taken != recanted {
		broken = append(broken, fmt.Sprintf("%d of %d wrong takeovers were not recanted", taken-recanted, taken))
	}
	return broken
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
