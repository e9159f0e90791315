package verdict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// TestFacts says that every fact has a word of its own, a text, and a class, and that only what is at fault here can keep a
// frame from leaving.
func TestFacts(t *testing.T) {
	words := map[string]Fact{}
	classes := map[Proof]int{}
	for f := range EveryFact() {
		if other, taken := words[f.String()]; taken || f.String() == "" || f.Text() == "" {
			t.Errorf("fact %d: word %q (also of %d), text %q", f, f, other, f.Text())
		}
		words[f.String()] = f
		classes[f.Proves()]++
		if f.Breaks() && f.Proves() != ProvesLocal {
			t.Errorf("%v keeps frames from leaving and proves %v", f, f.Proves())
		}
	}
	for _, p := range []Proof{ProvesNothing, ProvesLocal, ProvesPowered} {
		if classes[p] == 0 {
			t.Errorf("no fact proves %v", p)
		}
	}
	if f := FactNone; f.Proves() != ProvesNothing || f.Breaks() {
		t.Errorf("nothing known proves %v and breaks %v", f.Proves(), f.Breaks())
	}
	if f := numFacts; f.Proves() != ProvesNothing || f.Breaks() || f.Text() != f.String() {
		t.Errorf("a fact that is none proves something: %v", f)
	}
}

// TestFactSet says what a set of facts is.
func TestFactSet(t *testing.T) {
	s := Facts(0).With(FactNoLight, FactDetached, FactCageEmpty, FactNone, numFacts)
	if got, want := slices.Collect(s.All()), []Fact{FactDetached, FactCageEmpty, FactNoLight}; !slices.Equal(got, want) {
		t.Errorf("the set has %v, want %v", got, want)
	}
	if Facts(1<<numFacts).Has(numFacts) || slices.Contains(slices.Collect(Facts(1<<numFacts).All()), numFacts) || Facts(0).With(numFacts) != 0 {
		t.Error("what is no fact is in a set")
	}
	if s.Has(FactNone) || s.Has(numFacts) || !s.Has(FactNoLight) {
		t.Error("the set has what was never a fact, or lacks one that is")
	}
	for p, want := range map[Proof]Fact{ProvesLocal: FactDetached, ProvesPowered: FactNone, ProvesNothing: FactNoLight} {
		if got := s.First(p); got != want {
			t.Errorf("the first that proves %v is %v, want %v", p, got, want)
		}
	}
	if got := s.Broken(); got != FactDetached {
		t.Errorf("broken by %v", got)
	}
	if got := Facts(0).With(FactCageEmpty, FactRemoteFault).Broken(); got != FactNone {
		t.Errorf("broken by %v", got)
	}
	if Facts(0).First(ProvesLocal) != FactNone {
		t.Error("an empty set proves something")
	}
	for f := range s.All() {
		if f == FactCageEmpty {
			break // a walk may end early
		}
	}
}

// TestFactTable holds the committed table of facts against the facts as they are.
func TestFactTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("What hardware says, and what it proves. Written by `go test ./vrrp/verdict -update`.\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fact\tproves\tframes leave\twords")
	for f := range EveryFact() {
		leave := "yes"
		if f.Breaks() {
			leave = "no"
		}
		fmt.Fprintf(w, "%v\t%v\t%s\t%s\n", f, f.Proves(), leave, f.Text())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	committed(t, "facts.txt", b.String())
}
