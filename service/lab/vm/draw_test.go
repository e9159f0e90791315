package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/service/lab/timeline"
	"standfast/service/lab/vm/segment"
)

var update = flag.Bool("update", false, "write what is in testdata anew")

const ms = time.Millisecond

// at is a moment of an invented story, whose event is at a thousand seconds of the laboratory's clock.
func at(d time.Duration) time.Duration { return 1000*time.Second + d }

// lit is a router with power, whose cable has carrier, for long.
func lit(name string, console ...said) testimony {
	return testimony{
		name: name, console: console,
		past: past{power: []change{{at(-400 * time.Second), true}}, carrier: []change{{at(-400 * time.Second), false}, {at(-390 * time.Second), true}}},
	}
}

// served is who answered: A until a moment, from long before the story on.
func served(until time.Duration, then ...segment.Span) segment.Service {
	return segment.Service{Line: slices.Concat([]segment.Span{{From: at(-300 * time.Second), To: at(until), Who: []string{"A"}}}, then)}
}

// masterLost is invented: the MASTER's power goes, and B serves.
func masterLost() records {
	a := lit("A",
		said{at(-350 * time.Second), "[   12.345678] standfast[301]: (VI_1) Entering BACKUP STATE (init) finding=none rule=none reason=\"started; listening for a MASTER\""},
		said{at(-346 * time.Second), "[   16.345678] standfast[301]: (VI_1) Entering MASTER STATE finding=none rule=backup-1-no-doubt reason=\"nobody serves\""})
	a.power = append(a.power, change{at(0), false})
	b := lit("B",
		said{at(-340 * time.Second), "[   13.345678] standfast[302]: (VI_1) Entering BACKUP STATE (init) finding=none rule=none reason=\"started; listening for a MASTER\""},
		said{at(-200 * time.Second), "[  153.345678] standfast[302]: (VI_1) peer in doubt: said long before"},
		said{at(31 * ms), "[  354.345678] standfast[302]: (VI_1) peer in doubt: the heartbeat port lost its carrier"},
		said{at(58 * ms), "[  354.365678] standfast[302]: (VI_1) verdict peer-dead [backup-5-peer-dead]: The peer does not serve: …"},
		said{at(60 * ms), "[  354.366678] standfast[302]: (VI_1) Entering MASTER STATE finding=peer-dead rule=backup-5-peer-dead reason=\"The peer …\""},
		said{at(61 * ms), "[  354.367678] standfast-scripts[310]: Something else"},
		said{at(2 * time.Second), "[  356.345678] standfast[302]: (VI_1) verdict peer-dead [backup-5-peer-dead]: The peer does not serve: …"},
		said{at(9 * time.Second), "[  363.345678] standfast[302]: (VI_1) verdict unproven [backup-7-unproven]: said when nobody looked any more"})
	b.carrier = append(b.carrier, change{at(3 * ms), false})
	gap := []segment.Span{{From: at(0), To: at(66 * ms)}, {From: at(66 * ms), To: at(20 * time.Second), Who: []string{"B"}}}
	return records{
		from: at(-before), event: at(0), to: at(4 * time.Second), routers: []testimony{a, b}, lan: served(0, gap...), wan: served(0, gap...),
		lost: []segment.Loss{{From: at(0), To: at(80 * ms), Lost: 4}},
		out: outcome{
			Story: "a", Daemon: standfast, Happened: "the MASTER's power is off", Nobody: 66 * ms, Lost: 4, Sent: 203, Moves: 1, Took: 4100 * ms,
			Verdict: "B BACKUP→MASTER: peer-dead (backup-5-peer-dead)",
		},
	}
}

// backupLostBack is invented: the BACKUP's power goes, and is back before the end; the MASTER goes on, for a while beside the other one.
func backupLostBack() records {
	a := lit("A",
		said{at(-346 * time.Second), "standfast[301]: (VI_1) Entering MASTER STATE finding=none rule=backup-1-no-doubt reason=\"nobody serves\""},
		said{at(500 * ms), "standfast[301]: (VI_1) the heartbeat port is dark, this router serves on: Nothing shows that anybody else serves (nobody answers)."})
	a.carrier = append(a.carrier, change{at(2 * ms), false}, change{at(3 * time.Second), true})
	b := lit("B", said{at(3500 * ms), "Keepalived_vrrp[1]: (VI_1) Entering FAULT STATE"}, said{at(3800 * ms), "Keepalived_vrrp[1]: (VI_1) Stopped"})
	b.power = append(b.power, change{at(0), false}, change{at(2900 * ms), true})
	b.carrier = append(b.carrier, change{at(2900 * ms), false}, change{at(3 * time.Second), true})
	both := segment.Span{From: at(3300 * ms), To: at(5 * time.Second), Who: []string{"A", "B"}}
	return records{
		from: at(-before), event: at(0), to: at(4 * time.Second), routers: []testimony{a, b}, lan: served(3300*ms, both), wan: served(5 * time.Second),
		out: outcome{Story: "b", Daemon: keepalived, Happened: "the BACKUP's power is off", Both: 700 * ms, Sent: 203, Took: 4100 * ms},
	}
}

