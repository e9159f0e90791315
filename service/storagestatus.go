package service

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"standfast/hw/disk"
	"standfast/service/helper"
)

// StorageDocument is about the storage under the router.
type StorageDocument struct {
	// State is healthy, slow, failed, unknown, or unwatched: nothing is looked at, and Culprit says why.
	State    string            `json:"state"`
	Culprit  string            `json:"culprit"` // what is wrong, in a sentence; empty where nothing is
	Since    time.Time         `json:"since"`   // when it came into this state
	Resigned bool              `json:"resigned"`
	Yield    bool              `json:"yield"` // a MASTER with failed storage resigns once (storage_yield)
	Fence    FenceDocument     `json:"fence"`
	Helper   string            `json:"helper"` // there, gone or unknown
	Volumes  []VolumeDocument  `json:"volumes"`
	Skipped  []SkippedDocument `json:"not_watched"` // paths, and why not
}

// FenceDocument is about the reset of a host whose storage has failed.
type FenceDocument struct {
	After   float64 `json:"after"`   // seconds (storage_fence), 0: never
	Trouble string  `json:"trouble"` // why it could not be done; empty where it could
}

// VolumeDocument is about one file system.
type VolumeDocument struct {
	Paths    []string   `json:"paths"` // that were to be looked at and lie on it
	Mount    string     `json:"mount"`
	Type     string     `json:"type"`
	Source   string     `json:"source"`
	Devices  []string   `json:"devices"` // at the bottom
	State    string     `json:"state"`
	Culprit  string     `json:"culprit"`
	Since    time.Time  `json:"since"`
	File     string     `json:"file"`    // that is written; empty where it is only read
	Trouble  string     `json:"trouble"` // why it is not tried as it should be
	Degraded []string   `json:"degraded"`
	Read     OpDocument `json:"read"`
	Write    OpDocument `json:"write"`
}

