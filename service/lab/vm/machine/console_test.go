package machine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestConsoleLines says lines in pieces: each has the moment at which it began.
func TestConsoleLines(t *testing.T) {
	var c console
	var before, after []time.Time // of each piece
	for _, piece := range []string{"", "one\r\ntw", "o\r", "\n", "three\n\nfi"} {
		before = append(before, time.Now())
		if n, err := c.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("%q: %d, %v", piece, n, err)
		}
		after = append(after, time.Now())
	}
	from := []int{1, 1, 4, 4, 4} // the piece with which each line begins
	var texts []string
	for i, l := range c.lines() {
		texts = append(texts, l.Text)
		if at := from[i]; l.At.Before(before[at]) || l.At.After(after[at]) {
			t.Errorf("%q is said to come at %v, and came between %v and %v", l.Text, l.At, before[at], after[at])
		}
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "", "fi"}, texts); diff != "" {
		t.Error(diff)
	}
	if got := c.text(); got != "one\r\ntwo\r\nthree\n\nfi" {
		t.Errorf("all of it: %q", got)
	}
}
