package disk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Grade is how a volume does.
type Grade uint8

// The grades; the zero value is not knowing.
const (
	Unknown Grade = iota
	Healthy
	Slow   // answers, and late
	Failed // hangs, errs or has become read-only
)

// String returns a lower-case word for logs and status.
func (g Grade) String() string {
	switch g {
	case Healthy:
		return "healthy"
	case Slow:
		return "slow"
	case Failed:
		return "failed"
	case Unknown:
	}
	return "unknown"
}

// Sample is one operation of a probe. It is told twice, when it begins and when it ends, with the same Seq.
type Sample struct {
	Op    Op
	Seq   uint64        // grows with each operation on the volume
	Began time.Duration // CLOCK_BOOTTIME
	Ended time.Duration // the same; 0: still running
	Errno unix.Errno    // 0: done
}

// A Record makes a grade of samples and signals. It is pure: what it says follows from what it was given, at which moments. All
// moments are of one clock, and none may be earlier than one before. It is not for several goroutines at once.
type Record struct {
	volume Volume
	limits Limits
	ops    [numOps]attempts
	leaves []motion
	seen   Signals
	seenAt time.Duration
	looked bool

	grade   Grade
	culprit string
	since   time.Duration // of the grade's cause being gone: the beginning of the stretch that ends it
}

// attempts is what is known of one operation.
type attempts struct {
	last      Sample
	tried     bool
	faults    int // one after the other
	fault     unix.Errno
	good      time.Duration // when one last succeeded
	succeeded bool
	recent    [recentOps]time.Duration
	counted   int
	busy      bool // while the last was running, the device was seen at work for it
	idle      bool // or was seen to have nothing to do
	all       Histogram
}

// motion is how a device moves.
type motion struct {
	completed [2]uint64
	still     [2]time.Duration // since when nothing was completed with something to complete
}

// NewRecord returns the record of one volume, of which nothing is known yet.
func NewRecord(v Volume, limits Limits) *Record {
	return &Record{volume: v, limits: limits, leaves: make([]motion, len(v.Leaves))}
}

// Add takes a sample. An operation that is older than the newest known, or that was told already, adds nothing.
func (r *Record) Add(s Sample) {
	if s.Op >= numOps {
		return
	}
	a := &r.ops[s.Op]
	if a.tried && (s.Seq < a.last.Seq || s.Seq == a.last.Seq && a.last.Ended != 0) {
		return
	}
	if !a.tried || s.Seq != a.last.Seq {
		a.busy, a.idle = false, false
	}
	a.last, a.tried = s, true
	if s.Ended != 0 {
		a.end(s)
		r.judge(s.Ended)
	}
}

// end takes the outcome of an operation.
func (a *attempts) end(s Sample) {
	switch {
	case isFault(s.Errno):
		a.faults++
		a.fault = s.Errno
	case s.Errno == 0:
		a.faults = 0
		a.good, a.succeeded = s.Ended, true
		if a.held() {
			return // how long a freeze lasted says nothing about the disk
		}
		took := s.Ended - s.Began
		a.all.add(took)
		a.recent[a.counted%recentOps] = took
		a.counted++
	}
}

// held says that what is running waits for something else than the device.
func (a *attempts) held() bool { return a.idle && !a.busy }

// Observe takes the signals of a moment.
func (r *Record) Observe(now time.Duration, s Signals) {
	for i := range min(len(s.Leaves), len(r.leaves)) {
		r.leaves[i].move(now, s.Leaves[i], !r.looked)
	}
	for op := range r.ops {
		a := &r.ops[op]
		if a.running() {
			work := slices.ContainsFunc(s.Leaves, func(l Leaf) bool { return !l.Counted || l.waits(Op(op)) })
			a.busy = a.busy || work
			a.idle = a.idle || !work
		}
	}
	r.seen, r.seenAt, r.looked = s, now, true
	r.judge(now)
}

