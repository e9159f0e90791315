package lab

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMeasureLateness(t *testing.T) {
	const ms = time.Millisecond
	start := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		at   []int // in milliseconds
		want Lateness
	}{
		{"none", nil, Lateness{}},
		{"one", []int{7}, Lateness{Adverts: 1}},
		{"on the beat", []int{0, 100, 200, 300}, Lateness{Adverts: 4}},
		{"one late, the next on the beat", []int{0, 100, 203, 300}, Lateness{4, 0, 3 * ms, 3 * ms}},
		{"the first late", []int{4, 100, 200, 300}, Lateness{4, 0, 4 * ms, 4 * ms}},
		{"all but one late", []int{2, 100, 202, 302}, Lateness{4, 2 * ms, 2 * ms, 2 * ms}},
		{"a beat skipped, and begun anew", []int{0, 100, 350, 450}, Lateness{4, 0, 150 * ms, 150 * ms}},
		{"very late, then on the beat", []int{0, 100, 290, 300, 400}, Lateness{5, 0, 90 * ms, 90 * ms}},
		{"an answer between two beats", []int{0, 100, 120, 200, 300}, Lateness{Adverts: 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var adverts []Advert
			for _, at := range tt.at {
				adverts = append(adverts, Advert{At: start.Add(time.Duration(at) * ms)})
			}
			if diff := cmp.Diff(tt.want, MeasureLateness(100*ms, adverts)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	many := make([]Advert, 200)
	for i := range many {
		many[i].At = start.Add(time.Duration(i) * 100 * ms)
	}
	many[50].At, many[60].At, many[70].At = many[50].At.Add(ms), many[60].At.Add(2*ms), many[70].At.Add(3*ms)
	if diff := cmp.Diff(Lateness{200, 0, ms, 3 * ms}, MeasureLateness(100*ms, many)); diff != "" {
		t.Errorf("p99 of 200 (-want +got):\n%s", diff)
	}
}

// TestMeasureTerms wants the time between two terms of a MASTER not to be taken for a late advert.
func TestMeasureTerms(t *testing.T) {
	start := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	term := func(at ...int) (adverts []Advert) {
		for _, ms := range at {
			adverts = append(adverts, Advert{At: start.Add(time.Duration(ms) * time.Millisecond)})
		}
		return adverts
	}
	want := Lateness{5, 0, 2 * time.Millisecond, 2 * time.Millisecond}
	if diff := cmp.Diff(want, MeasureLateness(100*time.Millisecond, term(0, 100, 202), nil, term(9000, 9100))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseAdvert(t *testing.T) {
	packet := make([]byte, 40)
	packet[0], packet[9], packet[20], packet[22] = 0x45, 112, 0x31, 100
	if got, ok := parseAdvert(packet); !ok || got.Version != 3 || got.Priority != 100 {
		t.Errorf("%+v, %v", got, ok)
	}
	other := append([]byte(nil), packet...)
	other[9] = 17
	for _, broken := range [][]byte{nil, packet[:19], packet[:22], other} {
		if got, ok := parseAdvert(broken); ok {
			t.Errorf("% x: %+v", broken, got)
		}
	}
}
