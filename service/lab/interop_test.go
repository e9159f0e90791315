package lab

import (
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// inEachDialect tells a story with keepalived as one of the two, in each version of the protocol.
func inEachDialect(t *testing.T, story func(*meeting, dialect)) {
	hwtest.New(t) // skips where there can be no laboratory
	keepalived(t)
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			retold(t, func() *meeting {
				s := newMeeting(t, Options{})
				s.speak(d)
				return s
			}, func(s *meeting) { story(s, d) })
		})
	}
}

// TestInteropMaster has standfast as the MASTER of a keepalived that is as its package leaves it.
func TestInteropMaster(t *testing.T) {
	t.Parallel()
	inEachDialect(t, func(s *meeting, d dialect) {
		s.start(s.A, d.standfast(s.t))
		s.start(s.B, d.keepalived(s.t))
		s.settle(SideA)
		s.went(s.A, s.began, "BACKUP", "MASTER")
		s.went(s.B, s.began, "BACKUP")

		since := s.cut()
		s.enters(s.B, since, "FAULT") // what keepalived makes of a port without carrier
		s.still(SideA, since, 2*time.Second, "cable cut")
		s.mend()
		s.enters(s.B, since, "BACKUP")
		s.still(SideA, since, 4*time.Second, "cable mended")
		s.went(s.B, since, "FAULT", "BACKUP")

		since = s.stop(s.A)
		s.holds(SideB, since, skewB+handling, "keepalived serves after the goodbye")
		s.apart(since, 0, "handover by goodbye")
		s.went(s.B, since, "MASTER")

		check(s.t, s.A.Daemon().Wait())
		since = s.start(s.A, d.standfast(s.t))
		s.holds(SideA, since, masterDownA+handling, "standfast preempts keepalived")
		s.apart(since, overlap, "preemption")
		s.settle(SideA)
		s.went(s.B, since, "BACKUP")

		since = s.powerOff(s.B)
		s.still(SideA, since, MasterDown+interval, "BACKUP without power")
	})
}

// TestInteropBackup has standfast as the BACKUP of a keepalived that keeps its addresses when the cable goes dark.
func TestInteropBackup(t *testing.T) {
	t.Parallel()
	inEachDialect(t, func(s *meeting, d dialect) {
		s.start(s.A, d.keepalived(s.t, "dont_track_primary"))
		s.start(s.B, d.standfast(s.t))
		s.settle(SideA)
		s.went(s.B, s.began, "BACKUP")

		since := s.cut()
		s.finds(s.B, "contested")
		s.still(SideA, since, MasterDown+interval, "cable cut")
		s.went(s.B, since)
		since = s.mend()
		s.finds(s.B, "none")
		s.still(SideA, since, 2*interval, "cable mended")
		s.went(s.B, since)

		since = s.stop(s.A)
		s.holds(SideB, since, skewB+handling, "standfast serves after the goodbye")
		s.apart(since, 0, "handover by goodbye")
		s.went(s.B, since, "MASTER")

		check(s.t, s.A.Daemon().Wait())
		since = s.start(s.A, d.keepalived(s.t, "dont_track_primary"))
		s.holds(SideA, since, masterDownA+2*handling, "keepalived preempts standfast")
		s.apart(since, overlap, "preemption")
		s.settle(SideA)
		s.went(s.B, since, "BACKUP")

		meter := s.meter(s.B)
		since = s.powerOff(s.A)
		s.serves(meter, since, TakeoverBound, "standfast serves after the power-off")
		s.apart(since, 0, "power-off")
		s.went(s.B, since, "MASTER")
		s.because(s.B, since, "backup-5-peer-dead")
		s.still(SideB, since.Add(time.Second), 2*interval, "alone")
	})
}

// TestInteropFault has standfast as the BACKUP of a keepalived that lets go of its addresses when the cable goes dark, as it
// does unless it is told otherwise. Then there is nobody else to serve.
func TestInteropFault(t *testing.T) {
	t.Parallel()
	inEachDialect(t, func(s *meeting, d dialect) {
		s.start(s.A, d.keepalived(s.t))
		s.start(s.B, d.standfast(s.t))
		s.settle(SideA)

		since := s.cut()
		s.holds(0, since, time.Second+handling, "keepalived lets go") // the kernel holds the event back for up to a second
		s.holds(SideB, since, MasterDown+handling, "standfast serves")
		s.apart(since, 0, "cable cut")
		s.went(s.A, since, "FAULT")
		s.went(s.B, since, "MASTER")
		s.still(SideB, time.Now(), 2*interval, "alone")

		since = s.mend()
		s.holds(SideA, since, time.Second+masterDownA+handling, "keepalived preempts standfast")
		s.apart(since, overlap, "preemption")
		s.settle(SideA)
		s.went(s.B, since, "BACKUP")
	})
}

// TestInteropNoPreempt starts the better router beside one that serves: with nopreempt it waits until that one is gone.
func TestInteropNoPreempt(t *testing.T) {
	t.Parallel()
	for _, half := range []struct {
		name           string
		better, serves func(dialect, *testing.T) Daemon
	}{
		{"standfast waits",
			func(d dialect, t *testing.T) Daemon { return d.standfast(t, "nopreempt") },
			func(d dialect, t *testing.T) Daemon { return d.keepalived(t) }},
		{"keepalived waits",
			func(d dialect, t *testing.T) Daemon { return d.keepalived(t, "nopreempt") },
			func(d dialect, t *testing.T) Daemon { return d.standfast(t) }},
	} {
		t.Run(half.name, func(t *testing.T) {
			t.Parallel()
			inEachDialect(t, func(s *meeting, d dialect) {
				since := s.start(s.B, half.serves(d, s.t))
				s.holds(SideB, since, MasterDown+2*handling, "alone")
				s.went(s.B, since, "BACKUP", "MASTER")
				since = s.start(s.A, half.better(d, s.t))
				s.still(SideB, since, masterDownA+interval, "beside a better one")
				s.went(s.A, since, "BACKUP")
				since = s.stop(s.B)
				s.holds(SideA, since, skewA+handling, "the better one serves after the goodbye")
				s.apart(since, 0, "handover by goodbye")
			})
		})
	}
}
