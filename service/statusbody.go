package service

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// BodyDocument is about the hold of the process on its machine. Sizes are bytes.
type BodyDocument struct {
	Locked       string   `json:"locked"`      // what of its memory stays in memory: nothing, text, all, or "all, and filled"
	Scheduling   string   `json:"scheduling"`  // "round-robin 10", "nice -20", ordinary
	Watchdog     string   `json:"watchdog"`    // the device of watchdog_device: off, armed, or "not fed"
	Proportional uint64   `json:"pss"`         // of this process alone, its share of the executable included
	Resident     uint64   `json:"rss"`         // likewise, the whole executable included
	LockedBytes  uint64   `json:"vmlck"`       // of address space
	Collections  uint64   `json:"collections"` // of garbage, since the start
	Remarks      []string `json:"remarks"`     // what the process is refused, and the remedy
}

// LatenessDocument is how late adverts left, each against its own beat, since the
// start. Times are milliseconds.
type LatenessDocument struct {
	Adverts uint64  `json:"adverts"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	P999    float64 `json:"p99_9_ms"`
	P9999   float64 `json:"p99_99_ms"`
	Max     float64 `json:"max_ms"`
}

func bodyDocument(s Snapshot) BodyDocument {
	return BodyDocument{
		Locked: s.Body.Locked.String(), Scheduling: s.Body.Schedule.String(), Watchdog: s.Body.Watchdog,
		Proportional: s.Memory.Proportional, Resident: s.Memory.Resident, LockedBytes: s.Memory.Locked,
		Collections: s.Collections, Remarks: append([]string{}, s.Body.Remarks...),
	}
}

func latenessDocument(l lateness) LatenessDocument {
	at := func(share uint64) float64 { return milliseconds(l.quantile(share)) }
	return LatenessDocument{
		Adverts: l.total, P50: at(5000), P99: at(9900), P999: at(9990), P9999: at(9999), Max: milliseconds(l.worst),
	}
}

// milliseconds is a duration as people compare it with an interval, to the microsecond.
func milliseconds(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }

// print writes what the process has and what it achieves.
func (d NodeDocument) printBody(b *strings.Builder) {
	fmt.Fprintf(b, "\nprocess: memory locked: %s; scheduling: %s; watchdog: %s; %.1f MB\n",
		d.Body.Locked, d.Body.Scheduling, d.Body.Watchdog, float64(d.Body.Proportional)/(1<<20))
	for _, remark := range d.Body.Remarks {
		fmt.Fprintf(b, "    %s\n", remark)
	}
	if l := d.Lateness; l.Adverts > 0 {
		fmt.Fprintf(b, "adverts late, ms: p50 %g, p99 %g, p99.9 %g, p99.99 %g, max %g of %d\n", l.P50, l.P99, l.P999, l.P9999, l.Max, l.Adverts)
	}
}
