package disk

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A world is a disk, the process that probes it by a Plan, and the service that looks at it once a second, in simulated time.
type world struct {
	volume Volume
	// ask is what the disk makes of an operation that begins: how long it takes, and how it ends. never is an answer that comes
	// when the disk is asked again, by again.
	ask func(op Op, now time.Duration) (took time.Duration, errno unix.Errno)
	// again is asked of an operation that had no answer: does it get one now?
	again func(op Op, now time.Duration) bool
	// above says that operations wait above the device, which is idle.
	above func(now time.Duration) bool
	// signals changes what the kernel says.
	signals func(now time.Duration, s *Signals)
	// gone says that there is no process that probes.
	gone func(now time.Duration) bool
	// phase is when in its second the service looks.
	phase time.Duration
}

const (
	step  = 10 * time.Millisecond
	never = time.Duration(-1)
	look  = time.Second
)

// change is a new grade.
type change struct {
	at      time.Duration
	grade   Grade
	culprit string
}

// run lets time pass and returns every change of the grade, and the record.
func (w world) run(until time.Duration) ([]change, *Record) {
	r := NewRecord(w.volume, DefaultLimits())
	var (
		plan    Plan
		running *Sample
		ends    time.Duration
		errno   unix.Errno
		done    [2]uint64
		changes []change
		last    Grade
	)
	for now := time.Duration(0); now < until; now += step {
		if running != nil && (ends != never && now >= ends || ends == never && w.again != nil && w.again(running.Op, now)) {
			running.Ended, running.Errno = now, errno
			r.Add(*running)
			plan.Done(*running)
			done[running.Op]++
			running = nil
		}
		if op, at, _ := plan.Next(); running == nil && now >= at && (w.gone == nil || !w.gone(now)) {
			running = &Sample{Op: op, Seq: uint64(now) + 1, Began: now}
			r.Add(*running)
			took := time.Duration(0)
			took, errno = w.ask(op, now)
			if ends = now + took; took == never {
				ends = never
			}
		}
		if now%look != w.phase {
			continue
		}
		s := Signals{Mount: MountWell, Leaves: []Leaf{{Name: "sda", State: DeviceRunning, Word: "running", Counted: true, Completed: done}}}
		if running != nil && (w.above == nil || !w.above(now)) {
			s.Leaves[0].InFlight[running.Op] = 1
		}
		if w.signals != nil {
			w.signals(now, &s)
		}
		r.Observe(now, s)
		if g, why := r.Grade(now); g != last {
			changes = append(changes, change{now, g, why})
			last = g
		}
	}
	return changes, r
}

var (
	plain  = Volume{Paths: []string{"/", "/var"}, Mount: "/", Type: "ext4", Device: "8:1", Name: "sda1", Leaves: []string{"sda"}}
	phases = func() (all []time.Duration) {
		for p := time.Duration(0); p < look; p += 70 * time.Millisecond {
			all = append(all, p/step*step)
		}
		return all
	}()
)

// well is a disk that answers in a millisecond.
func well(Op, time.Duration) (time.Duration, unix.Errno) { return time.Millisecond, 0 }

// from is an ask that becomes another at a moment.
func from(moment time.Duration, ask func(Op, time.Duration) (time.Duration, unix.Errno)) func(Op, time.Duration) (time.Duration, unix.Errno) {
	return func(op Op, now time.Duration) (time.Duration, unix.Errno) {
		if now < moment {
			return well(op, now)
		}
		return ask(op, now)
	}
}

// fails is an ask that fails at once, for one operation or, with numOps, for both.
func fails(which Op, errno unix.Errno) func(Op, time.Duration) (time.Duration, unix.Errno) {
	return func(op Op, now time.Duration) (time.Duration, unix.Errno) {
		if op == which || which == numOps {
			return time.Millisecond, errno
		}
		return well(op, now)
	}
}

