package lab

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// told makes an outcome of 300 samples, in which B loses or gains what change says; the second act is at sample 100.
func told(key byte, change func(i int, s *hwtest.Sample)) Outcome {
	start := time.Now()
	o := Outcome{Acts: []Act{{At: start}, {At: start.Add(time.Second)}}, Losses: hwtest.Losses{Sent: 300}}
	for _, s := range Stories() {
		if s.Key == key {
			o.Story = s
		}
	}
	o.Line.VIPs = []hwtest.VIP{{Addr: netip.MustParseAddr("192.168.10.1")}}
	o.Line.Routers = make([]*hwtest.Router, 2)
	for i := range 300 {
		s := hwtest.Sample{At: start.Add(time.Duration(i) * 10 * time.Millisecond), Owners: []hwtest.Set{SideA}, Answers: []hwtest.Set{SideA}}
		change(i, &s)
		o.Line.Samples = append(o.Line.Samples, s)
	}
	return o
}

func nothing(int, *hwtest.Sample) {}

// takenAt gives the VIP to B from a sample on, and to nobody for some samples before.
func takenAt(from, gap int) func(int, *hwtest.Sample) {
	return func(i int, s *hwtest.Sample) {
		switch {
		case i >= from:
			s.Owners[0], s.Answers[0] = SideB, SideB
		case i >= from-gap:
			s.Owners[0], s.Answers[0] = 0, 0
		}
	}
}

// doubled gives the VIP to both in one sample.
func doubled(i int, s *hwtest.Sample) {
	if i == 150 {
		s.Owners[0], s.Answers[0] = SideA|SideB, SideA|SideB
	}
}

func TestComplaints(t *testing.T) {
	for _, test := range []struct {
		name    string
		key     byte
		change  func(int, *hwtest.Sample)
		more    func(*Outcome)
		want    string // in the complaints; empty: none
		masters string
	}{
		{"a as promised", 'a', takenAt(2, 2), bMaster, "", "one master, B"},
		{"a too late", 'a', takenAt(2, 2), func(o *Outcome) { bMaster(o); o.Takeover.Routes = time.Second }, "later than 60ms", "one master, B"},
		{"a never", 'a', takenAt(301, 301), func(o *Outcome) { o.NotTaken = errors.New("dark") }, "does not take over", "no master"},
		{"a not announced by its states", 'a', takenAt(2, 2), nil, "went through", "one master, B"},
		{"b as promised", 'b', nothing, nil, "", "one master, A"},
		{"b lost packets", 'b', nothing, func(o *Outcome) { o.Losses.Lost = 1 }, "1 of 300 packets", "one master, A"},
		{"c as promised", 'c', nothing, nil, "", "one master, A"},
		{"c moved", 'c', takenAt(100, 0), nil, "moved 1 times", "one master, B"},
		{"c doubled", 'c', doubled, nil, "answered by both in 1 samples", "one master, A"},
		{"c two masters", 'c', func(_ int, s *hwtest.Sample) { s.Owners[0] = SideA | SideB }, nil, "held by both", "two masters"},
		{"d as promised", 'd', takenAt(200, 99), bMaster, "", "one master, B"},
		{"d too early", 'd', takenAt(99, 0), bMaster, "before A died", "one master, B"},
		{"d beyond master-down", 'd', takenAt(200, 99), func(o *Outcome) { bMaster(o); o.Takeover.Addresses = MasterDown + 1 }, "later than", "one master, B"},
		{"blind observer", 'c', nothing, func(o *Outcome) { o.Line.Misses = 1 }, "observer failed", "one master, A"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := told(test.key, test.change)
			if test.more != nil {
				test.more(&o)
			}
			got := strings.Join(o.Complaints(), "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("complaints %q, want %q", got, test.want)
			}
			if o.Masters() != test.masters {
				t.Errorf("masters %q, want %q", o.Masters(), test.masters)
			}
		})
	}
}

func bMaster(o *Outcome) { o.Transitions[1] = []string{"MASTER"} }
