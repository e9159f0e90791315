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
	Op Op
	// Seq grows with each operation on the volume, also from one process that probes to the next: Began as a number does.
	Seq   uint64
	Began time.Duration // CLOCK_BOOTTIME
	Ended time.Duration // the same; 0: still running
	Errno unix.Errno    // 0: done
}

// A Record makes a grade of samples and signals. It is pure: what it says follows from what it was given, at which moments, all of
// one clock. It is not for several goroutines at once.
type Record struct {
	volume Volume
	limits Limits
	ops    [numOps]attempts
	leaves []motion
	seen   Signals       // the last
	seenAt time.Duration // and when

	grade   Grade
	culprit string
	since   time.Duration // when the cause of the grade was last there: the beginning of the stretch that ends it
}

// attempts is what is known of one operation.
type attempts struct {
	last    Sample
	tried   bool
	faults  int    // one after the other
	fault   Sample // the last of them
	good    time.Duration
	done    bool // one has succeeded, the last at good
	recent  [recentOps]time.Duration
	counted int // those that ever were in recent
	busy    int // how often, while the last was running for long, the device was seen at work
	idle    int // or was seen to have nothing to do
	all     Histogram
}

// motion is how a device moves, by Op.
type motion struct {
	completed [2]uint64
	waits     [2]bool          // there is something to complete
	since     [2]time.Duration // and was when this was first seen; nothing was completed since
}

// NewRecord returns the record of one volume, of which nothing is known yet.
func NewRecord(v Volume, limits Limits) *Record {
	return &Record{volume: v, limits: limits, leaves: make([]motion, len(v.Leaves))}
}

// Add takes a sample. One that is older than the newest of its kind, or that was told already, adds nothing.
func (r *Record) Add(s Sample) {
	if s.Op >= numOps {
		return
	}
	a := &r.ops[s.Op]
	if a.tried && (s.Seq < a.last.Seq || s.Seq == a.last.Seq && a.last.Ended != 0) {
		return
	}
	if s.Seq != a.last.Seq {
		a.busy, a.idle = 0, 0
	}
	a.last, a.tried = s, true
	if s.Ended != 0 {
		a.end(s)
	}
}

// end takes the outcome of an operation. One that failed for no fault of the disk says nothing either way.
func (a *attempts) end(s Sample) {
	switch {
	case isFault(s.Errno):
		a.faults++
		a.fault = s
	case s.Errno == 0:
		a.faults = 0
		a.good, a.done = s.Ended, true
		if a.held() {
			return // how long a file system was frozen says nothing about the disk
		}
		a.all.add(s.Ended - s.Began)
		a.recent[a.counted%recentOps] = s.Ended - s.Began
		a.counted++
	}
}

// running says that an operation has begun and not ended.
func (a *attempts) running() bool { return a.tried && a.last.Ended == 0 }

// held says that what is or was running waited for something else than the device. (A file system that is frozen still writes back
// what was dirty before, now and then.)
func (a *attempts) held() bool { return a.idle > a.busy }

// Observe takes the signals of a moment. It is to be called once a second or oftener; a stretch during which it was not proves nothing.
func (r *Record) Observe(now time.Duration, s Signals) {
	for i := range min(len(s.Leaves), len(r.leaves)) {
		r.leaves[i].move(now, s.Leaves[i])
	}
	for op := range r.ops {
		a := &r.ops[op]
		switch {
		case !a.running(), now-a.last.Began < heldLeast:
		case s.working(Op(op)):
			a.busy++
		default:
			a.idle++
		}
	}
	r.pardon(s.Mount)
	r.seen, r.seenAt = s, now
}

// pardon forgets writes that failed because an administrator wants the file system read-only, or did until now.
func (r *Record) pardon(m MountState) {
	if m != MountReadOnly && r.seen.Mount != MountReadOnly {
		return
	}
	for op := range r.ops {
		if a := &r.ops[op]; a.fault.Errno == unix.EROFS {
			a.faults = 0
		}
	}
}

// working says that a device has something to do, as far as can be told.
func (s Signals) working(op Op) bool {
	return len(s.Leaves) == 0 || slices.ContainsFunc(s.Leaves, func(l Leaf) bool { return !l.Counted || l.waits(op) })
}

// waits says that a device has something to answer, or does not even take requests.
func (l Leaf) waits(op Op) bool { return l.InFlight[op] > 0 || l.State == DeviceSuspended }

