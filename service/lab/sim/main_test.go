package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"standfast/vrrp/world"
)

// sim runs the program with flags.
func sim(t *testing.T, ctx context.Context, args ...string) (status int, out, complaints string) {
	t.Helper()
	var o, c bytes.Buffer
	status = run(ctx, args, &o, &c)
	return status, o.String(), c.String()
}

var digestLine = regexp.MustCompile(`(?m)^digest .*$`)

// TestSameSeedsSameDigest runs a few worlds twice, side by side as the cores have it.
func TestSameSeedsSameDigest(t *testing.T) {
	var digests [2]string
	for k := range digests {
		_, out, complaints := sim(t, t.Context(), "-seeds", "12", "-from", "0x100", "-violations", "1000", "-stories", t.TempDir())
		digests[k] = digestLine.FindString(out)
		if digests[k] == "" || !strings.Contains(out, "worlds           12, seeds from 0x100") {
			t.Fatalf("no figures:\n%s%s", out, complaints)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two runs of the same seeds: %s, then %s", digests[0], digests[1])
	}
	_, out, _ := sim(t, t.Context(), "-seeds", "12", "-from", "0x101", "-violations", "1000", "-stories", t.TempDir())
	if digestLine.FindString(out) == digests[0] {
		t.Error("other seeds have the same digest")
	}
}

// TestUntilTimeIsUp ends by the clock, or sooner if it is interrupted.
func TestUntilTimeIsUp(t *testing.T) {
	status, out, complaints := sim(t, t.Context(), "-for", "1ms", "-violations", "1000", "-stories", t.TempDir())
	if !strings.Contains(out, "\nworlds  ") {
		t.Errorf("no figures, exit %d:\n%s%s", status, out, complaints)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status, out, _ := sim(t, ctx, "-for", "1h"); status != 0 || !strings.Contains(out, "worlds           0,") {
		t.Errorf("interrupted at once: exit %d\n%s", status, out)
	}
}

// TestOneSeed prints a story that reads back, and whose replay is the same.
func TestOneSeed(t *testing.T) {
	folder := t.TempDir()
	status, told, _ := sim(t, t.Context(), "-seed", "0x2a", "-stories", folder)
	told, _, _ = strings.Cut(told, "\nviolation ")
	story, err := world.ParseStory(told)
	if err != nil || story.Scene.Seed != 42 {
		t.Fatalf("read back: %v\n%s", err, told)
	}
	file := filepath.Join(folder, "a.story")
	if err := os.WriteFile(file, []byte(told), 0o600); err != nil {
		t.Fatal(err)
	}
	again, retold, complaints := sim(t, t.Context(), "-story", file)
	if again != status || strings.TrimSpace(retold) != strings.TrimSpace(told) {
		t.Errorf("exit %d, then %d; a replay differs:\n%s%s", status, again, retold, complaints)
	}
}

// TestAll prints far more, of the same story.
func TestAll(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "a.story")
	if err := os.WriteFile(file, []byte("scene seed=7\n40s B's process is stopped for 16ms\n60s heal\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, few, _ := sim(t, t.Context(), "-story", file)
	_, many, _ := sim(t, t.Context(), "-all", "-story", file)
	for _, want := range []string{" A -> SendAdvert{", " B <- Frame{", " B <- Expired{", "B's process is stopped for 16ms"} {
		if !strings.Contains(many, want) {
			t.Errorf("-all does not tell of %q", want)
		}
	}
	if len(few) > len(many)/10 {
		t.Errorf("-all tells %d bytes, and without it there are %d", len(many), len(few))
	}
	if _, of, _ := sim(t, t.Context(), "-all", "-seed", "7", "-stories", folder); !strings.Contains(of, " A -> SendAdvert{") {
		t.Error("-all does not tell of a seed")
	}
}

func TestMisused(t *testing.T) {
	for _, c := range []struct{ flags, want string }{
		{"-seeds -1", "invalid value"},
		{"-seed x", "invalid value"},
		{"-seed 1 -story a", "expected one of them"},
		{"-violations 0", "expected 1 or more"},
		{"-for -1s", "expected a time to come"},
		{"worlds", "expected flags only"},
	} {
		status, _, complaints := sim(t, t.Context(), strings.Fields(c.flags)...)
		if status != 2 || !strings.Contains(complaints, c.want) {
			t.Errorf("%s: exit %d, %q; want 2 and %q", c.flags, status, complaints, c.want)
		}
	}
	if status, _, complaints := sim(t, t.Context(), "-story", filepath.Join(t.TempDir(), "none")); status != 1 || !strings.Contains(complaints, "no such file") {
		t.Errorf("a story that is not there: exit %d, %q", status, complaints)
	}
	if status, _, _ := sim(t, t.Context(), "-h"); status != 0 {
		t.Errorf("-h: exit %d, want 0", status)
	}
}

// TestReport writes the story of a violation to a file that says what it is and reads back.
func TestReport(t *testing.T) {
	p := plan{stories: filepath.Join(t.TempDir(), "new")}
	r := world.Result{Seed: 3, Violation: &world.Violation{Invariant: "I1", At: 30 * time.Second, Text: "both serve"}}
	var out bytes.Buffer
	if err := p.report(r, &out); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(p.stories, "I1-0x3.story")
	if want := "violation I1 seed 0x3: I1 at 30s: both serve\n  shrunk to " + name + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := world.ParseStory(string(text)); err != nil || !strings.HasPrefix(string(text), "# Seed 0x3 violated I1 at 30s: both serve\nscene seed=") {
		t.Errorf("the file does not say what it is: %v\n%s", err, text)
	}
}

func TestTally(t *testing.T) {
	var a, b world.Result
	a.Seed, a.Scene, a.Simulated, a.Events = 1, world.DrawScene(1), time.Hour, 1000
	a.Episodes[world.PowerOff], a.Worst.Both = 3, world.Closest{Took: time.Millisecond, Limit: time.Second}
	b.Seed, b.Scene, b.Simulated, b.Heals = 2, world.DrawScene(1), time.Hour, 2
	b.Episodes[world.Hang], b.Worst.Both = 5, world.Closest{Took: 2 * time.Millisecond, Limit: time.Second}
	b.Violation = &world.Violation{Invariant: "I7"}
	one, two := newTally(0), newTally(0)
	one.add(a, time.Second)
	if failed := one.add(b, time.Second); failed != 1 {
		t.Errorf("%d failed, want 1", failed)
	}
	two.add(b, time.Second)
	two.add(a, time.Second)
	if one.digest != two.digest || one.bounds[0] != two.bounds[0] || one.bounds[0].seed != 2 {
		t.Error("the order in which worlds end matters")
	}
	if one.worlds != 2 || one.faults() != 8 || one.heals != 2 || one.all.simulated != 2*time.Hour || one.all.times() != 3600 {
		t.Errorf("summed up wrongly: %+v", one)
	}
	var out bytes.Buffer
	if err := one.print(&out, 2); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "5  hang ") || !strings.Contains(out.String(), "\nviolations       1\n") {
		t.Errorf("printed\n%s", out.String())
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{90 * time.Minute: "1.5 hours", 60 * time.Hour: "2.5 days", 2 * 8760 * time.Hour: "2.0 years"} {
		if got := calendar(d); got != want {
			t.Errorf("calendar(%v) = %s, want %s", d, got, want)
		}
	}
}
