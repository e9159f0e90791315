package verdict

import "testing"

// TestRetire says that a MASTER resigns in exactly one case, on nothing that is not known, and that its storage alone makes a fault.
func TestRetire(t *testing.T) {
	size := 0
	for f := range everyFitness() {
		size++
		v := Retire(f)
		resigns := f.Storage == StorageFailed && f.Peer == TriYes && f.Spent == TriNo && f.Keep != TriYes
		if resigns != (v.Act == Resign) || !resigns && v.Act != Stay {
			t.Errorf("%v: %v, %v", f, v.Rule, v.Act)
		}
		if failed := f.Storage == StorageFailed; failed != (v.Finding == LocalFault) || !failed && v.Finding != None {
			t.Errorf("%v: %v", f, v.Finding)
		}
		if v.Fitness != f || v.Evidence != (Evidence{}) || v.Rivalry != (Rivalry{}) {
			t.Errorf("%v: the verdict carries %+v", f, v)
		}
	}
	if size != fitnessSize {
		t.Errorf("visited %d fitnesses, want %d", size, fitnessSize)
	}
}

// TestRetireAgainstProse holds the table against the rules written a second time.
func TestRetireAgainstProse(t *testing.T) {
	for f := range everyFitness() {
		want := StorageResign
		switch {
		case f.Storage == StorageUnknown || f.Storage == StorageSound:
			want = StorageFit
		case f.Keep == TriYes:
			want = StorageKept
		case f.Spent == TriYes || f.Spent == TriUnknown:
			want = StorageSpent
		case f.Peer == TriNo || f.Peer == TriUnknown:
			want = StorageAlone
		}
		if got := Retire(f).Rule; got != want {
			t.Errorf("%v: %v, the prose says %v", f, got, want)
		}
	}
}
