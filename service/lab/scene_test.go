package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// longVariable, not empty, tells every story at the length that the product promises; without it the tests are short.
const longVariable = "STANDFAST_LONG"

// long tells whether the stories are told at the length that is promised.
func long() bool { return os.Getenv(longVariable) != "" }

// shortOr returns the short form of a duration, or its long form where that is asked for.
func shortOr(short, full time.Duration) time.Duration {
	if long() {
		return full
	}
	return short
}

// A scene is a pair under observation for one test, with everything that explains a failure.
type scene struct {
	*Pair
	t        *testing.T
	observer *hwtest.Observer
	gauge    *gauge
	daemon   Daemon
	began    time.Time
}

// stage builds a pair on which nothing runs yet. When the test fails, the journals of both routers and what the observer
// saw are shown. Extra is put into the vrrp_instance of both.
func stage(t *testing.T, o Options, extra ...string) *scene {
	t.Helper()
	var p *Pair
	t.Cleanup(func() {
		if p != nil {
			p.Close() // after the laboratory, when nobody writes to its files any more
		}
	})
	l := hwtest.New(t)
	p, err := NewPair(l, o)
	check(t, err)
	s := &scene{Pair: p, t: t, gauge: newGauge(t), daemon: Standfast(product(t), extra...), began: time.Now()}
	t.Cleanup(s.dump)
	return s
}

// watched is stage with an observer.
func watched(t *testing.T, o Options, extra ...string) *scene {
	t.Helper()
	s := stage(t, o, extra...)
	var err error
	s.observer, err = s.Observe(0)
	check(t, err)
	return s
}

// settled is a scene in which A is MASTER and B stands by, calibrated.
func settled(t *testing.T, extra ...string) *scene {
	t.Helper()
	s := stage(t, Options{}, extra...)
	s.settle()
	return s
}

// settle starts both routers under observation and waits until A is MASTER, no longer young, and B is calibrated.
func (s *scene) settle() {
	s.t.Helper()
	var err error
	s.observer, err = s.Observe(0)
	check(s.t, err)
	s.start(s.A, s.B)
	check(s.t, s.Settle(s.observer, SideA))
	s.grow()
}

// grow waits until A has served for longer than a MASTER is young.
func (s *scene) grow() {
	s.t.Helper()
	status, err := s.A.Status()
	check(s.t, err)
	s.watch(time.Until(status.Instances[0].Since.Add(adult)))
}

// adult is the age at which a MASTER, first answered by a witness within its first second, insists.
const adult = MasterDown + time.Second

// start starts the product on routers.
func (s *scene) start(members ...*Member) {
	s.t.Helper()
	for _, m := range members {
		check(s.t, m.Start(s.daemon))
	}
}

// dump shows what explains a failure.
func (s *scene) dump() {
	if !s.t.Failed() {
		return
	}
	var b strings.Builder
	for _, m := range s.Members() {
		fmt.Fprintf(&b, "journal of %s:\n", m.Name())
		for _, line := range m.Log.Between(time.Time{}, time.Time{}) {
			fmt.Fprintf(&b, "  %8.3f %s\n", line.At.Sub(s.began).Seconds(), line.Text)
		}
	}
	if s.observer != nil {
		line := s.observer.Stop()
		if len(line.Samples) > 0 {
			fmt.Fprintf(&b, "observed from %.3f s on, at the coarsest every %v:\n%v",
				line.Samples[0].At.Sub(s.began).Seconds(), line.Coarsest().Round(time.Millisecond), line)
		}
	}
	load, _ := os.ReadFile("/proc/loadavg") // only a hint
	fmt.Fprintf(&b, "this process was held up for %v of %v, %v at the longest; load of the machine: %s",
		s.gauge.stalled(s.began, time.Now()).Round(time.Millisecond), time.Since(s.began).Round(time.Second),
		s.gauge.longest().Round(time.Millisecond), load)
	s.t.Log(b.String())
}

// at is a moment in seconds of the scene.
func (s *scene) at(moment time.Time) string {
	return fmt.Sprintf("%.3f s", moment.Sub(s.began).Seconds())
}

// await waits until the given side holds every address alone and answers for it, and returns when.
func (s *scene) await(patience time.Duration, who hwtest.Set) time.Time {
	s.t.Helper()
	sample, err := s.observer.Await(patience, func(x hwtest.Sample) bool { return Held(x, who) })
	if err != nil {
		s.t.Fatalf("the addresses do not come to %s: %v", hwtest.Timeline{Routers: []*hwtest.Router{s.A.Router, s.B.Router}}.Names(who), err)
	}
	return sample.At
}

// watch lets the observer see the given time pass.
func (s *scene) watch(d time.Duration) {
	s.t.Helper()
	check(s.t, watchFor(s.observer, d, func(hwtest.Sample) {}))
}

// since is what was observed from a moment on.
func (s *scene) since(from time.Time) hwtest.Timeline {
	return s.observer.Timeline().Between(from, time.Time{})
}