// running says that an operation has begun and not ended.
func (a *attempts) running() bool { return a.tried && a.last.Ended == 0 }

// waits says that a device has something to answer, or does not even take requests.
func (l Leaf) waits(op Op) bool { return l.InFlight[op] > 0 || l.State == DeviceSuspended }

// move notes what a device has done since it was last looked at.
func (m *motion) move(now time.Duration, l Leaf, first bool) {
	for op := range m.completed {
		if first || !l.Counted || !l.waits(Op(op)) || l.Completed[op] != m.completed[op] {
			m.still[op] = now
		}
		if l.Counted {
			m.completed[op] = l.Completed[op]
		}
	}
}

// Grade is the volume's grade, and, where it is not healthy, one sentence that names the device and what is wrong with it, without
// a full stop.
func (r *Record) Grade(now time.Duration) (Grade, string) {
	r.judge(now)
	return r.grade, r.culprit
}

// Histogram is how long the operations of one kind took since the record began, those that a frozen file system held up apart.
func (r *Record) Histogram(op Op) Histogram {
	if op >= numOps {
		return Histogram{}
	}
	return r.ops[op].all
}

// judge brings the grade up to date.
func (r *Record) judge(now time.Duration) {
	if why := r.fault(now); why != "" {
		r.enter(now, Failed, why)
		return
	}
	if r.grade == Failed && r.recovering(now) {
		return
	}
	if why := r.slowness(now); why != "" {
		r.enter(now, Slow, why)
		return
	}
	known := r.known(now)
	switch {
	case r.grade == Slow && known && now-r.since < r.limits.Calm:
	case known:
		r.enter(now, Healthy, "")
	default:
		r.enter(now, Unknown, fmt.Sprintf("%v: nothing is known: no probe has succeeded lately", r.volume))
	}
}

func (r *Record) enter(now time.Duration, g Grade, why string) {
	r.grade, r.culprit, r.since = g, why, now
}

// recovering says that a volume whose fault is gone has not worked for long enough to be believed, and not been silent for so long
// that nothing is known.
func (r *Record) recovering(now time.Duration) bool {
	if slices.ContainsFunc(r.ops[:], func(a attempts) bool { return a.faults > 0 }) {
		r.since = now
	}
	for _, a := range r.ops {
		if a.succeeded && a.good > r.since {
			return now-r.since < r.limits.Recover
		}
	}
	return now-r.since < r.limits.Stale
}

// known says that a probe has succeeded lately.
func (r *Record) known(now time.Duration) bool {
	return slices.ContainsFunc(r.ops[:], func(a attempts) bool { return a.succeeded && now-a.good < r.limits.Stale })
}

// fault says why the volume has failed; nothing if it has not.
func (r *Record) fault(now time.Duration) string {
	if why := r.told(); why != "" {
		return r.volume.String() + ": " + why
	}
	for op := range r.ops {
		why := r.ops[op].failing(Op(op), r.limits, r.seen.Mount)
		if why == "" {
			why = r.hanging(Op(op), now)
		}
		if why != "" {
			return r.volume.String() + ": " + why
		}
	}
	return ""
}

// told says what the kernel itself declares to be lost. One device of several may be dead and nothing lost; then the probe decides.
func (r *Record) told() string {
	dead := func(l Leaf) bool { return l.State == DeviceDead }
	if len(r.seen.Leaves) > 0 && !slices.ContainsFunc(r.seen.Leaves, func(l Leaf) bool { return !dead(l) }) {
		l := r.seen.Leaves[0]
		return fmt.Sprintf("the kernel calls %s %q", l.Name, l.Word)
	}
	for _, a := range r.seen.Arrays {
		if arrayBroken(a.State) {
			return fmt.Sprintf("the array %s is %q", a.Name, a.State)
		}
	}
	switch r.seen.Mount {
	case MountErrorsRead:
		return r.volume.Type + " has made itself read-only after errors"
	case MountShutdown:
		return r.volume.Type + " has shut itself down"
	case MountUnknown, MountWritable, MountReadOnly, MountDisappeared:
	}
	if isFault(r.seen.Stat) {
		return fmt.Sprintf("%s answers %q to everything", r.volume.Type, r.seen.Stat.Error())
	}
	return ""
}

