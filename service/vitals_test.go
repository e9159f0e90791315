package service

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// TestComplaint: what starves the watchdogs, and for how long it may be so.
func TestComplaint(t *testing.T) {
	const now = time.Hour
	busy := func(since time.Duration) []*occupancy {
		idle, inside := &occupancy{}, &occupancy{}
		inside.enter(since)
		return []*occupancy{idle, inside}
	}
	left := busy(now - time.Minute)
	left[1].leave()
	for _, c := range []struct {
		name     string
		rounds   uint64
		mute     *muteness
		occupied []*occupancy
		want     string
	}{
		{"all is well", 8, nil, busy(now - stuckFor + 1), ""},
		{"the loop stands", 7, nil, nil, "the loop does not go round"},
		{"one advert failed", 8, &muteness{since: now - time.Minute, failures: 1}, nil, ""},
		{"adverts fail for a moment", 8, &muteness{since: now - muteFor + 1, failures: 9}, nil, ""},
		{"adverts fail", 8, &muteness{since: now - muteFor, failures: 2, why: "no buffer"}, nil, "no advert has left for 3s: no buffer"},
		{"an actor is in the kernel for long", 8, nil, busy(now - stuckFor), "the kernel has not answered a change of addresses for 10s"},
		{"it has left", 8, nil, left, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &vitals{now: func() time.Duration { return now }, occupied: c.occupied}
			v.rounds.Store(c.rounds)
			v.mute.Store(c.mute)
			rounds, got := v.complaint(7)
			if got != c.want || rounds != c.rounds {
				t.Errorf("complaint %q at round %d, want %q", got, rounds, c.want)
			}
		})
	}
}

func TestCurable(t *testing.T) {
	for err, want := range map[error]bool{
		unix.ENOBUFS: true, unix.EAGAIN: true, unix.EBADF: true, unix.ENOMEM: true, errNoSocket: true,
		unix.ENETDOWN: false, unix.ENODEV: false, unix.ENXIO: false, unix.EPERM: false, unix.ENETUNREACH: false,
	} {
		if got := curable(fmt.Errorf("wire: cannot send: %w", err)); got != want {
			t.Errorf("%v is curable by a new process: %v", err, got)
		}
	}
}

// TestMuteness: what becomes of adverts is kept by instance, the longest silence counts, and a BACKUP owes none.
func TestMuteness(t *testing.T) {
	now := time.Hour
	s := &service{mutes: map[node.Key]muteness{}, vitals: &vitals{}, edges: edges{now: func() time.Duration { return now }}}
	one, two := node.Key{VRID: 1}, node.Key{VRID: 2}
	state := func() string {
		if m := s.vitals.mute.Load(); m != nil {
			return fmt.Sprintf("%d since %v: %s", m.failures, m.since, m.why)
		}
		return ""
	}
	for i, c := range []struct {
		key  node.Key
		err  error
		want string
	}{
		{one, nil, ""},
		{one, unix.ENOBUFS, "1 since 1h0m0s: no buffer space available"},
		{two, errNoSocket, "1 since 1h0m0s: no buffer space available"},
		{one, unix.EAGAIN, "2 since 1h0m0s: resource temporarily unavailable"},
		{one, nil, "1 since 1h0m1s: no socket is open"},
		{two, unix.ENETDOWN, ""}, // the port's doing
		{two, errNoSocket, "1 since 1h0m5s: no socket is open"},
	} {
		now = time.Hour + []time.Duration{0, 0, 1, 2, 3, 4, 5}[i]*time.Second
		if s.spoke(c.key, c.err); state() != c.want {
			t.Errorf("step %d: %q, want %q", i, state(), c.want)
		}
	}
}

// TestNobodyFeedsAMuteMaster: the signs of life of a running service, one after the other taken away.
func TestNobodyFeedsAMuteMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, b, ended := p.steady(t)
		wantState(t, a, vrrp.Master)
		feed := func(s *service) string {
			before := s.vitals.rounds.Load()
			time.Sleep(pulse + time.Millisecond)
			synctest.Wait()
			_, complaint := s.vitals.complaint(before)
			return complaint
		}
		if got := feed(a) + feed(b); got != "" {
			t.Errorf("starved: %s", got)
		}
		p.mu.Lock()
		p.a.cannotSend = unix.ENOBUFS
		p.mu.Unlock()
		time.Sleep(muteFor + 2*time.Second)
		if got := feed(a); !strings.Contains(got, "no buffer space") {
			t.Errorf("a MASTER whose adverts do not leave is fed: %q", got)
		}
		p.mu.Lock()
		p.a.cannotSend = nil
		p.mu.Unlock()
		time.Sleep(2 * time.Second)
		if got := feed(a); got != "" {
			t.Errorf("starved though adverts leave again: %s", got)
		}
		p.mu.Lock()
		p.a.stuck = make(chan struct{})
		stuck := p.a.stuck
		p.mu.Unlock()
		time.Sleep(stuckFor + 4*time.Second)
		if got := feed(a); !strings.Contains(got, "has not answered") {
			t.Errorf("fed though the kernel does not answer: %q", got)
		}
		p.mu.Lock()
		p.a.stuck = nil
		p.mu.Unlock()
		close(stuck)
		time.Sleep(time.Second)
		if got := feed(a); got != "" {
			t.Errorf("starved though the kernel answers: %s", got)
		}
		ended()
	})
}

// TestLatenessOfASlowLoop: an advert that the loop was late for is counted by as much, and one that is called for is punctual.
func TestLatenessOfASlowLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		if l := snapshotOf(t, a).Lateness; l.total < 5 || l.worst != 0 {
			t.Errorf("%d adverts, the worst %v late, want none", l.total, l.worst)
		}
		const slow = 30 * time.Millisecond
		p.mu.Lock()
		p.a.sending = slow
		p.mu.Unlock()
		time.Sleep(3 * time.Second)
		if l := snapshotOf(t, a).Lateness; l.worst != slow || l.quantile(10_000) != slow {
			t.Errorf("the worst is %v late, want %v", l.worst, slow)
		}
		ended()
	})
}

var errOdd = errors.New("odd")

func TestStrangeErrorStarves(t *testing.T) {
	if !curable(errOdd) {
		t.Error("what is not known to be the host's doing may be the process's")
	}
}
