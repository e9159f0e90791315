package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawParams draws settings of any kind that are valid.
func drawParams(t *rapid.T) Params {
	p := Params{
		VRID:         1,
		Family:       IPv4,
		Version:      rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version"),
		Priority:     rapid.SampledFrom([]uint8{1, 50, 100, 200, 254, 255}).Draw(t, "priority"),
		Preempt:      rapid.Bool().Draw(t, "preempt"),
		PreemptDelay: rapid.SampledFrom([]time.Duration{0, 0, 2 * time.Second}).Draw(t, "delay"),
		DownAdverts:  rapid.SampledFrom([]int{0, 1, 3, 5}).Draw(t, "adverts"),
		Patience:     rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond, 3 * time.Second}).Draw(t, "patience"),
		Addresses:    addrs("192.0.2.1"),
		Interval:     rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second}).Draw(t, "interval"),
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

// drawEvent draws any event, likely ones more often.
func drawEvent(t *rapid.T) Event {
	source := rapid.SampledFrom([]netip.Addr{{}, addr("192.0.2.50"), addr("192.0.2.100"), addr("192.0.2.200")})
	wait := rapid.SampledFrom([]time.Duration{-1, 0, time.Millisecond, time.Second, 1 << 62})
	switch rapid.IntRange(0, 14).Draw(t, "kind") {
	case 0:
		return Start{Source: source.Draw(t, "source")}
	case 1:
		return Stop{}
	case 2:
		return Failed{}
	case 3:
		return Repaired{}
	case 4:
		return Addressed{Source: source.Draw(t, "source")}
	case 5:
		return Reprioritized{Priority: rapid.Uint8().Draw(t, "priority")}
	case 6:
		return Reconfigured{Params: drawParams(t)}
	case 7, 8:
		ruling := rapid.SampledFrom([]Ruling{NoRuling, TakeOver, Hold, StepDown, 99}).Draw(t, "ruling")
		return Ruled{Ruling: ruling, For: wait.Draw(t, "for")}
	case 9, 10, 11:
		priority := rapid.SampledFrom([]uint8{0, 1, 50, 100, 200, 254, 255}).Draw(t, "priority")
		from := rapid.SampledFrom([]string{"192.0.2.50", "192.0.2.100", "192.0.2.200", "0.0.0.0"}).Draw(t, "from")
		e := heard(priority, from)
		e.Advert.Interval = rapid.SampledFrom([]time.Duration{10 * time.Millisecond, time.Second, 40950 * time.Millisecond}).Draw(t, "interval")
		return e
	}
	return Expired{}
}

// moment is an event with its time.
type moment struct {
	At    Instant
	Event Event
}

// drawLife draws a life of a machine: events at random times, sleeps past deadlines
// and early wakings included.
func drawLife(t *rapid.T) (Params, []moment) {
	p := drawParams(t)
	var now Instant
	life := []moment{{0, Start{Source: addr("192.0.2.100")}}}
	steps := []time.Duration{0, 1, time.Millisecond, 300 * time.Millisecond, time.Second, 4 * time.Second, time.Hour}
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		now = now.Add(rapid.SampledFrom(steps).Draw(t, "pause"))
		life = append(life, moment{now, drawEvent(t)})
	}
	return p, life
}

// Whatever happens, a machine keeps its promises.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, life := drawLife(t)
		m := New(p)
		for i, step := range life {
			before := m.Status()
			deadline, armed := m.Deadline()
			actions := m.Step(step.At, step.Event)
			if err := checkStep(before, m, step, actions); err != nil {
				t.Fatalf("step %d, %v %T%+v from %+v gave %v: %v", i, step.At, step.Event, step.Event, before, actions, err)
			}
			if _, expired := step.Event.(Expired); expired && (!armed || step.At < deadline) && len(actions) > 0 {
				t.Fatalf("step %d: woken early at %v, not %v, it did %v", i, step.At, deadline, actions)
			}
			if _, expired := step.Event.(Expired); expired && armed && step.At >= deadline && len(actions) == 0 {
				t.Fatalf("step %d: woken in time, it did nothing", i)
			}
		}
	})
}