// failing says that operations fail one after the other.
func (a *attempts) failing(op Op, limits Limits, m MountState) string {
	if a.faults < limits.Faults || a.fault == unix.EROFS && m == MountReadOnly {
		return ""
	}
	return fmt.Sprintf("%d %ss in a row failed: %v", a.faults, op, a.fault)
}

// hanging says that nothing is answered.
func (r *Record) hanging(op Op, now time.Duration) string {
	a, limits := &r.ops[op], r.limits
	still, counted, name := r.standstill(op)
	age := now - a.last.Began
	switch {
	case a.running() && age >= limits.Hung && still >= limits.Still,
		a.running() && age >= limits.HungUnseen && !counted:
		return fmt.Sprintf("a %s has not been answered for %s%s", op, seconds(age), r.inFlight(op))
	case still >= limits.HungUnseen && !r.succeededSince(r.seenAt-still):
		return fmt.Sprintf("%s has answered nothing for %s%s", name, seconds(still), r.inFlight(op))
	}
	return ""
}

// standstill is for how long the device that has stood still longest has done so, and whether any has counters to tell by.
func (r *Record) standstill(op Op) (still time.Duration, counted bool, name string) {
	for i := range min(len(r.leaves), len(r.seen.Leaves)) {
		l := r.seen.Leaves[i]
		counted = counted || l.Counted
		if d := r.seenAt - r.leaves[i].still[op]; l.Counted && d > still {
			still, name = d, l.Name
		}
	}
	return still, counted, name
}

// succeededSince says that any operation that began at or after a moment was answered well.
func (r *Record) succeededSince(moment time.Duration) bool {
	return slices.ContainsFunc(r.ops[:], func(a attempts) bool { return a.succeeded && a.good >= moment })
}

// inFlight adds what hangs on which device.
func (r *Record) inFlight(op Op) string {
	var parts []string
	for _, l := range r.seen.Leaves {
		if l.Counted && l.InFlight[op] > 0 {
			parts = append(parts, fmt.Sprintf("%d in flight on %s", l.InFlight[op], l.Name))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// slowness says why the volume is slow; nothing if it is not.
func (r *Record) slowness(now time.Duration) string {
	for op := range r.ops {
		a := &r.ops[op]
		if age := now - a.last.Began; a.running() && age >= r.limits.Late && !a.held() {
			return fmt.Sprintf("%v: a %s has not been answered for %s", r.volume, Op(op), seconds(age))
		}
		limit := r.limits.Slow[op]
		if r.grade == Slow {
			limit /= 2
		}
		if slow := a.tenth(); slow >= limit {
			return fmt.Sprintf("%v: one %s in ten takes %s or longer", r.volume, Op(op), seconds(slow))
		}
		if a.counted > 0 && a.succeeded && now-a.good < r.limits.Stale && a.latest() >= r.limits.Late {
			return fmt.Sprintf("%v: a %s took %s", r.volume, Op(op), seconds(a.latest()))
		}
	}
	return ""
}

// latest is how long the last operation took that was counted.
func (a *attempts) latest() time.Duration { return a.recent[(a.counted-1)%recentOps] }

// tenth is what one in ten of the recent operations has exceeded; 0 while there are too few.
func (a *attempts) tenth() time.Duration {
	n := min(a.counted, recentOps)
	if n < leastOps {
		return 0
	}
	sorted := slices.Sorted(slices.Values(a.recent[:n]))
	return sorted[n-1-n/10]
}

// seconds writes a duration as an operator wants to read it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
