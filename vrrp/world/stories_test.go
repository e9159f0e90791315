package world

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the stories with what happens now; commit only what you understand")

// TestStories replays every story that is kept: what once failed holds, and goes as it is written.
func TestStories(t *testing.T) {
	names, err := filepath.Glob("testdata/stories/*.story")
	if err != nil || len(names) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".story"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			now, r, err := Replay(string(text))
			switch {
			case err != nil:
				t.Fatalf("%s: %v", name, err)
			case r.Violation != nil:
				t.Errorf("violated %s", r.Violation)
			case !strings.HasPrefix(now, "#"):
				t.Error("it begins without a comment that says what it once showed")
			}
			if *update {
				if err := os.WriteFile(name, []byte(now), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if line, was, is := firstDifference(string(text), now); line > 0 {
				t.Errorf("%s:%d: what happens is another story now; -update writes it down\n was %s\n  is %s", name, line, was, is)
			}
		})
	}
}

// firstDifference is the number of the first line, from 1, in which two texts differ, and both lines.
func firstDifference(a, b string) (line int, was, is string) {
	old, now := strings.Split(a, "\n"), strings.Split(b, "\n")
	for k := range max(len(old), len(now)) {
		was, is = "(nothing)", "(nothing)"
		if k < len(old) {
			was = old[k]
		}
		if k < len(now) {
			is = now[k]
		}
		if was != is {
			return k + 1, was, is
		}
	}
	return 0, "", ""
}

func TestFirstDifference(t *testing.T) {
	for _, c := range []struct {
		a, b string
		line int
	}{{"", "", 0}, {"a\nb", "a\nb", 0}, {"a\nb", "a\nc", 2}, {"a", "a\nb", 2}, {"a\nb", "a", 2}, {"x", "y", 1}} {
		if line, _, _ := firstDifference(c.a, c.b); line != c.line {
			t.Errorf("%q and %q differ in line %d, want %d", c.a, c.b, line, c.line)
		}
	}
}
