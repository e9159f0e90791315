package lab

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// adverts captures what both routers put onto the cable.
func (s *scene) adverts() *Adverts {
	s.t.Helper()
	a, err := s.Adverts()
	check(s.t, err)
	s.t.Cleanup(func() { a.Close() })
	return a
}

// next waits for the next advert of a router.
func (s *scene) next(a *Adverts, from *Member) Advert {
	s.t.Helper()
	since := time.Now()
	var found []Advert
	if !Eventually(5*interval, func() bool { found = a.Between(from, since, time.Time{}); return len(found) > 0 }) {
		s.t.Fatalf("%s sends no advert", from.Name())
	}
	return found[0]
}

// phases are the parts of an advert interval after which something happens.
func phases() []time.Duration {
	if !long() {
		return []time.Duration{0, 400 * time.Millisecond, 950 * time.Millisecond}
	}
	var list []time.Duration
	for i := range 20 {
		list = append(list, time.Duration(i)*50*time.Millisecond)
	}
	return list
}

// leaseBound is the promise: how long after its last advert a router that can no longer act still has its addresses.
const leaseBound = 4 * time.Second

// TestLease kills or stops a MASTER's processes. Its addresses go by themselves.
func TestLease(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		for _, phase := range phases() {
			t.Run(fmt.Sprintf("%v %v after an advert", sig, phase), func(t *testing.T) {
				t.Parallel()
				s := watched(t, Options{})
				heard := s.adverts()
				events, err := s.A.Namespace().Watch()
				check(t, err)
				defer events.Close()
				s.start(s.A)
				s.await(bootWait+masterDownA, SideA)
				s.next(heard, s.A) // the leases of the start are renewed by now
				s.watch(time.Until(s.next(heard, s.A).At.Add(phase)))
				dead := s.signal(s.A, sig)
				var gone time.Time
				for _, lan := range s.LANs {
					e, err := events.Await(dead, 2*leaseBound, func(e hwtest.Event) bool {
						return e.Kind == hwtest.AddressRemoved && e.Prefix.Addr() == lan.VIP.Addr()
					})
					check(t, err)
					if e.At.After(gone) {
						gone = e.At
					}
				}
				sent := heard.Between(s.A, time.Time{}, time.Time{})
				last := sent[len(sent)-1].At
				t.Logf("%v after the last advert the last address was gone", gone.Sub(last).Round(time.Millisecond))
				if after := gone.Sub(last); after > leaseBound {
					t.Errorf("the last address went %v after the last advert, promised are %v", after, leaseBound)
				}
				if last.After(dead.Add(100 * time.Millisecond)) {
					t.Errorf("an advert %v after the signal", last.Sub(dead))
				}
			})
		}
	}
}

// TestAwakening stops a MASTER for ten seconds. When it goes on, another serves: it lets go and listens before it speaks.
func TestAwakening(t *testing.T) {
	t.Parallel()
	s := settled(t)
	heard := s.adverts()
	stopped := s.signal(s.A, syscall.SIGSTOP)
	took := s.await(leaseBound+MasterDown, SideB).Sub(stopped)
	t.Logf("B serves %v after the stop", took.Round(time.Millisecond))
	s.watch(time.Until(stopped.Add(10 * time.Second)))
	woken := s.signal(s.A, syscall.SIGCONT)
	s.watch(5 * time.Second)
	s.await(5*time.Second, SideA) // it has the higher priority: it listened, and preempted
	s.watch(2 * interval)
	first := heard.Between(s.A, woken, time.Time{})
	if len(first) == 0 {
		t.Fatal("A holds the addresses and sends no advert")
	}
	t.Logf("A adverts again %v after it was woken", first[0].At.Sub(woken).Round(time.Millisecond))
	if listened := first[0].At.Sub(woken); listened < 3*interval {
		t.Errorf("A speaks %v after it was woken: it did not listen", listened)
	}
	line := s.since(stopped)
	for i, v := range line.VIPs {
		if tally := line.Tally(i, hwtest.Answers); tally.LongestSeveral > grain {
			t.Errorf("%s was answered by both for %v", v.Addr, tally.LongestSeveral)
		}
		if tally := line.Tally(i, hwtest.Owners); tally.LongestSeveral > interval {
			t.Errorf("%s was held by both for %v", v.Addr, tally.LongestSeveral)
		}
	}
	for i, want := range [][]string{{"BACKUP", "MASTER"}, {"MASTER", "BACKUP"}} {
		if got := s.Members()[i].Log.Transitions(stopped, time.Time{}); !slices.Equal(got, want) {
			t.Errorf("%s went through %v, not %v", s.Members()[i].Name(), got, want)
		}
	}
	told := s.whyOf(s.A).Instances[0].Transitions // the latest first
	if len(told) < 2 || told[0].To != "MASTER" || told[1].To != "BACKUP" || !strings.Contains(told[1].Reason, "late") {
		t.Errorf("why on A: %+v, want MASTER after BACKUP, which it went to since it was late", told)
	}
	told = s.whyOf(s.B).Instances[0].Transitions
	if len(told) < 2 || told[1].To != "MASTER" || told[1].Verdict.Rule == "none" || told[1].Verdict.Evidence["vip"] != "silent" {
		t.Errorf("why on B: %+v, want MASTER by a rule, on the silence of the virtual addresses", told)
	}
}

// TestNap stops a MASTER for less than the BACKUP's patience. Nobody moves.
func TestNap(t *testing.T) {
	t.Parallel()
	s := settled(t)
	begun := s.signal(s.A, syscall.SIGSTOP)
	s.watch(1800 * time.Millisecond)
	s.signal(s.A, syscall.SIGCONT)
	s.watch(MasterDown)
	s.undisturbed(begun)
}

// TestBackupAwakens stops the BACKUP for longer than its patience. What it did not hear while it slept is no silence.
func TestBackupAwakens(t *testing.T) {
	t.Parallel()
	s := settled(t)
	stopped := s.signal(s.B, syscall.SIGSTOP)
	s.watch(MasterDown + 2*interval)
	s.signal(s.B, syscall.SIGCONT)
	s.watch(MasterDown)
	s.undisturbed(stopped)
}

// TestBackupAwakensBehindCutCable does the same with a cable that is cut meanwhile: there is nothing in its queue either.
func TestBackupAwakensBehindCutCable(t *testing.T) {
	t.Parallel()
	fairly(t, func(s *scene) (f finding) {
		s.settle()
		stopped := s.signal(s.B, syscall.SIGSTOP)
		s.watch(interval)
		check(t, s.Cable.Cut())
		s.watch(MasterDown + interval)
		woken := s.signal(s.B, syscall.SIGCONT)
		s.watch(2 * MasterDown)
		for _, m := range s.Members() {
			if got := m.Log.Transitions(stopped, time.Time{}); len(got) > 0 {
				f.complaints = append(f.complaints, fmt.Sprintf("%s went through %v", m.Name(), got))
			}
		}
		f.from, f.to = s.mattered([]Act{{At: stopped}, {At: woken}})
		return f
	})
}