// checkStep checks what holds after every step.
func checkStep(before Status, m *Machine, step moment, actions []Action) error {
	after := m.Status()
	deadline, armed := m.Deadline()
	wantArmed := after.State == Backup || after.State == Master || after.Consulting
	switch {
	case armed != wantArmed:
		return fmt.Errorf("deadline %v in %v", armed, after.State)
	case after.Consulting && after.State != Backup && after.State != Initialize:
		return fmt.Errorf("consulting in %v", after.State)
	case after.Priority == 0:
		return fmt.Errorf("the effective priority is 0")
	case after.Priority == 255 && m.params.Priority != 255:
		return fmt.Errorf("priority 255 without owning the addresses")
	case after.Skew <= 0 || after.MasterDown <= after.Skew:
		return fmt.Errorf("skew %v, master-down %v", after.Skew, after.MasterDown)
	case after.State != before.State && after.Since != step.At:
		return fmt.Errorf("%v since %v", after.State, after.Since)
	}
	if _, expired := step.Event.(Expired); expired && armed && deadline <= step.At && len(actions) > 0 {
		return fmt.Errorf("due again at once: %v", deadline)
	}
	return checkActions(before.State, after, actions)
}

// checkActions checks that the actions of one step tell one consistent story.
func checkActions(state State, after Status, actions []Action) error {
	entered, sent := 0, 0
	for i, a := range actions {
		switch a := a.(type) {
		case Send:
			sent++
			goodbye := a.Priority == 0
			if goodbye != (state == Master && after.State != Master) {
				return fmt.Errorf("sent %d on the way from %v to %v", a.Priority, state, after.State)
			}
			if !goodbye && (a.Priority != after.Priority || after.State != Master) {
				return fmt.Errorf("sent %d as %v with priority %d", a.Priority, after.State, after.Priority)
			}
		case Enter:
			entered++
			if a.From != state || a.To != after.State || a.From == a.To || a.Cause == CauseNone || a.Cause.String() == "unknown" {
				return fmt.Errorf("entered %v on the way from %v to %v", a, state, after.State)
			}
			if i != len(actions)-1 {
				return fmt.Errorf("something follows the transition")
			}
		case Consult:
			if !after.Consulting || a.Why == WhyNone || len(actions) != 1 {
				return fmt.Errorf("consulted for %v", a.Why)
			}
		case Reannounce:
			if state != Master || after.State != Master {
				return fmt.Errorf("announced as %v", after.State)
			}
		}
	}
	if sent > 1 || entered > 1 || (entered == 1) != (state != after.State) {
		return fmt.Errorf("%d adverts, %d transitions from %v to %v", sent, entered, state, after.State)
	}
	if after.State == Master && state != Master && sent != 1 {
		return fmt.Errorf("became MASTER without an advert")
	}
	return nil
}

// The same events at the same moments give the same actions, deadlines and states,
// wherever the clock began.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, life := drawLife(t)
		shift := Instant(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "shift"))
		a, b := New(p), New(p)
		for i, step := range life {
			gotA := a.Step(step.At, step.Event)
			gotB := b.Step(step.At+shift, step.Event)
			for j, action := range gotB {
				if c, ok := action.(Consult); ok {
					gotB[j] = Consult{Why: c.Why, Until: c.Until - shift}
				}
			}
			if diff := cmp.Diff(gotA, gotB); diff != "" {
				t.Fatalf("step %d:\n%s", i, diff)
			}
			deadlineA, okA := a.Deadline()
			deadlineB, okB := b.Deadline()
			if okA != okB || okA && deadlineA < 1<<61 && deadlineA != deadlineB-shift {
				t.Fatalf("step %d: deadlines %v %v and %v %v", i, deadlineA, okA, deadlineB, okB)
			}
			if sa, sb := a.Status(), b.Status(); sa.State != sb.State || sa.Priority != sb.Priority || sa.Master != sb.Master {
				t.Fatalf("step %d: %+v and %+v", i, sa, sb)
			}
		}
	})
}

// The settings that a machine was made from, and the adverts it heard, stay as they are.
func TestStepChangesNothingOfOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, life := drawLife(t)
		before := slices.Clone(p.Addresses)
		m := New(p)
		for _, step := range life {
			m.Step(step.At, step.Event)
		}
		if !slices.Equal(before, p.Addresses) {
			t.Fatalf("addresses became %v", p.Addresses)
		}
	})
}

// segment is several machines on one wire: an advert reaches all others after a delay,
// unless it is lost. Time is simulated.
type segment struct {
	now      Instant
	machines []*Machine
	sources  []netip.Addr
	params   []Params
	flight   []flying
	delay    time.Duration
	// cut says that nothing passes, as when the wire is cut.
	cut bool
}

type flying struct {
	at    Instant
	to    int
	heard Heard
}

func newSegment(delay time.Duration, params ...Params) *segment {
	s := &segment{delay: delay, params: params}
	for i, p := range params {
		s.machines = append(s.machines, New(p))
		s.sources = append(s.sources, netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}))
	}
	return s
}

