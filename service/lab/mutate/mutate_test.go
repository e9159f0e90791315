package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/sample/outcomes.txt; commit only what you understand")

// TestSample mutates a package of which it is known what its tests notice: every mutation with what became of it.
func TestSample(t *testing.T) {
	p, err := load("testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	x, err := prepare(mutate(p), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	became := map[int]outcome{}
	x.tryAll(x.mutations, func(m mutation, o outcome) { became[m.id] = o })
	var got strings.Builder
	for _, m := range x.mutations {
		fmt.Fprintf(&got, "%-11s %v\n", [...]string{killed: "killed", survived: "SURVIVED", notReached: "NOT REACHED"}[became[m.id]], m)
	}
	for _, m := range x.excluded {
		fmt.Fprintf(&got, "%-11s %v\n", "excluded", m)
	}
	const name = "testdata/sample/outcomes.txt"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("other outcomes than expected (-want +got); -update rewrites %s:\n%s", name, diff)
	}
}

func TestEditsNest(t *testing.T) {
	edits := []edit{
		{at: 0, text: "outer("}, {at: 3, text: ")outer", closing: true},
		{at: 0, text: "inner("}, {at: 1, text: ")inner", closing: true},
		{at: 1, remove: 1, text: ","},
		{at: 2, text: "other("}, {at: 3, text: ")other", closing: true},
	}
	if got, want := apply("a+b", edits), "outer(inner(a)inner,other(b)other)outer"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestKnownSurvivors(t *testing.T) {
	list, err := readKnown(strings.NewReader(`# a comment
package one
f: a < b: < becomes <=
g: a < b: < becomes <=
	equivalent: a is never b

package two
f: x: removed
	only text
	for people
`))
	if err != nil {
		t.Fatal(err)
	}
	want := known{
		"one": {"f: a < b: < becomes <=": "equivalent: a is never b", "g: a < b: < becomes <=": "equivalent: a is never b"},
		"two": {"f: x: removed": "only text for people"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	alive := []mutation{
		{function: "f", code: "a < b", change: "< becomes <="},
		{function: "h", code: "x", change: "removed"},
	}
	unlisted, stale := list.compare("one", alive)
	if len(unlisted) != 1 || unlisted[0].function != "h" {
		t.Errorf("unlisted %v, want h", unlisted)
	}
	if diff := cmp.Diff([]string{"g: a < b: < becomes <="}, stale); diff != "" {
		t.Errorf("stale -want +got:\n%s", diff)
	}
}

func TestKnownSurvivorsNeedReasons(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"none at the end", "package one\nf: a: removed\n", "has no reason"},
		{"none before the next package", "package one\nf: a: removed\npackage two\n", "has no reason"},
		{"for nothing", "package one\n\tbecause\n", "without a mutation"},
		{"outside of a package", "f: a: removed\n\tbecause\n", "stands above any"},
		{"twice", "package one\nf: a: removed\n\tbecause\nf: a: removed\n\tbecause\n", "listed twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := readKnown(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want something with %q", err, test.want)
			}
		})
	}
}

// TestCommittedList reads the list that the command compares with.
func TestCommittedList(t *testing.T) {
	file, err := os.Open(filepath.Join("../../..", survivors))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := readKnown(file); err != nil {
		t.Error(err)
	}
}

// TestFakeDefect has a simulator that looks at one number only: the defect is caught, by its name and by no other.
func TestFakeDefect(t *testing.T) {
	list, err := readDefects("testdata/defects")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d defects, %v", len(list), err)
	}
	const program = "service/lab/mutate/testdata/sim"
	d := list[0]
	said, err := d.hunt("../../..", program, time.Second)
	if err != nil || !strings.HasPrefix(said, "violation I3 seed") {
		t.Errorf("%q, %v", said, err)
	}
	d.caughtBy = "I1"
	if said, err := d.hunt("../../..", program, time.Second); err == nil || !strings.Contains(err.Error(), "I1 was to catch it") {
		t.Errorf("caught by the wrong name: %q, %v", said, err)
	}
	d.hunks[0].new = d.hunks[0].old
	if said, err := d.hunt("../../..", program, time.Second); err == nil || !strings.Contains(err.Error(), "nothing was found") {
		t.Errorf("a defect that is none was caught: %q, %v", said, err)
	}
}

func TestDefectIsAppliedWhereItStandsNow(t *testing.T) {
	d, err := parseDefect("x", "breaks: order\ncaught-by: I1\n--- a/f\n+++ b/f\n@@ -5,1 +5,1 @@\n-two\n+TWO\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, want string }{
		{"one\ntwo\nthree", "one\nTWO\nthree"},
		{"two\n\n\n\n\ntwo\n\n\n\ntwo", "two\n\n\n\n\nTWO\n\n\n\ntwo"},
		{"one\nthree", ""},
	} {
		if got, err := d.apply(test.text); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q becomes %q, %v, want %q", test.text, got, err, test.want)
		}
	}
}

func TestDefectsNeedAHead(t *testing.T) {
	const diff = "--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-a\n+b\n"
	for _, text := range []string{"", diff, "breaks: x\n" + diff, "caught-by: I1\n" + diff, "breaks: x\ncaught-by: I1\n"} {
		if _, err := parseDefect("x", text); err == nil {
			t.Errorf("%q was taken for a defect", text)
		}
	}
}

// TestDefectsFit holds the deliberate defects to the code as it is now.
func TestDefectsFit(t *testing.T) {
	const root = "../../.."
	list, err := readDefects(filepath.Join(root, defects))
	if err != nil || len(list) < 10 {
		t.Fatalf("%d defects, %v; want ten at least", len(list), err)
	}
	for _, d := range list {
		text, err := os.ReadFile(filepath.Join(root, d.path))
		if err != nil {
			t.Errorf("%s: %v", d.name, err)
			continue
		}
		if wrong, err := d.apply(string(text)); err != nil || wrong == string(text) {
			t.Errorf("%s changes nothing: %v", d.name, err)
		}
	}
}

// TestDefects applies three of the deliberate defects to the simulated world, each named by another invariant; the
// command applies all of them.
func TestDefects(t *testing.T) {
	const root = "../../.."
	list, err := readDefects(filepath.Join(root, defects))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"heartbeat-is-fault", "long-lease", "never-recants"} {
		t.Run(name, func(t *testing.T) {
			at := slices.IndexFunc(list, func(d defect) bool { return d.name == name })
			if at < 0 {
				t.Fatal("there is no such defect")
			}
			if _, err := list[at].hunt(root, simulator, hunt); err != nil {
				t.Error(err)
			}
		})
	}
}
