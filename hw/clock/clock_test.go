package clock

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNowNeverRunsBackwards(t *testing.T) {
	before := Now()
	for range 100_000 {
		now := Now()
		if now < before {
			t.Fatalf("%v came after %v", now, before)
		}
		before = now
	}
}

func TestNowKeepsPaceWithTheMonotonicClock(t *testing.T) {
	began, wall := Now(), time.Now()
	for time.Since(wall) < 20*time.Millisecond {
	}
	// The three readings are ordered, so their differences are, however busy the machine is.
	inner := time.Since(wall)
	outer := Now() - began
	if outer < inner {
		t.Errorf("%v passed here while %v passed there", outer, inner)
	}
}

// TestNowIsUptime compares with what the kernel prints from the same clock.
func TestNowIsUptime(t *testing.T) {
	before := Now()
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skipf("no /proc to compare with: %v", err)
	}
	after := Now()
	text, _, _ := strings.Cut(string(b), " ")
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	const printed = 10 * time.Millisecond // the kernel prints hundredths
	uptime := time.Duration(seconds * float64(time.Second))
	if uptime < before-printed || uptime > after+printed {
		t.Errorf("uptime %v is not between %v and %v", uptime, before, after)
	}
}
