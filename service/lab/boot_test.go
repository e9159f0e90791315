package lab

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

const (
	// bootWait is how long a router waits at most for the first carrier of its heartbeat port.
	bootWait = 5 * time.Second
	// masterDownA is the master-down interval of the router with priority 100.
	masterDownA = 3*time.Second + (256-priorityA)*time.Second/256
	interval    = time.Second
	// grain is how coarse the observer is at least: a sample, and an answer that is counted in the sample after.
	grain = 2 * 10 * time.Millisecond
)

// serving wants exactly one router to hold and answer for every address throughout the end of a timeline, and returns it.
func (s *scene) serving(line hwtest.Timeline) hwtest.Set {
	s.t.Helper()
	last := line.Samples[len(line.Samples)-1].Owners[0]
	for i, v := range line.VIPs {
		for _, span := range line.Spans(i, hwtest.Owners) {
			if span.Who.Count() != 1 || span.Who != last {
				s.t.Errorf("in the end %s is held by %s from %s on", v.Addr, line.Names(span.Who), s.at(span.From))
			}
		}
		if tally := line.Tally(i, hwtest.Answers); tally.Several.Samples > 0 || tally.One.Samples == 0 {
			s.t.Errorf("in the end %s is answered by one router in %d samples, by two in %d", v.Addr, tally.One.Samples, tally.Several.Samples)
		}
	}
	return last
}

// A boot is how the pair starts with the cable already cut.
type boot struct {
	name  string
	later time.Duration // B starts so much after A, or before it when negative
	mute  []string      // A's or B's ports that carry nothing at first, behind a live carrier
	of    hwtest.Set    // whose
	muted time.Duration
	// young: the two find each other when neither has served for long. Each gives way to the other, at worst both at once, so
	// one has to begin again.
	young bool
}

func boots() []boot {
	all := []string{"p3p1", "p3p2", "p1p1"}
	const both = 9 * time.Second                             // both have begun to serve by then, neither long ago
	short := shortOr(13500*time.Millisecond, 30*time.Second) // one has served for long, to witnesses
	list := []boot{
		{name: "in the same instant"},
		{name: "B 40 ms later", later: 40 * time.Millisecond},
		{name: "B 1.7 s later", later: 1700 * time.Millisecond},
		{name: "A 900 ms later", later: -900 * time.Millisecond},
		{name: "A on mute switch ports", mute: all, of: SideA, muted: short},
		{name: "B on mute switch ports", mute: all, of: SideB, muted: short},
		{name: "A on mute switch ports, both young", mute: all, of: SideA, muted: both, young: true},
		{name: "A on one mute switch port", mute: all[:1], of: SideA, muted: short},
	}
	if long() {
		list = append(list, boot{name: "B on one mute switch port", mute: all[2:], of: SideB, muted: short})
	}
	return list
}

// TestBootBehindCutCable boots both routers with the cable already cut. Nobody can tell them who is to serve.
func TestBootBehindCutCable(t *testing.T) {
	t.Parallel()
	for _, b := range boots() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			s := watched(t, Options{})
			check(t, s.Cable.Cut())
			begun := time.Now()
			passing := map[string]time.Time{}
			for _, port := range b.mute {
				m := s.A
				if b.of == SideB {
					m = s.B
				}
				m.Port(port).Link().Mute(b.muted)
				passing[port] = begun.Add(b.muted)
			}
			s.boot(b.later)
			s.watch(max(b.muted, bootWait) + MasterDown + 2*interval)
			end := time.Now()
			s.watch(MasterDown + interval)
			one := s.serving(s.since(end))
			t.Logf("in the end %s serves", s.since(end).Names(one))
			s.undoubled(s.since(begun), passing)
			most := 4
			if b.young {
				most++
			}
			s.fewTransitions(most)
		})
	}
}

// boot starts both routers, the second after a while, or both at once.
func (s *scene) boot(later time.Duration) {
	s.t.Helper()
	first, second := s.A, s.B
	if later < 0 {
		first, second, later = s.B, s.A, -later
	}
	if later > 0 {
		s.start(first)
		s.watch(later)
		s.start(second)
		return
	}
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i, m := range s.Members() {
		both.Go(func() { errs[i] = m.Start(s.daemon) })
	}
	both.Wait()
	for _, err := range errs {
		check(s.t, err)
	}
}

// undoubled wants no address to be answered by two for longer than an advert interval, from when frames pass on its LAN.
func (s *scene) undoubled(line hwtest.Timeline, passing map[string]time.Time) {
	s.t.Helper()
	for i, lan := range s.LANs {
		part := line.Between(passing[lan.Port], time.Time{})
		for what, view := range map[string]hwtest.View{"answered": hwtest.Answers, "held": hwtest.Owners} {
			tally := part.Tally(i, view)
			if tally.LongestSeveral > interval+grain {
				s.t.Errorf("%s was %s by both for %v", lan.VIP, what, tally.LongestSeveral)
			}
			if tally.Several.Samples > 0 {
				s.t.Logf("%s was %s by both for %v at the longest", lan.VIP, what, tally.LongestSeveral)
			}
		}
	}
}

// fewTransitions wants at most so many transitions of both routers together, besides the BACKUP with which each begins.
func (s *scene) fewTransitions(most int) {
	s.t.Helper()
	var all []string
	for _, m := range s.Members() {
		moves := m.Log.Transitions(time.Time{}, time.Time{})
		if len(moves) == 0 || moves[0] != "BACKUP" {
			s.t.Errorf("%s begins with %v", m.Name(), moves)
			continue
		}
		for _, to := range moves[1:] {
			all = append(all, m.Name()+" "+to)
		}
	}
	if len(all) > most {
		s.t.Errorf("%d transitions, %d at most: %v", len(all), most, all)
	}
}

