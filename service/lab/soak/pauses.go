package main

import (
	"slices"
	"syscall"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

// patience is how long anything may take that has a bound of a few seconds: what takes longer never comes.
const patience = 20 * time.Second

// pause stops the MASTER's process for a time. Shorter than B's patience, nobody moves; longer, B serves meanwhile, and A says
// nothing when it goes on before it has listened.
func pause(d time.Duration) func(*stage) error {
	return func(s *stage) error {
		s.begin()
		if err := s.A.Daemon().Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		taken := d > lab.MasterDown
		if taken {
			if _, err := s.await(lab.MasterDown+patience, lab.SideB); err != nil {
				return err
			}
		}
		if err := s.watch(time.Until(s.began.Add(d))); err != nil {
			return err
		}
		woken := time.Now()
		if err := s.A.Daemon().Signal(syscall.SIGCONT); err != nil {
			return err
		}
		if taken {
			s.listened(woken)
			if err := s.regained(woken); err != nil {
				return err
			}
		} else if err := s.watch(2 * lab.MasterDown); err != nil {
			return err
		}
		s.announced(woken)
		s.single()
		s.missing(lab.MasterDown + s.interval()) // from A's last renewal to B's takeover, and at the handing back
		want := [][]string{nil, nil}
		if taken {
			want = [][]string{{"BACKUP", "MASTER"}, {"MASTER", "BACKUP"}}
		}
		s.went(want)
		s.healthy()
		return nil
	}
}

// listened wants A's first word since a moment to come after it has listened for a master-down interval.
func (s *stage) listened(since time.Time) {
	if !lab.Eventually(patience, func() bool { return len(s.adverts.Between(s.A, since, time.Time{})) > 0 }) {
		s.complain("A says nothing more")
		return
	}
	first := s.adverts.Between(s.A, since, time.Time{})[0]
	if listened := first.At.Sub(since); listened < 3*s.interval() {
		s.complain("A speaks %v after it goes on, with priority %d: it did not listen", listened.Round(time.Millisecond), first.Priority)
	}
}

// regained waits until A, which has the higher priority, serves again, and a little longer.
func (s *stage) regained(since time.Time) error {
	back, err := s.await(patience, lab.SideA)
	if err != nil {
		return err
	}
	s.outcome.remark("A serves again %v later", back.Sub(since).Round(time.Millisecond))
	return s.watch(2 * s.interval())
}

// announced wants A to have announced every address since a moment.
func (s *stage) announced(since time.Time) {
	line := s.observer.Timeline().Between(since, time.Time{})
	for _, lan := range s.LANs {
		mac := s.A.Port(lan.Port).MAC()
		if !slices.ContainsFunc(line.Gratuitous, func(a hwtest.ARP) bool { return a.MAC == mac && a.Sender == lan.VIP.Addr() }) {
			s.complain("A does not announce %v after its doubt", lan.VIP.Addr())
		}
	}
}

// went wants A and B to have entered exactly these states since the trouble began.
func (s *stage) went(want [][]string) {
	for i, m := range s.Members() {
		got := m.Log.Transitions(s.began, time.Time{})
		s.outcome.transitions += len(got)
		if !slices.Equal(got, want[i]) {
			s.complain("%s went through %v, not %v", m.Name(), got, want[i])
		}
	}
}
