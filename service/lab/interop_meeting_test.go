package lab

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// How long each router waits after the goodbye of the other.
const (
	skewA = (256 - priorityA) * time.Second / 256
	skewB = (256 - priorityB) * time.Second / 256
)

const (
	// handling is what a router may take from a moment of the protocol to the address in the kernel, where no shorter time is
	// promised: processes that start and end, scripts, the samples of the observer.
	handling = 250 * time.Millisecond
	// overlap is how long both may have an address when one yields to the other's advert: the claim goes out before the
	// address comes in, so it is as long as the slower of two kernels takes for three addresses.
	overlap = 100 * time.Millisecond
	// slowAnswer is the round trip up to which a takeover keeps its bound: a BACKUP waits in each of three rounds for twice the
	// slowest answer that it had lately. Where the machine held up the cables for longer, it learnt that answers are slow, and
	// slowRounds is what three rounds take at the most.
	slowAnswer = 8 * time.Millisecond
	slowRounds = 3 * 50 * time.Millisecond
	// saying is how long a daemon may take to write what it did.
	saying = 2 * time.Second
)

// A meeting is a pair of possibly different daemons under observation by a test. It tells what it saw if the test fails.
type meeting struct {
	*Pair
	t        *testing.T
	observer *hwtest.Observer
	gauge    *gauge
	began    time.Time
	wrong    []string // what was not as promised
}

func newMeeting(t *testing.T, o Options) *meeting {
	t.Helper()
	l := hwtest.New(t)
	p, err := NewPair(l, o)
	check(t, err)
	t.Cleanup(func() { check(t, p.Close()) })
	observer, err := p.Observe(0)
	check(t, err)
	return newMeetingOf(t, p, observer)
}

func newMeetingOf(t *testing.T, p *Pair, observer *hwtest.Observer) *meeting {
	s := &meeting{Pair: p, t: t, observer: observer, gauge: newGauge(t), began: time.Now()}
	t.Cleanup(s.tell)
	return s
}

// tell writes everything that is known into the log of a failed test.
func (s *meeting) tell() {
	if !s.t.Failed() || len(s.wrong) == 0 {
		return
	}
	line := s.observer.Stop()
	s.t.Logf("began %s; coarsest sample %v\n%v", s.began.Format("15:04:05.000"), line.Coarsest(), line)
	for _, m := range s.Members() {
		var b strings.Builder
		for _, l := range m.Log.Between(time.Time{}, time.Time{}) {
			fmt.Fprintf(&b, "%9.3f %s\n", l.At.Sub(s.began).Seconds(), l.Text)
		}
		if m.Powered() && m.process != nil && !m.daemon.Keepalived {
			why, err := m.Ask("why")
			fmt.Fprintf(&b, "why: %v\n%s", err, why)
		}
		s.t.Logf("%s with %s:\n%s", m.Name(), m.daemon.Name, &b)
	}
}

// tellings is how often a story is told before it counts against the product, and unfit how long the machine must have held up
// every cable at once for a failure not to count by itself. A MASTER that cannot be heard for some milliseconds as the cable is
// cut is rightly taken for dead; the same, caused by the machine, says nothing of the product.
const (
	tellings = 3
	unfit    = 20 * time.Millisecond
)

// retold tells a story, and again where it ended otherwise than promised on a machine that was unfit for it. What goes wrong
// each time, or once on a machine that had time, is a failure.
func retold(t *testing.T, open func() *meeting, story func(*meeting)) {
	t.Helper()
	for telling := 1; ; telling++ {
		s := open()
		s.hear(story)
		worst := s.gauge.worst(s.began, time.Now())
		switch {
		case len(s.wrong) == 0:
			return
		case worst < unfit || telling == tellings:
			for _, w := range s.wrong {
				t.Error(w)
			}
			return
		}
		t.Logf("told again, the machine held up the laboratory for %v at once: %q", worst, s.wrong)
		check(t, s.Lab.Close())
	}
}

// ended is panicked with to end a story that cannot go on.
type ended struct{}

func (s *meeting) hear(story func(*meeting)) {
	defer func() {
		if cause := recover(); cause != nil && cause != (ended{}) {
			panic(cause)
		}
	}()
	story(s)
}