// OpDocument is about the attempts to read or to write. Durations are in seconds.
type OpDocument struct {
	Count   uint64  `json:"count"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
	Age     float64 `json:"age"`     // since one was last done; 0: none was
	Running float64 `json:"running"` // for how long one has not been answered; 0: none waits
}

// SkippedDocument is a path that is not looked at.
type SkippedDocument struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// HelperDocument is about one of the processes beside the service.
type HelperDocument struct {
	Name    string    `json:"name"`    // launch, scripts or disk
	State   string    `json:"state"`   // there, gone or unknown
	Since   time.Time `json:"since"`   // of the state, zero where it is unknown
	Starts  uint64    `json:"starts"`  // by the launcher that is there now
	Waiting int       `json:"waiting"` // scripts that the helper has not taken
	Trouble []string  `json:"trouble"` // scripts that could not be run, and why
}

// storageDocument puts a report into the form that is shown.
func storageDocument(s Snapshot) StorageDocument {
	r := s.Storage
	d := StorageDocument{
		State: r.State.String(), Culprit: r.Culprit, Since: s.moment(r.Since), Resigned: s.Status.Storage.Resigned,
		Yield: !s.Policy.Keep, Fence: FenceDocument{After: seconds(s.Policy.Fence), Trouble: s.FenceTrouble},
		Helper: r.Helper.State(), Volumes: []VolumeDocument{}, Skipped: []SkippedDocument{},
	}
	switch {
	case r.Off:
		d.State, d.Culprit = "unwatched", "storage_watch is off"
	case r.Trouble != "":
		d.State, d.Culprit = "unwatched", r.Trouble
	}
	for _, v := range r.Volumes {
		d.Volumes = append(d.Volumes, VolumeDocument{
			Paths: v.Volume.Paths, Mount: v.Volume.Mount, Type: v.Volume.Type, Source: v.Volume.Source, Devices: v.Volume.Leaves,
			State: v.Grade.String(), Culprit: v.Culprit, Since: s.moment(v.Since), File: v.File, Trouble: v.Trouble,
			Degraded: append([]string{}, v.Degraded...), Read: s.opDocument(v.Reads), Write: s.opDocument(v.Writes),
		})
	}
	for _, x := range r.Skipped {
		d.Skipped = append(d.Skipped, SkippedDocument{Path: x.Path, Reason: x.Reason})
	}
	return d
}

// moment puts a moment of the clock that the service runs on onto the wall.
func (s Snapshot) moment(at time.Duration) time.Time {
	return s.Wall.Add(at - time.Duration(s.Now)).Round(time.Millisecond)
}

func (s Snapshot) opDocument(r opReport) OpDocument {
	since := func(at time.Duration) float64 {
		if at == 0 {
			return 0
		}
		return seconds(time.Duration(s.Now) - at)
	}
	return OpDocument{
		Count: r.Count, P50: seconds(r.P50), P99: seconds(r.P99), Max: seconds(r.Max), Age: since(r.Good), Running: since(r.Running),
	}
}

// seconds are rounded to a hundred thousandth: what a disk takes.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 1e5 }

// helperDocuments are about all processes beside the service.
func helperDocuments(s Snapshot) []HelperDocument {
	one := func(h helper.Kind, p helper.Presence) HelperDocument {
		d := HelperDocument{Name: string(h), State: p.State(), Starts: s.Launcher.Starts[h], Trouble: []string{}}
		if p.Known {
			d.Since = s.moment(p.Since)
		}
		return d
	}
	scripts := one(helper.Scripts, s.Scripts.Presence)
	scripts.Waiting, scripts.Trouble = s.Scripts.Waiting, append(scripts.Trouble, s.Scripts.Trouble...)
	return []HelperDocument{one(helper.Launcher, s.Launcher.Presence), scripts, one(helper.Disk, s.Storage.Helper)}
}

// Problems says what of the storage keeps the router from surviving the next failure.
func (d StorageDocument) Problems() (all []string) {
	switch d.State {
	case "failed":
		all = append(all, "storage has failed: "+d.Culprit)
	case "slow":
		all = append(all, "storage is slow: "+d.Culprit)
	}
	if d.Resigned {
		all = append(all, "this router has resigned because of its storage")
	}
	if d.Fence.Trouble != "" {
		all = append(all, "storage_fence cannot reset this host: "+d.Fence.Trouble)
	}
	for _, v := range d.Volumes {
		if v.Trouble != "" && v.State == "unknown" {
			all = append(all, fmt.Sprintf("storage under %s is not known: %s", strings.Join(v.Paths, " and "), v.Trouble))
		}
		for _, text := range v.Degraded {
			all = append(all, fmt.Sprintf("storage under %s: %s", strings.Join(v.Paths, " and "), text))
		}
	}
	return all
}

// Problems says what the helper's state means.
func (d HelperDocument) Problems() (all []string) {
	all = append(all, d.Trouble...)
	if d.State != "gone" {
		return all
	}
	switch helper.Kind(d.Name) {
	case helper.Scripts:
		all = append(all, "the script helper is gone: notify scripts wait")
	case helper.Disk:
		all = append(all, "the disk helper is gone: of the disks only what the kernel says is looked at")
	case helper.Launcher:
		all = append(all, "the launcher is gone: helpers that end are not started again")
	}
	return all
}

// print writes the document for a person.
func (d StorageDocument) print(b *strings.Builder) error {
	if d.State == "unwatched" {
		fmt.Fprintf(b, "\nstorage is not looked at: %s\n", d.Culprit)
		return nil
	}
	if len(d.Volumes) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nSTORAGE\tDEVICES\tSTATE\tREAD\tWRITE\tREMARKS\n")
	for _, v := range d.Volumes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", strings.Join(v.Paths, ","), strings.Join(v.Devices, ","), v.State,
			v.Read.Latencies(), v.Write.Latencies(), cmp.Or(strings.Join(v.remarks(), "; "), "-"))
	}
	return t.Flush()
}

// Latencies are the median, what one in a hundred exceeds, and the longest, in milliseconds; "-" where nothing was measured.
func (d OpDocument) Latencies() string {
	if d.Count == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f/%.1f/%.1f ms", d.P50*1000, d.P99*1000, d.Max*1000)
}

func (v VolumeDocument) remarks() (all []string) {
	for _, op := range []struct {
		kind disk.Op
		OpDocument
	}{{disk.OpRead, v.Read}, {disk.OpWrite, v.Write}} {
		switch {
		case op.Running >= 1:
			all = append(all, fmt.Sprintf("a %v waits for %.0f s", op.kind, op.Running))
		case op.Age >= 10:
			all = append(all, fmt.Sprintf("last %v %.0f s ago", op.kind, op.Age))
		}
	}
	if v.Trouble != "" {
		all = append(all, v.Trouble)
	}
	return all
}
