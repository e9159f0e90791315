package segment

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

// asked is a record of questions every 20 ms from 0 on and of who answered each, half a millisecond later: A, B, both (2), nobody (.),
// or that the laboratory was late and did not ask (-).
func asked(who string) Record {
	r := Record{VIP: vip, Interval: 20 * ms, Until: time.Duration(len(who)) * 20 * ms}
	for i, c := range who {
		at := time.Duration(i) * 20 * ms
		if c == '-' {
			continue
		}
		r.Questions = append(r.Questions, at)
		if c == 'A' || c == '2' {
			r.Answers = append(r.Answers, Answer{At: at + ms/2, Machine: "A"})
		}
		if c == 'B' || c == '2' {
			r.Answers = append(r.Answers, Answer{At: at + ms/2, Machine: "B"})
		}
	}
	return r
}

func TestService(t *testing.T) {
	type figures struct {
		Nobody, Both time.Duration
		Transitions  int
	}
	tests := []struct {
		name, who string
		grain     time.Duration
		line      string
		want      figures
	}{
		{"nothing known", "", 20 * ms, "", figures{}},
		{"never asked", "---", 20 * ms, "", figures{}},
		{"served all the time", "AAAAA", 20 * ms, "A 100ms", figures{}},
		{"never served", ".....", 20 * ms, "nobody 100ms", figures{Nobody: 100 * ms}},
		{"a clean change", "AAABBB", 20 * ms, "A 61ms, B 60ms", figures{Transitions: 1}},
		{"an answer lost", "AA.AAA", 20 * ms, "A 40ms, nobody 21ms, A 60ms", figures{Nobody: 20*ms + ms/2}},
		{"an answer lost, with the grain of an asker", "AA.AAA", 40 * ms, "A 120ms", figures{}},
		{"three lost", "AA...AAA", 40 * ms, "A 40ms, nobody 61ms, A 60ms", figures{Nobody: 60*ms + ms/2}},
		{"a hole before another serves", "AA...BBB", 40 * ms, "A 40ms, nobody 61ms, B 60ms", figures{Nobody: 60*ms + ms/2, Transitions: 1}},
		{"two", "AA222BB", 20 * ms, "A 41ms, A+B 60ms, B 40ms", figures{Both: 59*ms + ms/2, Transitions: 2}},
		{"two for one question", "AA2BB", 20 * ms, "A 60ms, B 40ms", figures{Transitions: 1}},
		{"another for one question", "AA2AA", 20 * ms, "A 100ms", figures{}},
		{"two for one question, no grain", "AA2BB", 0, "", figures{Nobody: 5 * ms / 2, Both: 39 * ms / 2, Transitions: 2}},
		{"the laboratory was late", "AAA-----AAA", 20 * ms, "A 220ms", figures{}},
		{"late, and another serves", "AAA-----BBB", 20 * ms, "A 161ms, B 60ms", figures{Transitions: 1}},
		{"begins without", "....AAA", 20 * ms, "nobody 81ms, A 60ms", figures{Nobody: 80*ms + ms/2}},
		{"ends without", "AAA....", 20 * ms, "A 60ms, nobody 80ms", figures{Nobody: 80 * ms}},
		{"goes and comes back", "AA....AA", 20 * ms, "A 40ms, nobody 81ms, A 40ms", figures{Nobody: 80*ms + ms/2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := asked(tt.who).Service(tt.grain)
			if got := s.String(); tt.line != "" && got != tt.line {
				t.Errorf("served: %s; want %s", got, tt.line)
			}
			got := figures{s.Nobody(0, time.Hour), s.Both(0, time.Hour), s.Transitions(0, time.Hour)}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("figures of %s (-want +got):\n%s", s, diff)
			}
		})
	}
}

// TestServiceLateAnswers has answers that all take longer than the interval, and now one, now another a little more.
func TestServiceLateAnswers(t *testing.T) {
	r := Record{Interval: 20 * ms, Until: 2 * time.Second}
	for i := range 100 {
		at := time.Duration(i) * 20 * ms
		r.Questions = append(r.Questions, at)
		if late := 39*ms + time.Duration(i%4)*3*ms; at+late < r.Until {
			r.Answers = append(r.Answers, Answer{At: at + late, Machine: "A"})
		}
	}
	if got, want := r.Service(40*ms).String(), "A 2s"; got != want {
		t.Errorf("served: %s; want %s", got, want)
	}
}