// errorf says what is not as promised, fatalf also ends the story, and must does for an error.
func (s *meeting) errorf(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

func (s *meeting) fatalf(format string, args ...any) {
	s.errorf(format, args...)
	panic(ended{})
}

func (s *meeting) must(err error) {
	if err != nil {
		s.fatalf("%v", err)
	}
}

func (s *meeting) start(m *Member, d Daemon) time.Time {
	s.t.Helper()
	now := time.Now()
	check(s.t, m.Start(d))
	return now
}

// settle waits until the given side serves and the other stands by with all it needs.
func (s *meeting) settle(master hwtest.Set) {
	s.t.Helper()
	s.must(s.Settle(s.observer, master))
}

// stop ends a member's daemon in good order and returns when it was told to.
func (s *meeting) stop(m *Member) time.Time {
	s.t.Helper()
	now := time.Now()
	check(s.t, m.Daemon().Signal(syscall.SIGTERM))
	return now
}

// powerOff takes a member's power and returns when the other's end of the cable lost its carrier.
func (s *meeting) powerOff(m *Member) time.Time {
	s.t.Helper()
	_, err := m.PowerOff(nil)
	s.must(err)
	return s.other(m).Port(HeartbeatPort).SwitchedAt()
}

func (s *meeting) other(m *Member) *Member {
	if m == s.A {
		return s.B
	}
	return s.A
}

func (s *meeting) cut() time.Time {
	s.t.Helper()
	now := time.Now()
	check(s.t, s.Cable.Cut())
	return now
}

func (s *meeting) mend() time.Time {
	s.t.Helper()
	now := time.Now()
	check(s.t, s.Cable.Mend())
	return now
}

// holds waits until exactly the given side has every address, and returns how long after a moment that was. More than bound
// is an error, unless the laboratory itself was held up: what it lost between two samples is not the router's.
func (s *meeting) holds(who hwtest.Set, since time.Time, bound time.Duration, what string) time.Duration {
	s.t.Helper()
	all := func(sample hwtest.Sample) bool { return sample.At.After(since) && held(sample.Owners, who) }
	if _, err := s.observer.Await(bound+10*time.Second, all); err != nil {
		s.fatalf("%s: %v", what, err)
	}
	line := s.observer.Timeline().Between(since, time.Time{})
	at := slices.IndexFunc(line.Samples, all)
	line.Samples = line.Samples[:at+1]
	took, stall := line.Samples[at].At.Sub(since), s.stalled(line)
	s.t.Logf("%s: %v (bound %v, laboratory held up %v)", what, took.Round(time.Millisecond), bound, stall.Round(time.Millisecond))
	if took > bound+stall {
		s.errorf("%s: took %v, more than %v", what, took, bound)
	}
	return took
}

// stalled is how long the machine held up the laboratory during a timeline: all that was lost between its frames, or the worst
// that was lost between two samples.
func (s *meeting) stalled(line hwtest.Timeline) time.Duration {
	if len(line.Samples) == 0 {
		return 0
	}
	held := s.gauge.stalled(line.Samples[0].At, line.Samples[len(line.Samples)-1].At)
	return max(held, line.Coarsest()-streamEvery)
}

// serves measures with the kernel's own events how long after a moment the member serves with addresses, routes and
// announcements.
func (s *meeting) serves(meter *Meter, since time.Time, bound time.Duration, what string) {
	s.t.Helper()
	takeover, err := meter.Measure(since, takeoverPatience)
	if err != nil {
		s.fatalf("%s: %v", what, err)
	}
	bound = s.slowed(since, bound, what)
	stall := s.gauge.stalled(since, since.Add(takeover.Served()))
	s.t.Logf("%s: %v (bound %v, laboratory held up %v)", what, takeover.Served().Round(100*time.Microsecond), bound, stall.Round(time.Millisecond))
	if takeover.Served() > bound+stall {
		s.errorf("%s: took %+v, more than %v", what, takeover, bound)
	}
}

// worst is the longest time for which this process was held up at once between two moments.
func (g *gauge) worst(from, to time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var longest time.Duration
	for _, x := range g.gaps {
		if x.to.After(from) && x.from.Before(to) {
			longest = max(longest, x.to.Sub(x.from))
		}
	}
	return longest
}

// slowed is the bound of a takeover at a moment, given what the machine did to the answers until then.
func (s *meeting) slowed(since time.Time, bound time.Duration, what string) time.Duration {
	s.t.Helper()
	worst := s.gauge.worst(s.began, since)
	if worst <= slowAnswer {
		return bound
	}
	s.t.Logf("%s: the machine held up the cables for %v at once before, so the questions take up to %v longer", what, worst, slowRounds)
	return bound + slowRounds
}

// meter begins to measure a member.
func (s *meeting) meter(m *Member) *Meter {
	s.t.Helper()
	meter, err := s.NewMeter(m)
	s.must(err)
	s.t.Cleanup(func() { meter.Close() })
	return meter
}

// still watches until the given time has passed since a moment: the side must have had every address all the time, answered
// alone for it, lost no packet and made no transition.
func (s *meeting) still(who hwtest.Set, since time.Time, d time.Duration, what string) {
	s.t.Helper()
	stream, err := s.LANs[0].Client.Stream(s.LANs[0].VIP.Addr(), streamEvery)
	s.must(err)
	s.stillOwned(who, since, d, what)
	if losses := stream.Stop(); losses.Lost > 0 {
		s.errorf("%s: %d of %d packets lost", what, losses.Lost, losses.Sent)
	}
	for _, sample := range s.observer.Timeline().Between(since, time.Time{}).Samples {
		if slices.ContainsFunc(sample.Answers, func(a hwtest.Set) bool { return a&^who != 0 }) {
			s.errorf("%s: after %v the addresses are answered by %v", what, sample.At.Sub(since), sample.Answers)
			break
		}
	}
}

// stillOwned is still without what the clients see: on a LAN that does not let them through to the routers.
func (s *meeting) stillOwned(who hwtest.Set, since time.Time, d time.Duration, what string) {
	s.t.Helper()
	s.pass(since, d)
	for _, sample := range s.observer.Timeline().Between(since, time.Time{}).Samples {
		if !held(sample.Owners, who) {
			s.errorf("%s: after %v the addresses are held by %v", what, sample.At.Sub(since), sample.Owners)
			break
		}
	}
	for i, m := range s.Members() {
		if got := m.Log.Transitions(since, time.Time{}); who.Has(i) && len(got) > 0 {
			s.errorf("%s: %s went through %v", what, m.Name(), got)
		}
	}
}

// pass lets the observer see the given time pass from a moment on.
func (s *meeting) pass(since time.Time, d time.Duration) {
	s.t.Helper()
	_, err := s.observer.Await(d+settlePatience, func(sample hwtest.Sample) bool { return sample.At.Sub(since) >= d })
	s.must(err)
}

// enters waits until a member says after a moment that it enters a state.
func (s *meeting) enters(m *Member, since time.Time, state string) {
	s.t.Helper()
	_, err := s.observer.Await(settlePatience, func(hwtest.Sample) bool {
		return slices.Contains(m.Log.Transitions(since, time.Time{}), state)
	})
	if err != nil {
		s.fatalf("%s does not enter %s: %v", m.Name(), state, err)
	}
}

// went complains if the member did not go through exactly these states since a moment. A daemon says so after it has done it,
// so what is missing is waited for.
func (s *meeting) went(m *Member, since time.Time, states ...string) {
	s.t.Helper()
	var got []string
	s.observer.Await(saying, func(hwtest.Sample) bool {
		got = m.Log.Transitions(since, time.Time{})
		return len(got) >= len(states)
	})
	if !slices.Equal(got, states) {
		s.errorf("%s went through %v, want %v", m.Name(), got, states)
	}
}

// apart complains if both had an address since a moment for longer than they may while one yields to the other.
func (s *meeting) apart(since time.Time, bound time.Duration, what string) {
	s.t.Helper()
	line := s.observer.Timeline().Between(since, time.Time{})
	for i, v := range line.VIPs {
		if both := line.Tally(i, hwtest.Owners).LongestSeveral; both > bound+s.stalled(line) {
			s.errorf("%s: both had %s for %v", what, v.Addr, both)
		}
	}
}

// because complains if a member's standfast did not become MASTER by the given rule, the last time since a moment.
func (s *meeting) because(m *Member, since time.Time, rule string) {
	s.t.Helper()
	line := ""
	for _, l := range m.Log.Between(since, time.Time{}) {
		if strings.Contains(l.Text, "Entering MASTER STATE") {
			line = l.Text
		}
	}
	if !strings.Contains(line, "rule="+rule+" ") {
		s.errorf("%s is MASTER by another rule than %s: %s", m.Name(), rule, line)
	}
}

// finds waits until a member's standfast has the given finding.
func (s *meeting) finds(m *Member, finding string) {
	s.t.Helper()
	_, err := m.AwaitStatus(settlePatience, func(st Status) bool {
		return len(st.Instances) == 1 && st.Instances[0].Verdict.Finding == finding
	})
	s.must(err)
}

// A dialect is a version of the protocol as it is configured.
type dialect struct {
	name  string
	extra []string
	plain bool // without authentication
}

func dialects() []dialect {
	return []dialect{{name: "v2 PASS"}, {name: "v3", extra: []string{"version 3"}, plain: true}}
}

// speak has both members configured for the dialect.
func (s *meeting) speak(d dialect) {
	if !d.plain {
		return
	}
	for _, m := range s.Members() {
		before, rest, _ := bytes.Cut(m.Config, []byte("    authentication {"))
		_, after, _ := bytes.Cut(rest, []byte("    }\n"))
		m.Config = slices.Concat(before, after)
	}
}

// standfast and keepalived return the daemons that speak the dialect.
func (d dialect) standfast(t *testing.T, extra ...string) Daemon {
	t.Helper()
	return Standfast(product(t), slices.Concat(d.extra, extra)...)
}

func (d dialect) keepalived(t *testing.T, extra ...string) Daemon {
	t.Helper()
	k := Keepalived(keepalived(t), false)
	k.Extra = slices.Concat(d.extra, extra)
	return k
}
