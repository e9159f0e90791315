package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Policy is how the kernel shares out processor time.
type Policy uint8

// The policies. The zero value is Ordinary.
const (
	Ordinary   Policy = iota // SCHED_OTHER
	RoundRobin               // SCHED_RR: real time
	FIFO                     // SCHED_FIFO: real time, and equals wait for each other
	Special                  // any other: batch, idle, deadline
)

// String returns "ordinary", "round-robin", "fifo" or "special".
func (p Policy) String() string {
	switch p {
	case Ordinary:
		return "ordinary"
	case RoundRobin:
		return "round-robin"
	case FIFO:
		return "fifo"
	case Special:
	}
	return "special"
}

// Schedule is how a thread gets processor time.
type Schedule struct {
	Policy   Policy
	Priority int // 1 to 99 with a real-time policy, else 0
	Nice     int // -20 to 19, smaller is more; of an ordinary thread
}

// RealTime says whether it is one that ordinary threads cannot hold up.
func (s Schedule) RealTime() bool { return s.Policy == RoundRobin || s.Policy == FIFO }

// String is "round-robin 50" or "nice -20" or "ordinary".
func (s Schedule) String() string {
	switch {
	case s.RealTime():
		return fmt.Sprintf("%v %d", s.Policy, s.Priority)
	case s.Policy == Ordinary && s.Nice != 0:
		return fmt.Sprintf("nice %d", s.Nice)
	}
	return s.Policy.String()
}

// ErrLimited says that a limit on the processor time of real-time threads would
// let the kernel kill the process.
var ErrLimited = errors.New("RLIMIT_RTTIME would let the kernel kill the process")

// quietPasses is how often in a row the list of threads has to hold none that is
// not as it should be. A thread that is being made while its maker is changed
// inherits what was before, and shows in the list a moment later.
const quietPasses = 2

// mostPasses bounds the walk in a process that never stops making threads.
const mostPasses = 64

// SetSchedule gives every thread of this process the schedule; threads made later
// inherit it from those that make them, and so do child processes. It may be
// called again at any time, to see that it still holds: then nothing is changed.
//
// What is refused is unix.EPERM, which is also fs.ErrPermission: real time needs
// CAP_SYS_NICE or RLIMIT_RTPRIO, a negative Nice CAP_SYS_NICE or RLIMIT_NICE. A
// limit on real-time processor time is lifted first; where it cannot be, the error
// is ErrLimited and nothing was changed, because the kernel kills whoever exceeds it.
func SetSchedule(s Schedule) error {
	if s.RealTime() {
		if err := unlimitRealTime(); err != nil {
			return err
		}
	}
	return everyThread("/proc/self/task", func(thread int) (bool, error) {
		now, err := scheduleOf(thread)
		if err != nil || now == s {
			return false, err
		}
		return true, schedule(thread, s)
	})
}

// ResetScheduling makes every thread of this process ordinary: a helper has
// inherited what its parent was given, and must not compete with it. It only gives
// up, which needs no right: a positive nice value stays.
func ResetScheduling() error {
	return everyThread("/proc/self/task", func(thread int) (bool, error) {
		now, err := scheduleOf(thread)
		if err != nil {
			return false, err
		}
		nice, err := niceOf(thread) // a real-time thread has one as well, for later
		modest := Schedule{Nice: max(0, nice)}
		if err != nil || now == modest {
			return false, err
		}
		return true, schedule(thread, modest)
	})
}

// CurrentSchedule returns the schedule that all threads of the process share, or
// the least of them.
func CurrentSchedule() (Schedule, error) {
	var least Schedule
	found := false
	err := everyThread("/proc/self/task", func(thread int) (bool, error) {
		s, err := scheduleOf(thread)
		if err == nil && (!found || s.less(least)) {
			least, found = s, true
		}
		return false, err
	})
	return least, err
}