// hangs is an ask that is never answered, for one operation or, with numOps, for both.
func hangs(which Op) func(Op, time.Duration) (time.Duration, unix.Errno) {
	return func(op Op, now time.Duration) (time.Duration, unix.Errno) {
		if op == which || which == numOps {
			return never, 0
		}
		return well(op, now)
	}
}

// grades leaves the grades of changes.
func grades(changes []change) string {
	var s string
	for _, c := range changes {
		s += " " + c.grade.String()
	}
	return s
}

// wantGrades compares the course of grades.
func wantGrades(t *testing.T, changes []change, want string) {
	t.Helper()
	if got := grades(changes); got != want {
		t.Errorf("got%s, want%s: %+v", got, want, changes)
	}
}

// TestBounds holds the time from the trouble to the verdict against what the service promises, wherever in the rhythm of the
// probe and in that of the service the trouble begins.
func TestBounds(t *testing.T) {
	tests := map[string]struct {
		ask     func(Op, time.Duration) (time.Duration, unix.Errno)
		signals func(*Signals)
		least   time.Duration
		most    time.Duration
		culprit string
	}{
		"hang": {ask: hangs(numOps), least: 5 * time.Second, most: 8 * time.Second,
			culprit: "a (read|write) has not been answered for"},
		"writes hang": {ask: hangs(OpWrite), least: 5 * time.Second, most: 8 * time.Second,
			culprit: "a write has not been answered for"},
		"EIO": {ask: fails(numOps, unix.EIO), most: 3 * time.Second,
			culprit: "[23] (reads|writes) in a row failed, input/output error"},
		"writes fail": {ask: fails(OpWrite, unix.EIO), most: 3500 * time.Millisecond,
			culprit: "[23] writes in a row failed, input/output error"},
		"removed": {ask: fails(numOps, unix.ENXIO), signals: func(s *Signals) { s.Leaves[0] = Leaf{Name: "sda", State: DeviceDead, Word: "removed"} },
			most: time.Second, culprit: `the kernel calls sda "removed"`},
		"offline": {ask: well, signals: func(s *Signals) { s.Leaves[0].State, s.Leaves[0].Word = DeviceDead, "offline" },
			most: time.Second, culprit: `the kernel calls sda "offline"`},
		"read-only after errors": {ask: well, signals: func(s *Signals) { s.Mount = MountErrorsRead },
			most: time.Second, culprit: "ext4 has made itself read-only after errors"},
		"shut down": {ask: well, signals: func(s *Signals) { s.Mount = MountShutdown },
			most: time.Second, culprit: "ext4 has shut itself down"},
		"XFS shut down": {ask: well, signals: func(s *Signals) { s.Stat = unix.EIO },
			most: time.Second, culprit: `ext4 answers "input/output error" to everything`},
		"array broken": {ask: well, signals: func(s *Signals) { s.Arrays = []Array{{Name: "md0", State: "broken"}} },
			most: time.Second, culprit: `the array md0 is "broken"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for begin := 60 * time.Second; begin < 62*time.Second; begin += 70 * time.Millisecond {
				for _, phase := range phases {
					w := world{volume: plain, ask: from(begin, tt.ask), phase: phase, signals: func(now time.Duration, s *Signals) {
						if tt.signals != nil && now >= begin {
							tt.signals(s)
						}
					}}
					changes, _ := w.run(begin + 20*time.Second)
					var failed *change
					for i := range changes {
						if changes[i].grade == Failed {
							failed = &changes[i]
						}
					}
					if failed == nil {
						t.Fatalf("trouble at %v, phase %v: never failed: %v", begin, phase, changes)
					}
					if took := failed.at - begin; took < tt.least || took > tt.most {
						t.Fatalf("trouble at %v, phase %v: failed after %v, want %v to %v", begin, phase, took, tt.least, tt.most)
					}
					if failed != &changes[len(changes)-1] {
						t.Fatalf("trouble at %v, phase %v: does not stay failed: %v", begin, phase, changes)
					}
					if ok, err := regexp.MatchString("^/ and /var on sda: "+tt.culprit, failed.culprit); !ok || err != nil {
						t.Fatalf("culprit %q, want %q", failed.culprit, tt.culprit)
					}
				}
			}
		})
	}
}

// TestNoFault is what must never fail, for minutes on end.
func TestNoFault(t *testing.T) {
	const begin = 60 * time.Second
	after := func(now time.Duration) bool { return now >= begin }
	tests := map[string]struct {
		world world
		want  string
	}{
		"full":       {world{ask: from(begin, fails(OpWrite, unix.ENOSPC))}, " healthy"},
		"over quota": {world{ask: from(begin, fails(OpWrite, unix.EDQUOT))}, " healthy"},
		"read-only by an administrator": {world{ask: from(begin, fails(OpWrite, unix.EROFS)), signals: func(now time.Duration, s *Signals) {
			if after(now) {
				s.Mount = MountReadOnly
			}
		}}, " healthy"},
		"read-only by an administrator, for a while": {world{ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if now > begin && now < 2*begin {
				return fails(OpWrite, unix.EROFS)(op, now)
			}
			return well(op, now)
		}, signals: func(now time.Duration, s *Signals) {
			if now > begin && now < 2*begin {
				s.Mount = MountReadOnly
			}
		}}, " healthy"},
		// The write of the helper waits; with one thread so do its reads, and after a minute nothing is known.
		"frozen for a snapshot, one thread": {world{ask: from(begin, hangs(OpWrite)), above: after,
			again: func(_ Op, now time.Duration) bool { return now > 5*time.Minute }}, " healthy unknown healthy"},
		"the helper is stopped":   {world{ask: from(begin, hangs(numOps)), above: after}, " healthy unknown"},
		"the helper is lost":      {world{ask: well, gone: after}, " healthy unknown"},
		"the probe has no memory": {world{ask: from(begin, fails(numOps, unix.ENOMEM))}, " healthy unknown"},
		"one bad block": {world{ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if op == OpRead && now > begin && now < begin+400*time.Millisecond {
				return time.Millisecond, unix.ENODATA
			}
			return well(op, now)
		}}, " healthy"},
		"bad blocks": {world{ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if op == OpRead && now%(10*time.Second) < time.Second/2 {
				return time.Millisecond, unix.ENODATA
			}
			return well(op, now)
		}}, " healthy"},
		"unmounted": {world{ask: well, signals: func(now time.Duration, s *Signals) {
			if after(now) {
				s.Mount = MountDisappeared
			}
		}}, " healthy unknown"},
		"/sys cannot be read": {world{ask: well, signals: func(_ time.Duration, s *Signals) { *s = Signals{} }}, " healthy"},
		"one of two devices is dead": {world{ask: well, volume: Volume{Leaves: []string{"sda", "sdb"}}, signals: func(now time.Duration, s *Signals) {
			s.Leaves = append(s.Leaves, Leaf{Name: "sdb", State: DeviceDead, Word: "offline"})
			s.Arrays = []Array{{Name: "md0", State: "active", Degraded: 1}}
		}}, " healthy"},
		"one of two devices stands still": {world{ask: well, volume: Volume{Leaves: []string{"sda", "sdb"}}, signals: func(now time.Duration, s *Signals) {
			s.Leaves = append(s.Leaves, Leaf{Name: "sdb", State: DeviceSuspended, Word: "blocked", Counted: true, InFlight: [2]uint64{0, 7}})
		}}, " healthy"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.world.volume.Leaves == nil {
				tt.world.volume = plain
			}
			changes, _ := tt.world.run(8 * time.Minute)
			wantGrades(t, changes, tt.want)
			if t.Failed() {
				return
			}
			for _, c := range changes {
				if (c.grade == Healthy) != (c.culprit == "") {
					t.Errorf("%v says %q", c.grade, c.culprit)
				}
			}
		})
	}
}

func TestFreezeIsNoLatency(t *testing.T) {
	w := world{signals: func(now time.Duration, s *Signals) {
		if now == 27*time.Second { // what was dirty before is written back
			s.Leaves[0].InFlight[OpWrite] = 1
		}
	}, volume: plain, ask: from(20*time.Second, hangs(OpWrite)), above: func(now time.Duration) bool { return now > 20*time.Second },
		again: func(_ Op, now time.Duration) bool { return now > 40*time.Second && now < 41*time.Second }}
	changes, r := w.run(45 * time.Second)
	wantGrades(t, changes, " healthy")
	if h := r.Histogram(OpWrite); h.Max() > time.Second {
		t.Errorf("the freeze is counted: %v", h.Max())
	}
}

// TestWithoutProbe lets a disk hang whose helper is gone: the requests of others are the only witness.
func TestWithoutProbe(t *testing.T) {
	const begin = 30 * time.Second
	w := world{volume: plain, ask: well, gone: func(now time.Duration) bool { return now >= 10*time.Second }, signals: func(now time.Duration, s *Signals) {
		s.Leaves[0].Completed[OpWrite] = uint64(min(now, begin) / time.Second)
		if now >= begin {
			s.Leaves[0].InFlight[OpWrite] = 3
		}
	}}
	changes, _ := w.run(90 * time.Second)
	wantGrades(t, changes, " healthy failed")
	if failed := changes[1]; failed.at < begin+15*time.Second || failed.at > begin+17*time.Second {
		t.Errorf("failed at %v", failed.at)
	} else if want := "/ and /var on sda: sda has answered nothing for 15.0 s, 3 in flight on sda"; failed.culprit != want {
		t.Errorf("got %q, want %q", failed.culprit, want)
	}
}

// TestWithoutCounters lets a disk hang whose counters cannot be read: a stopped helper would look the same, so it takes longer.
func TestWithoutCounters(t *testing.T) {
	const begin = 30 * time.Second
	w := world{volume: plain, ask: from(begin, hangs(numOps)), signals: func(_ time.Duration, s *Signals) { s.Leaves[0] = Leaf{Name: "sda"} }}
	changes, _ := w.run(90 * time.Second)
	wantGrades(t, changes, " healthy slow failed")
	if at := changes[2].at; at < begin+15*time.Second || at > begin+18*time.Second {
		t.Errorf("failed at %v", at)
	}
}

// TestRecovery lets a disk come back, and wants it to be believed half a minute later and not before.
func TestRecovery(t *testing.T) {
	const begin, heal = 60 * time.Second, 100 * time.Second
	tests := map[string]world{
		"after a hang": {
			ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
				if now > begin && now < heal {
					return never, 0
				}
				return well(op, now)
			},
			again: func(_ Op, now time.Duration) bool { return now >= heal },
		},
		"after errors": {ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if now > begin && now < heal {
				return time.Millisecond, unix.EIO
			}
			return well(op, now)
		}},
		"after errors of writes": {ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if now > begin && now < heal && op == OpWrite {
				return time.Millisecond, unix.EIO
			}
			return well(op, now)
		}},
		"after a state": {ask: well, signals: func(now time.Duration, s *Signals) {
			if now > begin && now < heal {
				s.Leaves[0].State = DeviceDead
			}
		}},
	}
	for name, w := range tests {
		t.Run(name, func(t *testing.T) {
			w.volume = plain
			changes, _ := w.run(5 * time.Minute)
			var course []change
			for _, c := range changes {
				if c.grade != Slow { // a hang is late before it is failed, and slow is left later
					course = append(course, c)
				}
			}
			wantGrades(t, course, " healthy failed healthy")
			back := course[len(course)-1].at
			if least, most := heal+DefaultLimits().Recover, heal+DefaultLimits().Recover+4*time.Second; back < least || back > most {
				t.Errorf("healthy at %v, want %v to %v", back, least, most)
			}
		})
	}
}

// TestFlickering has a failed disk err now and then, never twice in a row: it works, and not for long enough.
func TestFlickering(t *testing.T) {
	flickered := time.Minute
	w := world{volume: plain, ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
		flickers := op == OpRead && now > time.Minute && now < 5*time.Minute && now-flickered > 20*time.Second
		if flickers {
			flickered = now
		}
		if flickers || now > time.Minute && now < time.Minute+5*time.Second {
			return time.Millisecond, unix.EIO
		}
		return well(op, now)
	}}
	changes, _ := w.run(10 * time.Minute)
	wantGrades(t, changes, " healthy failed healthy")
	if back := changes[2].at - flickered; back < DefaultLimits().Recover || flickered < 4*time.Minute {
		t.Errorf("healthy %v after the last error at %v", back, flickered)
	}
}

// TestSuspended has a device take no requests, so that none is in flight.
func TestSuspended(t *testing.T) {
	const begin = 30 * time.Second
	w := world{volume: plain, ask: from(begin, hangs(numOps)), above: func(time.Duration) bool { return true }, signals: func(now time.Duration, s *Signals) {
		if now >= begin {
			s.Leaves[0].State, s.Leaves[0].Word = DeviceSuspended, "blocked"
		}
	}}
	changes, _ := w.run(time.Minute)
	wantGrades(t, changes, " healthy slow failed")
	if at := changes[2].at; at > begin+8*time.Second {
		t.Errorf("failed at %v", at)
	}
}

// TestSecondDevice has the second of two devices hang, and what was asked of the volume with it.
func TestSecondDevice(t *testing.T) {
	const begin = 30 * time.Second
	v := Volume{Paths: []string{"/"}, Leaves: []string{"sda", "sdb"}}
	w := world{volume: v, ask: from(begin, hangs(numOps)), above: func(time.Duration) bool { return true }, signals: func(now time.Duration, s *Signals) {
		other := Leaf{Name: "sdb", State: DeviceRunning, Counted: true}
		if now >= begin {
			other.InFlight = [2]uint64{3, 3}
		}
		s.Leaves = append(s.Leaves, other)
	}}
	changes, _ := w.run(time.Minute)
	wantGrades(t, changes, " healthy slow failed")
	if !strings.HasSuffix(changes[2].culprit, ", 3 in flight on sdb") {
		t.Error(changes[2].culprit)
	}
}

// TestLost has a device lose one request and answer all others: the disk does not hang.
func TestLost(t *testing.T) {
	const begin = 30 * time.Second
	w := world{volume: plain, ask: from(begin, hangs(numOps)), signals: func(now time.Duration, s *Signals) {
		for op := range numOps {
			s.Leaves[0].Completed[op] += uint64(now)
		}
	}}
	changes, _ := w.run(2 * time.Minute)
	wantGrades(t, changes, " healthy slow")
}

// TestHeld tells what waits above the device from what the device is slow with.
func TestHeld(t *testing.T) {
	r := NewRecord(plain, DefaultLimits())
	look := func(from, to time.Duration, inFlight uint64) {
		for now := from; now < to; now += time.Second {
			r.Observe(now, Signals{Mount: MountWell, Leaves: []Leaf{{Name: "sda", Counted: true, InFlight: [2]uint64{OpWrite: inFlight}}}})
		}
	}
	count := func(want uint64, what string) {
		t.Helper()
		if h := r.Histogram(OpWrite); h.Count() != want {
			t.Errorf("%s: %d are counted, want %d", what, h.Count(), want)
		}
	}
	// The device is idle because the write is over, and not told yet.
	r.Add(Sample{Op: OpWrite, Seq: 1, Began: 10 * time.Second})
	look(10*time.Second+time.Millisecond, 11*time.Second, 0)
	r.Add(Sample{Op: OpWrite, Seq: 1, Began: 10 * time.Second, Ended: 10*time.Second + time.Microsecond})
	count(1, "a short one")
	r.Add(Sample{Op: OpWrite, Seq: 2, Began: 20 * time.Second})
	look(20*time.Second, 30*time.Second, 1)
	r.Add(Sample{Op: OpWrite, Seq: 2, Began: 20 * time.Second, Ended: 30 * time.Second})
	count(2, "one that the device is slow with")
	r.Add(Sample{Op: OpWrite, Seq: 3, Began: 40 * time.Second})
	look(40*time.Second, 45*time.Second, 0)
	r.Add(Sample{Op: OpWrite, Seq: 3, Began: 40 * time.Second, Ended: 45 * time.Second})
	count(2, "one that a freeze holds up")
}

// TestFlapping has a disk fail for a moment every ten seconds: that is one failure.
func TestFlapping(t *testing.T) {
	w := world{volume: plain, ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
		if now > time.Minute && now%(10*time.Second) < 2*time.Second {
			return time.Millisecond, unix.EIO
		}
		return well(op, now)
	}}
	changes, _ := w.run(10 * time.Minute)
	wantGrades(t, changes, " healthy failed")
}

// TestFailedAndSilent has a disk fail and its helper be lost: after a minute nothing is known any more.
func TestFailedAndSilent(t *testing.T) {
	const begin = 30 * time.Second
	w := world{volume: plain, ask: from(begin, fails(numOps, unix.EIO)), gone: func(now time.Duration) bool { return now > begin+5*time.Second }}
	changes, _ := w.run(5 * time.Minute)
	wantGrades(t, changes, " healthy failed unknown")
	if at := changes[2].at - begin; at < time.Minute || at > 70*time.Second {
		t.Errorf("unknown after %v", at)
	}
}

// TestSlowWithoutSignals has a late read be noticed where nothing can be read of the device.
func TestSlowWithoutSignals(t *testing.T) {
	w := world{volume: plain, signals: func(_ time.Duration, s *Signals) { *s = Signals{} }, ask: func(op Op, now time.Duration) (time.Duration, unix.Errno) {
		if now > time.Minute && now < time.Minute+2*time.Second {
			return 6 * time.Second, 0
		}
		return well(op, now)
	}}
	changes, r := w.run(3 * time.Minute)
	wantGrades(t, changes, " healthy slow healthy")
	if r.ops[OpRead].all.Max() < 6*time.Second && r.ops[OpWrite].all.Max() < 6*time.Second {
		t.Error("what took six seconds is not counted")
	}
}

func TestSlow(t *testing.T) {
	takes := func(read, write time.Duration) func(Op, time.Duration) (time.Duration, unix.Errno) {
		return func(op Op, _ time.Duration) (time.Duration, unix.Errno) {
			return [2]time.Duration{read, write}[op], 0
		}
	}
	const begin = 60 * time.Second
	tests := map[string]struct {
		ask     func(Op, time.Duration) (time.Duration, unix.Errno)
		want    string
		culprit string
	}{
		"reads":   {takes(1200*time.Millisecond, time.Millisecond), " healthy slow", "/ and /var on sda: one read in ten takes 1.2 s or longer"},
		"writes":  {takes(time.Millisecond, 2200*time.Millisecond), " healthy slow", "/ and /var on sda: one write in ten takes 2.2 s or longer"},
		"not yet": {takes(900*time.Millisecond, 1900*time.Millisecond), " healthy", ""},
		"one late read": {func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if op == OpRead && now < begin+time.Second {
				return 3500 * time.Millisecond, 0
			}
			return well(op, now)
		}, " healthy slow healthy", "/ and /var on sda: a read has not been answered for 3."},
		"one in twenty": {func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			if op == OpRead && now%(22*time.Second) < time.Second {
				return 1500 * time.Millisecond, 0
			}
			return well(op, now)
		}, " healthy", ""},
		// Between the threshold and half of it nothing changes, in either direction.
		"worse, better, well": {func(op Op, now time.Duration) (time.Duration, unix.Errno) {
			switch {
			case now < 2*time.Minute:
				return 1200 * time.Millisecond, 0
			case now < 4*time.Minute:
				return 700 * time.Millisecond, 0
			}
			return well(op, now)
		}, " healthy slow healthy", "/ and /var on sda: one read in ten takes 1.2 s or longer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changes, _ := world{volume: plain, ask: from(begin, tt.ask)}.run(8 * time.Minute)
			wantGrades(t, changes, tt.want)
			if len(changes) > 1 && !strings.HasPrefix(changes[1].culprit, tt.culprit) {
				t.Errorf("got %q, want %q", changes[1].culprit, tt.culprit)
			}
			if name == "worse, better, well" && len(changes) > 2 && changes[2].at < 4*time.Minute {
				t.Errorf("healthy at %v, while it was still half as slow", changes[2].at)
			}
			if len(changes) > 2 {
				if calm := changes[2].at - changes[1].at; calm < DefaultLimits().Calm {
					t.Errorf("slow for only %v", calm)
				}
			}
		})
	}
}

// TestStallOfTheService has the service itself be frozen for minutes, with requests in flight before and after: it proves nothing.
func TestStallOfTheService(t *testing.T) {
	r := NewRecord(plain, DefaultLimits())
	leaf := Leaf{Name: "sda", State: DeviceRunning, Counted: true}
	r.Observe(0, Signals{Mount: MountWell, Leaves: []Leaf{leaf}})
	r.Add(Sample{Op: OpRead, Seq: 1, Began: 500 * time.Millisecond})
	leaf.InFlight[OpRead] = 1
	now := 231 * time.Second
	r.Observe(now, Signals{Mount: MountWell, Leaves: []Leaf{leaf}})
	if g, why := r.Grade(now); g == Failed {
		t.Errorf("failed: %s", why)
	}
}

func TestAddIgnoresWhatItKnows(t *testing.T) {
	r := NewRecord(plain, DefaultLimits())
	for _, s := range []Sample{
		{OpRead, 5, 10, 20, unix.EIO},
		{OpRead, 5, 10, 20, unix.EIO}, // told again
		{OpRead, 4, 5, 15, unix.EIO},  // late
		{numOps, 6, 30, 40, unix.EIO}, // of a newer process
	} {
		r.Add(s)
	}
	if r.ops[OpRead].faults != 1 || r.ops[OpWrite].tried {
		t.Errorf("got %+v", r.ops)
	}
	if h := r.Histogram(numOps); h.Count() != 0 {
		t.Errorf("a histogram of nothing has %d", h.Count())
	}
}

func TestPlan(t *testing.T) {
	var p Plan
	op, at, ok := p.Next()
	if got := fmt.Sprint(op, at, ok); got != "read 0s true" {
		t.Errorf("first: %s", got)
	}
	p.Done(Sample{Op: OpRead, Began: 100 * time.Second, Ended: 100*time.Second + time.Millisecond})
	op, at, ok = p.Next()
	if got := fmt.Sprint(op, at, ok); got != "write 0s true" {
		t.Errorf("second: %s", got)
	}
	p.Done(Sample{Op: OpWrite, Began: 100 * time.Second, Ended: 100*time.Second + time.Millisecond, Errno: unix.EIO})
	p.Done(Sample{Op: numOps, Began: 200 * time.Second}) // of a newer process
	op, at, ok = p.Next()
	if got := fmt.Sprint(op, at, ok); got != "write 1m40.501s true" {
		t.Errorf("after an error: %s", got)
	}
	p.Without(OpWrite)
	op, at, ok = p.Next()
	if got := fmt.Sprint(op, at, ok); got != "read 1m41s true" {
		t.Errorf("without writes: %s", got)
	}
	p.Without(OpRead)
	p.Without(numOps)
	if _, _, ok := p.Next(); ok {
		t.Error("there is nothing left to do")
	}
}