// undisturbed wants everything to have stayed with A since a moment: no address missing, none moved, no transition.
func (s *scene) undisturbed(from time.Time) {
	s.t.Helper()
	line := s.since(from)
	if line.Misses > 0 || len(line.Samples) == 0 {
		s.t.Errorf("the observer failed: %d samples, %d missed", len(line.Samples), line.Misses)
	}
	for i, v := range line.VIPs {
		tally := line.Tally(i, hwtest.Owners)
		if tally.Nobody.Samples > 0 || tally.Several.Samples > 0 || tally.Changes > 0 {
			s.t.Errorf("%s: missing in %d samples, doubled in %d, moved %d times", v.Addr, tally.Nobody.Samples, tally.Several.Samples, tally.Changes)
		}
		if tally := line.Tally(i, hwtest.Answers); tally.Several.Samples > 0 {
			s.t.Errorf("%s: answered by both in %d samples", v.Addr, tally.Several.Samples)
		}
	}
	for _, m := range s.Members() {
		if got := m.Log.Transitions(from, time.Time{}); len(got) > 0 {
			s.t.Errorf("%s went through %v", m.Name(), got)
		}
	}
}

// awaitLine waits until the daemon of a member has said something since a moment.
func (s *scene) awaitLine(m *Member, from time.Time, text string, patience time.Duration) Line {
	s.t.Helper()
	var found Line
	ok := Eventually(patience, func() bool {
		lines := m.Log.Between(from, time.Time{})
		at := slices.IndexFunc(lines, func(l Line) bool { return strings.Contains(l.Text, text) })
		if at >= 0 {
			found = lines[at]
		}
		return at >= 0
	})
	if !ok {
		s.t.Fatalf("%s does not say %q within %v", m.Name(), text, patience)
	}
	return found
}

// why is the part of `standfast why --json` that the tests read.
type why struct {
	Instances []struct {
		Name, State string
		Transitions []struct {
			From, To, Reason string
			Verdict          struct {
				Finding, Rule string
				Evidence      map[string]string
			}
		}
	}
}

// whyOf asks a member why its instance is what it is.
func (s *scene) whyOf(m *Member) (w why) {
	s.t.Helper()
	out, err := m.Ask("why", "--json")
	if err != nil {
		s.t.Fatalf("why on %s: %v: %s", m.Name(), err, out)
	}
	check(s.t, json.Unmarshal([]byte(out), &w))
	if len(w.Instances) != 1 {
		s.t.Fatalf("why on %s speaks of %d instances: %s", m.Name(), len(w.Instances), out)
	}
	return w
}

// signal sends a signal to every process in a router.
func (s *scene) signal(m *Member, sig syscall.Signal) time.Time {
	s.t.Helper()
	now := time.Now()
	check(s.t, m.Namespace().Signal(sig))
	return now
}

// A gauge measures when this process had to wait although it wanted to run: on a machine that others use as well, what is late
// is not always the product. Every frame passes through this process, so its stalls are the stalls of all cables.
type gauge struct {
	quit chan struct{}
	done chan struct{}
	mu   sync.Mutex
	gaps []gap
}

type gap struct{ from, to time.Time }

const (
	gaugeEvery = time.Millisecond
	gaugeGap   = 3 * time.Millisecond // a nap that took so much longer was held up
)

func newGauge(t *testing.T) *gauge {
	g := &gauge{quit: make(chan struct{}), done: make(chan struct{})}
	go g.run()
	t.Cleanup(func() { close(g.quit); <-g.done })
	return g
}

func (g *gauge) run() {
	defer close(g.done)
	tick := time.NewTimer(gaugeEvery)
	for last := time.Now(); ; {
		tick.Reset(gaugeEvery)
		select {
		case <-g.quit:
			return
		case <-tick.C:
		}
		now := time.Now()
		if due := last.Add(gaugeEvery); now.Sub(due) > gaugeGap {
			g.mu.Lock()
			g.gaps = append(g.gaps, gap{from: due, to: now})
			g.mu.Unlock()
		}
		last = now
	}
}

// stalled sums up how long this process was held up between two moments.
func (g *gauge) stalled(from, to time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var total time.Duration
	for _, x := range g.gaps {
		begin, end := x.from, x.to
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		total += max(0, end.Sub(begin))
	}
	return total
}

// longest is how long this process was held up at one time.
func (g *gauge) longest() (d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.gaps {
		d = max(d, x.to.Sub(x.from))
	}
	return d
}

const (
	attempts = 4
	// hindered is how long the machine must have held up the cables within the time that mattered, for a failure not to count.
	hindered = 5 * time.Millisecond
)

// A finding is what an attempt showed: what was not as promised, and the time within which milliseconds mattered.
type finding struct {
	complaints []string
	from, to   time.Time
}

// fairly makes an attempt on a scene of its own, and again where it failed while the machine held up the cables themselves. On
// a machine that has time nothing is ever tried twice; on one that never has, the test is skipped.
func fairly(t *testing.T, attempt func(s *scene) finding) {
	t.Helper()
	for range attempts {
		s := stage(t, Options{})
		f := attempt(s)
		if len(f.complaints) == 0 {
			s.close()
			return
		}
		if held := s.gauge.stalled(f.from, f.to); held >= hindered {
			t.Logf("not counted, the machine held up the laboratory for %v of %v: %q", held, f.to.Sub(f.from), f.complaints)
			s.close()
			continue
		}
		for _, c := range f.complaints {
			t.Errorf("not as promised: %s", c)
		}
		return
	}
	t.Skipf("in %d attempts the machine had no time for the laboratory", attempts)
}

// close ends the scene early.
func (s *scene) close() {
	s.t.Helper()
	check(s.t, s.Lab.Close())
}