// move notes what a device has done since it was last looked at.
func (m *motion) move(now time.Duration, l Leaf) {
	for op := range m.completed {
		waits := l.Counted && l.waits(Op(op))
		if !waits || !m.waits[op] || l.Completed[op] != m.completed[op] {
			m.since[op] = now
		}
		m.waits[op], m.completed[op] = waits, l.Completed[op]
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
	fault, at := r.fault(now)
	slow := ""
	if fault == "" {
		slow = r.slowness(now)
	}
	switch {
	case fault != "":
		r.enter(at, Failed, fault)
	case r.grade == Failed && r.doubted(now):
	case slow != "":
		r.enter(now, Slow, slow)
	case r.seen.Mount == MountDisappeared:
		r.enter(now, Unknown, "no longer mounted")
	case !r.known(now):
		r.enter(now, Unknown, "no probe has succeeded lately")
	case r.grade == Slow && now-r.since < r.limits.Calm:
	default:
		r.enter(now, Healthy, "")
	}
}

func (r *Record) enter(at time.Duration, g Grade, why string) {
	r.grade, r.culprit, r.since = g, why, at
	if why != "" {
		r.culprit = r.volume.String() + ": " + why
	}
}

// doubted says that a volume whose fault is gone has not worked for long enough without a single error to be believed, nor been
// silent for so long that nothing is known of it any more.
func (r *Record) doubted(now time.Duration) bool {
	heard := r.since
	for _, a := range r.ops {
		r.since = max(r.since, a.fault.Ended)
		if a.done {
			heard = max(heard, a.good)
		}
	}
	return heard-r.since < r.limits.Recover && now-heard < r.limits.Stale
}

// known says that a probe has succeeded lately.
func (r *Record) known(now time.Duration) bool {
	return slices.ContainsFunc(r.ops[:], func(a attempts) bool { return a.done && now-a.good < r.limits.Stale })
}

// fault says why the volume has failed, and when that was last seen; nothing if it has not.
func (r *Record) fault(now time.Duration) (why string, at time.Duration) {
	if why := r.told(); why != "" {
		return why, now
	}
	for op := range numOps {
		if why := r.failing(op, now); why != "" {
			return why, r.ops[op].fault.Ended
		}
		if why := r.hanging(op, now); why != "" {
			return why, now
		}
	}
	return "", 0
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
	case MountUnknown, MountWell, MountReadOnly, MountDisappeared:
	}
	if isFault(r.seen.Stat) {
		return fmt.Sprintf("%s answers %q to everything", r.volume.Type, r.seen.Stat.Error())
	}
	return ""
}

// failing says that operations fail one after the other, and did lately: those of a helper that is gone are not held against a
// disk for ever.
func (r *Record) failing(op Op, now time.Duration) string {
	a := &r.ops[op]
	wanted := a.fault.Errno == unix.EROFS && r.seen.Mount == MountReadOnly
	if a.faults < r.limits.Faults || wanted || now-a.fault.Ended >= r.limits.Stale {
		return ""
	}
	return fmt.Sprintf("%d %ss in a row failed, %s", a.faults, op, a.fault.Errno.Error())
}

// hanging says that nothing is answered.
func (r *Record) hanging(op Op, now time.Duration) string {
	a := &r.ops[op]
	age := now - a.last.Began
	name, still, counted := r.standstill(op)
	switch {
	case a.running() && (age >= r.limits.Hung && still >= r.limits.Still || age >= r.limits.HungUnseen && !counted):
		return fmt.Sprintf("a %s has not been answered for %s%s", op, seconds(age), r.inFlight(op))
	case still >= r.limits.HungUnseen && !r.doneSince(r.seenAt-still):
		return fmt.Sprintf("%s has answered nothing for %s%s", name, seconds(still), r.inFlight(op))
	}
	return ""
}

// standstill says which device has stood still the longest and for how long, and whether there are counters to tell by.
func (r *Record) standstill(op Op) (name string, still time.Duration, counted bool) {
	for i := range min(len(r.leaves), len(r.seen.Leaves)) {
		counted = counted || r.seen.Leaves[i].Counted
		if d := r.seenAt - r.leaves[i].since[op]; r.leaves[i].waits[op] && d > still {
			name, still = r.seen.Leaves[i].Name, d
		}
	}
	return name, still, counted
}

// doneSince says that an operation, whichever, has succeeded after a moment.
func (r *Record) doneSince(moment time.Duration) bool {
	return slices.ContainsFunc(r.ops[:], func(a attempts) bool { return a.done && a.good > moment })
}

// inFlight adds what hangs on which device.
func (r *Record) inFlight(op Op) string {
	var b strings.Builder
	for _, l := range r.seen.Leaves {
		if l.Counted && l.InFlight[op] > 0 {
			fmt.Fprintf(&b, ", %d in flight on %s", l.InFlight[op], l.Name)
		}
	}
	return b.String()
}

// slowness says why the volume is slow; nothing if it is not.
func (r *Record) slowness(now time.Duration) string {
	for op := range numOps {
		a, limit := &r.ops[op], r.limits.Slow[op]
		if r.grade == Slow {
			limit /= 2
		}
		age, slow := now-a.last.Began, a.tenth()
		switch {
		case a.running() && age >= r.limits.Late && !a.held():
			return fmt.Sprintf("a %s has not been answered for %s", op, seconds(age))
		case !r.known(now): // what was measured is past
		case slow >= limit:
			return fmt.Sprintf("one %s in ten takes %s or longer", op, seconds(slow))
		}
	}
	return ""
}

// tenth is what one in ten of the recent operations took at least; 0 while there are too few.
func (a *attempts) tenth() time.Duration {
	n := min(a.counted, recentOps)
	if n < leastOps {
		return 0
	}
	return slices.Sorted(slices.Values(a.recent[:n]))[n-n/10]
}

// seconds writes a duration as an operator wants to read it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
