package vrrp

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestInstant(t *testing.T) {
	start := Instant(5 * time.Second)
	if got := start.Add(time.Second); got != Instant(6*time.Second) {
		t.Errorf("a second later is %v", got)
	}
	if got := start.Add(-time.Second); got != Instant(4*time.Second) {
		t.Errorf("a second earlier is %v", got)
	}
	if got := start.Sub(Instant(2 * time.Second)); got != 3*time.Second {
		t.Errorf("difference is %v", got)
	}
	if got := Instant(2 * time.Second).Sub(start); got != -3*time.Second {
		t.Errorf("difference is %v", got)
	}
	if got := start.String(); got != "5s" {
		t.Errorf("called %q", got)
	}
}

// A wait that is longer than time does not end at once.
func TestInstantEndOfTime(t *testing.T) {
	end := Instant(math.MaxInt64)
	tests := []struct {
		from Instant
		d    time.Duration
		want Instant
	}{
		{1, math.MaxInt64, end},
		{0, math.MaxInt64, end},
		{end, 1, end},
		{end, 0, end},
		{end, -1, end - 1},
		{-1, math.MaxInt64, end - 1},
		{end - 1, 1, end},
		{0, -5, -5},
	}
	for _, tt := range tests {
		if got := tt.from.Add(tt.d); got != tt.want {
			t.Errorf("%d + %d is %d, want %d", tt.from, tt.d, got, tt.want)
		}
	}
}

// The numbers are worked out by hand from the formulas of the specifications.
func TestSkewAndMasterDown(t *testing.T) {
	tests := []struct {
		name     string
		version  Version
		priority uint8
		interval time.Duration
		adverts  int
		skew     time.Duration
		down     time.Duration
	}{
		{"version 2, priority 100", V2, 100, time.Second, 0, 609_375_000, 3_609_375_000},
		{"version 2, priority 50", V2, 50, time.Second, 0, 804_687_500, 3_804_687_500},
		{"version 2, priority 1", V2, 1, time.Second, 0, 996_093_750, 3_996_093_750},
		{"version 2, priority 254", V2, 254, time.Second, 0, 7_812_500, 3_007_812_500},
		{"version 2, owner", V2, 255, time.Second, 0, 3_906_250, 3_003_906_250},
		{"version 2, the skew does not scale", V2, 100, 10 * time.Second, 0, 609_375_000, 30_609_375_000},
		{"version 3, priority 100", V3, 100, time.Second, 0, 609_375_000, 3_609_375_000},
		{"version 3, the skew scales", V3, 100, 10 * time.Second, 0, 6_093_750_000, 36_093_750_000},
		{"version 3, fast", V3, 100, 10 * time.Millisecond, 0, 6_093_750, 36_093_750},
		{"version 3, fast, priority 101", V3, 101, 10 * time.Millisecond, 0, 6_054_687, 36_054_687},
		{"version 3, slow", V3, 1, 40950 * time.Millisecond, 0, 40_790_039_062, 163_640_039_062},
		{"one advert", V3, 128, time.Second, 1, 500_000_000, 1_500_000_000},
		{"three adverts, said aloud", V3, 128, time.Second, 3, 500_000_000, 3_500_000_000},
		{"100 adverts", V2, 128, 255 * time.Second, 100, 500_000_000, 25_500_500_000_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := skew(tt.version, tt.priority, tt.interval); got != tt.skew {
				t.Errorf("skew %v, want %v", got, tt.skew)
			}
			p := Params{Version: tt.version, DownAdverts: tt.adverts, Interval: time.Hour}
			if got := masterDown(&p, tt.priority, tt.interval); got != tt.down {
				t.Errorf("master-down %v, want %v", got, tt.down)
			}
		})
	}
}

// The better of two BACKUPs moves first, at every interval: this is what the skew is
// for, and what whole centiseconds lose.
func TestSkewOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version")
		interval := time.Duration(rapid.IntRange(1, 4095).Draw(t, "centiseconds")) * 10 * time.Millisecond
		low := uint8(rapid.IntRange(1, 254).Draw(t, "low"))
		high := uint8(rapid.IntRange(int(low)+1, 255).Draw(t, "high"))
		if l, h := skew(version, low, interval), skew(version, high, interval); l <= h || h <= 0 {
			t.Fatalf("priority %d waits %v, priority %d waits %v", low, l, high, h)
		}
	})
}