// step gives an event to a machine and puts its adverts on the wire, through the codec.
func (s *segment) step(t *rapid.T, i int, e Event) {
	for _, a := range s.machines[i].Step(s.now, e) {
		send, ok := a.(Send)
		if !ok || s.cut {
			continue
		}
		payload, err := s.params[i].Advert(send.Priority).Append(nil, s.sources[i], IPv4.Group())
		if err != nil {
			t.Fatal(err)
		}
		for j := range s.machines {
			if j == i {
				continue
			}
			packet := Packet{Src: s.sources[i], Dst: IPv4.Group(), TTL: 255, Payload: payload}
			advert, check, _ := Receive(packet, s.params[j])
			if check != Accepted {
				t.Fatalf("%d does not accept the advert of %d: %v", j, i, check)
			}
			s.flight = append(s.flight, flying{s.now.Add(s.delay), j, Heard{Advert: advert, From: s.sources[i]}})
		}
	}
}

// run lets time pass: what arrives is heard before what is due at the same moment.
func (s *segment) run(t *rapid.T, d time.Duration) {
	end := s.now.Add(d)
	for {
		next, who := end, -1
		for i, m := range s.machines {
			if deadline, ok := m.Deadline(); ok && deadline < next {
				next, who = deadline, i
			}
		}
		if len(s.flight) > 0 && s.flight[0].at <= next {
			f := s.flight[0]
			s.flight = s.flight[1:]
			s.now = max(s.now, f.at)
			s.step(t, f.to, f.heard)
			continue
		}
		if who < 0 {
			s.now = end
			return
		}
		s.now = max(s.now, next)
		s.step(t, who, Expired{})
	}
}

// masters returns who is MASTER.
func (s *segment) masters() []int {
	var who []int
	for i, m := range s.machines {
		if m.state == Master {
			who = append(who, i)
		}
	}
	return who
}

// drawSegment draws two to four routers of different priorities that may preempt.
func drawSegment(t *rapid.T) (*segment, int) {
	version := rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version")
	priorities := rapid.SliceOfNDistinct(rapid.Uint8Range(1, 254), 2, 4, rapid.ID[uint8]).Draw(t, "priorities")
	patience := rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(t, "patience")
	var params []Params
	best := 0
	for i, priority := range priorities {
		p := router3()
		p.Version, p.Priority, p.Patience = version, priority, patience
		params = append(params, p)
		if priority > priorities[best] {
			best = i
		}
	}
	delay := time.Duration(rapid.IntRange(0, 1000).Draw(t, "delay")) * time.Microsecond
	return newSegment(delay, params...), best
}

// Routers that hear each other end with one MASTER, the best, in whatever order they
// start; a cut wire makes all of them MASTER, and a healed one only the best again.
func TestElection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, best := drawSegment(t)
		for i := range s.machines {
			s.step(t, i, Start{Source: s.sources[i]})
			s.run(t, time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause"))*time.Millisecond)
		}
		s.run(t, 10*time.Second)
		if got := s.masters(); !slices.Equal(got, []int{best}) {
			t.Fatalf("MASTERs %v, the best is %d", got, best)
		}
		s.cut, s.flight = true, nil
		s.run(t, 10*time.Second)
		if got := s.masters(); len(got) != len(s.machines) {
			t.Fatalf("MASTERs %v on a cut wire", got)
		}
		s.cut = false
		s.run(t, 2*time.Second)
		if got := s.masters(); !slices.Equal(got, []int{best}) {
			t.Fatalf("MASTERs %v after healing, the best is %d", got, best)
		}
	})
}

// When the best router fails, the next best one serves within its skew and patience,
// thanks to the goodbye; when it is repaired, it has its place back.
func TestHandover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, best := drawSegment(t)
		for i := range s.machines {
			s.step(t, i, Start{Source: s.sources[i]})
		}
		s.run(t, 10*time.Second)
		s.step(t, best, Failed{})
		s.run(t, time.Second+10*time.Millisecond)
		next := s.masters()
		if len(next) != 1 || next[0] == best {
			t.Fatalf("MASTERs %v after %d failed", next, best)
		}
		for i, p := range s.params {
			if i != best && p.Priority > s.params[next[0]].Priority {
				t.Fatalf("%d serves, but %d is better", next[0], i)
			}
		}
		s.step(t, best, Repaired{})
		s.run(t, 5*time.Second)
		if got := s.masters(); !slices.Equal(got, []int{best}) {
			t.Fatalf("MASTERs %v after the repair of %d", got, best)
		}
	})
}