// TestBootAlone boots one router without the other, with and without a carrier on the cable.
func TestBootAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		cut   bool
		side  hwtest.Set
		bound time.Duration
	}{
		{"A, the cable lit", false, SideA, bootWait + masterDownA},
		{"A, the cable dark", true, SideA, bootWait + masterDownA},
		{"B, the cable dark", true, SideB, bootWait + MasterDown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := watched(t, Options{})
			if test.cut {
				check(t, s.Cable.Cut())
			}
			m := s.A
			if test.side == SideB {
				m = s.B
			}
			begun := time.Now()
			s.start(m)
			took := s.await(test.bound+2*interval, test.side).Sub(begun)
			t.Logf("serves %v after its start", took.Round(time.Millisecond))
			if took > test.bound+grain {
				t.Errorf("serves %v after its start, promised is %v", took, test.bound)
			}
			if got := m.Log.Transitions(begun, time.Time{}); !slices.Equal(got, []string{"BACKUP", "MASTER"}) {
				t.Errorf("went through %v", got)
			}
		})
	}
}

// fading draws when the carriers of a dying router drop: each 5 ms … 5 s after the one before, in any order.
func fading(seed uint64, ports []*hwtest.Port) map[*hwtest.Port]time.Duration {
	r := rand.New(rand.NewPCG(seed, 0))
	drops, at := map[*hwtest.Port]time.Duration{}, time.Duration(0)
	for n, i := range r.Perm(len(ports)) {
		if n > 0 || r.IntN(2) == 0 {
			at += time.Duration(float64(5*time.Millisecond) * math.Pow(1000, r.Float64()))
		}
		drops[ports[i]] = at
	}
	return drops
}

// TestPortsDropOneByOne lets the MASTER die with its carriers dropping one after the other. Whatever the order, it is dead from
// the first instant: B serves within the master-down interval, at once, once the cable is dark, and stays.
func TestPortsDropOneByOne(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2, 3, 4, 5}
	if long() {
		for seed := range uint64(45) {
			seeds = append(seeds, seed+6)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := settled(t)
			meter, err := s.NewMeter(s.B)
			check(t, err)
			defer meter.Close()
			drops := fading(seed, s.A.Ports())
			last := time.Duration(0)
			for _, at := range drops {
				last = max(last, at)
			}
			begun := time.Now()
			dark, err := s.A.PowerOff(func(p *hwtest.Port) time.Duration { return drops[p] })
			check(t, err)
			taken, err := meter.Measure(dark, takeoverPatience)
			check(t, err)
			cable := drops[s.A.Port(HeartbeatPort)]
			t.Logf("the cable dropped after %v, B served after %v", cable, taken.Served())
			if bound := MasterDown; taken.Served() > bound {
				t.Errorf("B serves %v after the death, promised is %v", taken.Served(), bound)
			}
			s.watch(time.Until(dark.Add(last)) + 2*interval)
			s.serving(s.since(dark.Add(max(last, taken.Served()) + interval)))
			if got := s.B.Log.Transitions(begun, time.Time{}); !slices.Equal(got, []string{"MASTER"}) {
				t.Errorf("B went through %v", got)
			}
		})
	}
}

// TestBatchingIsBeaten takes A's power within the second in which the kernel holds back B's carrier events, since another port
// of B has just lost its carrier. A third router, on which nothing runs, loses the carrier of a port together with A's power:
// when its kernel says so shows that the events were held back.
func TestBatchingIsBeaten(t *testing.T) {
	const heldBack = 200 * time.Millisecond
	proved := false
	for range attempts {
		fairly(t, func(s *scene) finding {
			control, err := s.Lab.Router("control")
			check(t, err)
			far, err := s.Lab.Router("far")
			check(t, err)
			line, err := s.Lab.Cable(control, "eth0", far, "eth0")
			check(t, err)
			held, err := control.Namespace().Watch()
			check(t, err)
			defer held.Close()
			s.settle()
			meter, err := s.NewMeter(s.B)
			check(t, err)
			defer meter.Close()
			events, err := s.B.Namespace().Watch()
			check(t, err)
			defer events.Close()

			spare := s.B.Port(SparePort)
			check(t, spare.Link().Cut())
			_, err = events.Await(spare.SwitchedAt(), 5*time.Second, dropped(spare))
			check(t, err)
			check(t, line.Cut())
			dark, err := s.A.PowerOff(nil)
			check(t, err)
			start := s.B.Port(HeartbeatPort).SwitchedAt()
			taken, err := meter.Measure(start, takeoverPatience)
			check(t, err)
			told, err := held.Await(dark.Add(-time.Second), 5*time.Second, dropped(control.Port("eth0")))
			check(t, err)
			late := told.At.Sub(control.Port("eth0").SwitchedAt())
			t.Logf("B served after %v; elsewhere the kernel held back a lost carrier for %v", taken.Served(), late)
			proved = proved || late > heldBack
			f := finding{from: start, to: start.Add(moment)}
			if taken.Served() > TakeoverBound {
				f.complaints = append(f.complaints, "B serves after "+taken.Served().String())
			}
			return f
		})
		if proved || t.Failed() {
			return
		}
	}
	t.Skipf("in %d attempts the kernel held back nothing: somebody else on this machine makes it announce early", attempts)
}

// dropped matches the announcement that a port lost its carrier.
func dropped(p *hwtest.Port) func(hwtest.Event) bool {
	index := p.Index()
	return func(e hwtest.Event) bool { return e.Kind == hwtest.LinkEvent && e.Index == index && !e.Carrier }
}