// less says whether a thread gets its turn later.
func (s Schedule) less(t Schedule) bool {
	switch {
	case s.RealTime() != t.RealTime():
		return !s.RealTime()
	case s.RealTime():
		return s.Priority < t.Priority
	}
	return s.Nice > t.Nice
}

// everyThread changes all threads in the list, those included that are made
// meanwhile. A thread that ends meanwhile is none.
func everyThread(list string, change func(thread int) (changed bool, err error)) error {
	quiet := 0
	for range mostPasses {
		threads, err := os.ReadDir(list)
		if err != nil {
			return fmt.Errorf("cannot list the threads of this process: %w", err)
		}
		quiet++
		for _, entry := range threads {
			thread, err := strconv.Atoi(entry.Name())
			if err != nil {
				continue
			}
			changed, err := change(thread)
			if changed {
				quiet = 0
			}
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if quiet == quietPasses {
			return nil
		}
	}
	return fmt.Errorf("threads are made faster than they can be scheduled: %w", unix.EAGAIN)
}

// param is the kernel's struct sched_param.
type param struct{ priority int32 }

// scheduleOf reads the schedule of a thread.
func scheduleOf(thread int) (Schedule, error) {
	policy, _, errno := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(thread), 0, 0)
	if errno != 0 {
		return Schedule{}, fmt.Errorf("cannot read the scheduling of thread %d: %w", thread, errno)
	}
	var s Schedule
	switch policy {
	case unix.SCHED_NORMAL:
		var err error
		if s.Nice, err = niceOf(thread); err != nil {
			return Schedule{}, err
		}
	case unix.SCHED_RR:
		s.Policy = RoundRobin
	case unix.SCHED_FIFO:
		s.Policy = FIFO
	default:
		s.Policy = Special
	}
	if !s.RealTime() {
		return s, nil
	}
	var p param
	_, _, errno = unix.Syscall(unix.SYS_SCHED_GETPARAM, uintptr(thread), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return Schedule{}, fmt.Errorf("cannot read the priority of thread %d: %w", thread, errno)
	}
	s.Priority = int(p.priority)
	return s, nil
}

// niceOf reads a nice value. The call returns 20 minus it, as there are no negative results.
func niceOf(thread int) (int, error) {
	biased, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
	if err != nil {
		return 0, fmt.Errorf("cannot read the nice value of thread %d: %w", thread, err)
	}
	return 20 - biased, nil
}

// schedule changes one thread. SCHED_RESET_ON_FORK, which would keep child
// processes ordinary, is of no use: it applies to new threads as well.
func schedule(thread int, s Schedule) error {
	policy := unix.SCHED_NORMAL
	switch s.Policy {
	case RoundRobin:
		policy = unix.SCHED_RR
	case FIFO:
		policy = unix.SCHED_FIFO
	case Ordinary:
	case Special:
		return fmt.Errorf("a special scheduling policy cannot be asked for: %w", unix.EINVAL)
	}
	p := param{priority: int32(s.Priority)}
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(thread), uintptr(policy), uintptr(unsafe.Pointer(&p)))
	if errno != 0 {
		return fmt.Errorf("the kernel refuses %v: %w", s, errno)
	}
	if s.RealTime() {
		return nil
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, thread, s.Nice); err != nil {
		return fmt.Errorf("the kernel refuses nice %d: %w", s.Nice, err)
	}
	return nil
}

// unlimitRealTime takes away the limit on how long a real-time thread may run
// without waiting: at the hard limit the kernel kills the process, and how long a
// collection takes on a busy machine nobody can promise.
func unlimitRealTime() error {
	var now unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_RTTIME, nil, &now); err != nil {
		return fmt.Errorf("cannot read RLIMIT_RTTIME: %w", err)
	}
	none := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if now == none {
		return nil
	}
	if err := unix.Prlimit(0, unix.RLIMIT_RTTIME, &none, nil); err != nil {
		return fmt.Errorf("%w, and it cannot be lifted from %d µs: %w", ErrLimited, now.Max, err)
	}
	return nil
}
