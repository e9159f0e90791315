package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestListed(t *testing.T) {
	got := listed("ok  \tm/none\t0.1s\nFuzzA\nFuzzB\nok  \tm/two\t0.003s\n?   \tm/empty\t[no test files]\nTestFuzz\nFuzzC\nok  \tm/one\t(cached)\n")
	want := []target{{"m/two", "FuzzA"}, {"m/two", "FuzzB"}, {"m/one", "FuzzC"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p := plan{names: []string{"FuzzC", "FuzzA"}}
	if got, err := p.choose(want); err != nil || !slices.Equal(got, []target{want[2], want[0]}) {
		t.Errorf("chosen %v, %v", got, err)
	}
	p.names = []string{"FuzzX"}
	if _, err := p.choose(want); err == nil || !strings.Contains(err.Error(), "FuzzA, FuzzB, FuzzC") {
		t.Errorf("a target that does not exist: %v", err)
	}
}

func TestRead(t *testing.T) {
	good := "fuzz: elapsed: 0s, gathering baseline coverage: 0/5 completed\nfuzz: elapsed: 3s, execs: 10 (3/sec), new interesting: 1 (total: 6)\n" +
		"fuzz: elapsed: 1m0s, execs: 407549 (27402/sec), new interesting: 24 (total: 51)\nPASS\nok  \tm/p\t60.1s\n"
	bad := "fuzz: elapsed: 3s, execs: 99 (33/sec), new interesting: 2 (total: 3)\nfuzz: minimizing 236-byte failing input file\n--- FAIL: FuzzA (0.04s)\n" +
		"    --- FAIL: FuzzA (0.00s)\n        a_test.go:7: no\n    \n    Failing input written to testdata/fuzz/FuzzA/76a9\nFAIL\nexit status 1\nFAIL\tm/p\t0.05s\n"
	for _, test := range []struct {
		text string
		want result
	}{
		{good, result{executions: 407549, fresh: 24}},
		{bad, result{99, 2, "    --- FAIL: FuzzA (0.00s)\n        a_test.go:7: no\n    \n    Failing input written to testdata/fuzz/FuzzA/76a9"}},
		{"--- FAIL: FuzzA (0.04s)\nFAIL\n", result{failure: "    it says nothing"}},
		{"# m/p\n./a.go:1:1: syntax error\nFAIL\tm/p [build failed]\n", result{}},
	} {
		if diff := cmp.Diff(test.want, read(test.text), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	}
}

func TestCovered(t *testing.T) {
	got := slices.Sorted(maps.Keys(covered("mode: set\nm/a.go:1.2,3.4 5 1\nm/a.go:5.6,7.8 1 0\nm/a.go:9.1,9.2 2 10\n\n")))
	if want := []string{"m/a.go:1.2,3.4", "m/a.go:9.1,9.2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSmall(t *testing.T) {
	folder := t.TempDir()
	for name, size := range map[string]int{"c": 3, "a": 5, "b": 3, "large": maxBytes + 1} {
		if err := os.WriteFile(filepath.Join(folder, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := small(folder)
	for k := range got {
		got[k] = filepath.Base(got[k])
	}
	if want := []string{"b", "c", "a"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got, err := small(filepath.Join(folder, "missing")); got != nil || err != nil {
		t.Errorf("of no folder: %q, %v", got, err)
	}
}

func TestParse(t *testing.T) {
	p, err := parse([]string{"-for", "10m", "-parallel", "3", "-keep", "FuzzA"})
	want := plan{each: 10 * time.Minute, workers: 3, keep: true, names: []string{"FuzzA"}}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(plan{})); err != nil || diff != "" {
		t.Errorf("%v, plan (-want +got):\n%s", err, diff)
	}
	for _, args := range [][]string{{"-for", "-1s"}, {"-parallel", "0"}, {"-for", "long"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// TestFuzz fuzzes a small tree that has one target with a defect and one without: the first fails and leaves its input, of the
// second the inputs that reach its code are kept.
func TestFuzz(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and fuzzes for some seconds")
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"m.go":   "package m\n\nfunc Bad(b []byte) bool { return len(b) > 2 && b[0] == 7 }\n\nfunc Good(b []byte) int {\n\tif len(b) > 0 && b[0] == 'x' {\n\t\treturn 1\n\t}\n\treturn 0\n}\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc FuzzBad(f *testing.F) {\n\tf.Add([]byte{7})\n\tf.Fuzz(func(t *testing.T, b []byte) {\n\t\tif Bad(b) {\n\t\t\tt.Fatal(\"found\")\n\t\t}\n\t})\n}\n\n" +
			"func FuzzGood(f *testing.F) {\n\tf.Add([]byte(\"y\"))\n\tf.Fuzz(func(t *testing.T, b []byte) {\n\t\tif Good(b) > 1 {\n\t\t\tt.Fatal(\"never\")\n\t\t}\n\t})\n}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "-buildvcs=false")
	var out strings.Builder
	if status := run([]string{"-for", "5s", "-parallel", "1", "-keep"}, &out); status != 1 {
		t.Errorf("status %d, want 1:\n%s", status, out.String())
	}
	if !strings.Contains(out.String(), "found") || !strings.Contains(out.String(), "FuzzGood") {
		t.Errorf("it says:\n%s", out.String())
	}
	for _, name := range []string{"FuzzBad", "FuzzGood"} {
		if found, _ := filepath.Glob("testdata/fuzz/" + name + "/*"); len(found) != 1 {
			t.Errorf("%s left %q", name, found)
		}
	}
}
