package verdict

import (
	"slices"
	"testing"
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