// TestRecording compares the files of invented stories with those that a person has looked at.
func TestRecording(t *testing.T) {
	for name, rec := range map[string]records{"master-lost": masterLost(), "backup-lost": backupLostBack()} {
		folder := t.TempDir()
		want := rec.recording(name)
		if err := save(folder, name, want); err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{".json", ".svg"} {
			got, err := os.ReadFile(filepath.Join(folder, name+end))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", name+end), got)
		}
		text, err := os.ReadFile(filepath.Join(folder, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var back timeline.Recording
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Errorf("%s is another recording once it was in a file:\n%s", name, diff)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s has changed: look at it, then go test ./service/lab/vm -run TestRecording -update\n%s", name, diff)
	}
}

func TestReason(t *testing.T) {
	for line, want := range map[string]string{
		"x[1]: (VI_1) Entering MASTER STATE finding=peer-dead rule=backup-5-peer-dead reason=\"…\"": "enters MASTER: peer-dead (backup-5-peer-dead)",
		"x[1]: (VI_1) Entering BACKUP STATE (init) finding=none rule=none reason=\"…\"":             "enters BACKUP",
		"x[1]: (VI_1) Entering FAULT STATE finding=local-fault rule=none reason=\"…\"":              "enters FAULT: local-fault",
		"Keepalived_vrrp[1]: (VI_1) Entering FAULT STATE":                                           "enters FAULT",
		"Keepalived_vrrp[1]: (VI_1): entering FAULT state (interface p4p1 IF down)":                 "",
		"x[1]: (VI_2) Entering FAULT STATE":                                                         "",
		"x[1]: (VI_1) Stopped":                                                                      "",
		"x[1]: (VI_1) verdict contested [backup-3-contested]: The peer still answers …":             "contested (backup-3-contested)",
		"x[1]: (VI_1) verdict none [master-3-unrivalled]: Nothing shows …":                          "master-3-unrivalled",
		"x[1]: (VI_1) peer in doubt: it is silent":                                                  "in doubt: it is silent",
		"x[1]: (VI_1) the heartbeat port is dark, this router serves on: Nothing shows (at all).":   "goes on. Nothing shows",
	} {
		if got := reason(line); got != want {
			t.Errorf("%s: %q, and %q was expected", line, got, want)
		}
	}
}

// TestNoPicture draws nothing where there is nothing to draw, or nowhere to draw it.
func TestNoPicture(t *testing.T) {
	folder := t.TempDir()
	for _, w := range []watch{
		{to: time.Second, out: outcome{Story: "k", Daemon: standfast}}, // it has no picture
		{out: outcome{Story: "a", Daemon: standfast}},                  // it broke off
	} {
		if err := w.draw(folder); err != nil {
			t.Error(err)
		}
	}
	w := watch{to: time.Second, out: outcome{Story: "a", Daemon: standfast}}
	if err := w.draw(""); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestPictures holds the table against the stories, and the page against the table.
func TestPictures(t *testing.T) {
	page, err := os.ReadFile("../../../docs/stories.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	names := map[string]bool{}
	for _, p := range pictures {
		i := slices.IndexFunc(stories(), func(s story) bool { return s.key == p.story })
		if i < 0 || !slices.Contains(stories()[i].daemons, p.daemon) {
			t.Errorf("%s is of a story that is not told: %s with %s", p.name, p.story, p.daemon)
		}
		if names[p.name] {
			t.Errorf("two pictures are %s", p.name)
		}
		names[p.name] = true
		shown += bytes.Count(page, []byte("("+p.name+".svg)"))
	}
	if all := bytes.Count(page, []byte(".svg)")); shown != all || all == 0 {
		t.Errorf("of %d pictures on the page, %d are drawn", all, shown)
	}
}
