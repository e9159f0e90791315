package world

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		d           time.Duration
		text, exact string
	}{
		{0, "0s", "0s"},
		{1, "1ns", "0.000000001s"},
		{1500, "1.5us", "0.0000015s"},
		{16 * time.Millisecond, "16ms", "0.016s"},
		{time.Second, "1s", "1s"},
		{75*time.Second + 300*time.Millisecond, "75.3s", "75.3s"},
		{21*time.Second + 50, "21.00000005s", "21.00000005s"},
		{100 * time.Hour, "360000s", "360000s"},
	} {
		if got := text(c.d); got != c.text {
			t.Errorf("text(%d) = %s, want %s", c.d, got, c.text)
		}
		if got := exact(c.d); got != c.exact {
			t.Errorf("exact(%d) = %s, want %s", c.d, got, c.exact)
		}
	}
}

func TestDurationsReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		d := time.Duration(r.Uint64N(1 << r.IntN(50)))
		for _, s := range []string{text(d), exact(d)} {
			if got, ok := parseDuration(s); !ok || got != d {
				t.Fatalf("%d is written %s and read as %d, %v", d, s, got, ok)
			}
		}
	}
}

func TestDurationsRefused(t *testing.T) {
	for _, s := range []string{"", "s", "3", "3 s", "-3s", "+3s", "3.s", ".3s", "3x", "3.2.1s", "1m5s", "1.0000000001s", "1.5ns", "9999999999s", "3..2s", "0x3s"} {
		if d, ok := parseDuration(s); ok {
			t.Errorf("%q is read as %v", s, d)
		}
	}
}