func TestServicePart(t *testing.T) {
	s := asked("AAAAA.....BBBBB").Service(20 * ms)
	tests := []struct {
		name        string
		from, to    time.Duration
		spans       []Span
		nobody      time.Duration
		transitions int
	}{
		{"nothing", 50 * ms, 50 * ms, nil, 0, 0},
		{"backwards", 150 * ms, 50 * ms, nil, 0, 0},
		{"before it", -50 * ms, 0, nil, 0, 0},
		{"behind it", 300 * ms, 400 * ms, nil, 0, 0},
		{"one", 20 * ms, 90 * ms, []Span{{20 * ms, 90 * ms, []string{"A"}}}, 0, 0},
		{"into the hole", 90 * ms, 150 * ms, []Span{{90 * ms, 100 * ms, []string{"A"}}, {100 * ms, 150 * ms, nil}}, 50 * ms, 0},
		{"out of the hole", 150 * ms, time.Second,
			[]Span{{150 * ms, 200*ms + ms/2, nil}, {200*ms + ms/2, 300 * ms, []string{"B"}}}, 50*ms + ms/2, 0},
		{"across", 99 * ms, 201 * ms, []Span{{99 * ms, 100 * ms, []string{"A"}}, {100 * ms, 200*ms + ms/2, nil},
			{200*ms + ms/2, 201 * ms, []string{"B"}}}, 100*ms + ms/2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.spans, s.Spans(tt.from, tt.to)); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if got := s.Nobody(tt.from, tt.to); got != tt.nobody {
				t.Errorf("nobody for %v, want %v", got, tt.nobody)
			}
			if got := s.Transitions(tt.from, tt.to); got != tt.transitions {
				t.Errorf("%d transitions, want %d", got, tt.transitions)
			}
		})
	}
}

func TestServiceOfAdverts(t *testing.T) {
	const vrid, hold = 51, 1500 * ms
	say := func(machine string, at time.Duration, priority uint8) Advert {
		return Advert{At: at, Machine: machine, VRID: vrid, Priority: priority}
	}
	tests := []struct {
		name    string
		adverts []Advert
		want    string
	}{
		{"none", nil, ""},
		{"of another router", []Advert{{At: time.Second, Machine: "A", VRID: 52, Priority: 100}}, ""},
		{"one master", []Advert{say("A", 0, 100), say("A", 1000*ms, 100), say("A", 2000*ms, 100)}, "A 3.5s, nobody 1.5s"},
		{"goodbye", []Advert{say("A", 0, 100), say("A", 1000*ms, 0), say("B", 1100*ms, 50), say("B", 2100*ms, 50)},
			"A 1s, nobody 100ms, B 2.5s, nobody 1.4s"},
		{"goodbye of who was not master", []Advert{say("A", 0, 0), say("B", 1000*ms, 50)}, "nobody 1s, B 1.5s, nobody 2.5s"},
		{"two", []Advert{say("A", 0, 100), say("B", 900*ms, 50), say("A", 1000*ms, 100), say("B", 1000*ms, 0), say("A", 2000*ms, 100)},
			"A 900ms, A+B 100ms, A 2.5s, nobody 1.5s"},
		{"silent and back", []Advert{say("A", 0, 100), say("A", 4000*ms, 100)}, "A 1.5s, nobody 2.5s, A 1s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ServiceOfAdverts(tt.adverts, vrid, hold, 5*time.Second).String(); got != tt.want {
				t.Errorf("spoke: %s; want %s", got, tt.want)
			}
		})
	}
}

func TestPings(t *testing.T) {
	// Sent every 100 ms; answered after 10 ms (A), after the bound (l), or not (.).
	sent := func(fates string, until time.Duration) Pings {
		p := Pings{Until: until}
		for i, c := range fates {
			e := Echo{Sent: time.Duration(i) * 100 * ms}
			switch c {
			case 'A':
				e.Answered, e.Took = true, 10*ms
			case 'l':
				e.Answered, e.Took = true, PingBound+ms
			}
			p.Echoes = append(p.Echoes, e)
		}
		return p
	}
	tests := []struct {
		name     string
		pings    Pings
		from, to time.Duration
		want     Losses
		windows  []Loss
	}{
		{"none", sent("", time.Hour), 0, time.Hour, Losses{}, nil},
		{"all answered", sent("AAA", time.Hour), 0, time.Hour, Losses{Sent: 3}, nil},
		{"two windows", sent("A..AA.A", time.Hour), 0, time.Hour, Losses{7, 3}, []Loss{{100 * ms, 300 * ms, 2}, {500 * ms, 600 * ms, 1}}},
		{"late is lost", sent("AlA", time.Hour), 0, time.Hour, Losses{3, 1}, []Loss{{100 * ms, 200 * ms, 1}}},
		{"lost to the end", sent("A..", 10*time.Second), 0, time.Hour, Losses{3, 2}, []Loss{{100 * ms, 10 * time.Second, 2}}},
		{"not known yet", sent("A..", 2150*ms), 0, time.Hour, Losses{2, 1}, []Loss{{100 * ms, 200 * ms, 1}}},
		{"a part", sent("A..AA.A", time.Hour), 200 * ms, 600 * ms, Losses{4, 2}, []Loss{{200 * ms, 300 * ms, 1}, {500 * ms, 600 * ms, 1}}},
		{"backwards", sent("A..AA.A", time.Hour), 600 * ms, 200 * ms, Losses{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.pings.Losses(tt.from, tt.to)); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.windows, tt.pings.Windows(tt.from, tt.to)); diff != "" {
				t.Errorf("windows (-want +got):\n%s", diff)
			}
		})
	}
}
