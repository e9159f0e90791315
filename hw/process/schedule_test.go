package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// child says which part of a test this process plays; scheduling and limits are a
// process's own, so each is changed in one that was started for it.
const child = "STANDFAST_PROCESS_TEST"

// inChild runs the test again in a process of its own, through a command in front
// of it, and returns true there.
func inChild(t *testing.T, front ...string) bool {
	t.Helper()
	if os.Getenv(child) == t.Name() {
		return true
	}
	argv := append(front, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), child+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("%s", out)
	}
	return false
}

// schedules reads how each thread of this process is scheduled.
func schedules(t *testing.T) map[Schedule]int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	found := map[Schedule]int{}
	for _, e := range entries {
		thread, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		s, err := scheduleOf(thread)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		found[s]++
	}
	return found
}

// crowd makes n threads that stay until release is called.
func crowd(n int) (release func()) {
	var there, gone sync.WaitGroup
	leave := make(chan struct{})
	for range n {
		there.Add(1)
		gone.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			there.Done()
			<-leave
		})
	}
	there.Wait()
	return func() { close(leave); gone.Wait() }
}

// TestEveryThreadIsRealTime has threads come into being before, during and after.
func TestEveryThreadIsRealTime(t *testing.T) {
	if !inChild(t) {
		return
	}
	want, origin := Schedule{Policy: RoundRobin, Priority: 3}, inherited(t)
	before := crowd(8)
	defer before()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for range 50 {
			select {
			case <-stop:
				return
			default:
				crowd(2)()
			}
		}
	}()
	err := SetSchedule(want)
	close(stop)
	<-stopped
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("real time is not permitted here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	after := crowd(8)
	defer after()
	if got := schedules(t); len(got) != 1 || got[want] < 16 {
		t.Errorf("threads by schedule: %v, want %v only", got, want)
	}
	if got, err := CurrentSchedule(); err != nil || got != want {
		t.Errorf("CurrentSchedule = %v, %v, want %v", got, err, want)
	}
	if err := ResetScheduling(); err != nil {
		t.Fatal(err)
	}
	// A thread that was real time keeps its nice value for the time after, unless it was a privilege.
	modest := Schedule{Nice: max(0, origin.Nice)}
	if got := schedules(t); len(got) != 1 || got[modest] == 0 {
		t.Errorf("threads by schedule: %v, want %v only", got, modest)
	}
}

// inherited is the schedule that this test was started with.
func inherited(t *testing.T) Schedule {
	t.Helper()
	all := schedules(t)
	if len(all) != 1 {
		t.Fatalf("threads begin with different schedules: %v", all)
	}
	for s := range all {
		return s
	}
	return Schedule{}
}

func TestNiceValueOfEveryThread(t *testing.T) {
	if !inChild(t) {
		return
	}
	defer crowd(4)()
	for _, nice := range []int{17, 19} { // raising it needs no right
		if err := SetSchedule(Schedule{Nice: nice}); err != nil {
			t.Fatal(err)
		}
		if got := schedules(t); len(got) != 1 || got[Schedule{Nice: nice}] < 4 {
			t.Errorf("threads by schedule: %v, want nice %d only", got, nice)
		}
	}
}

// TestLimitIsLifted starts with a limit of its own, which anybody may raise as far as the hard one.
func TestLimitIsLifted(t *testing.T) {
	if !inChild(t, "prlimit", "--rttime=10000:unlimited") {
		return
	}
	err := SetSchedule(Schedule{Policy: FIFO, Priority: 1})
	if errors.Is(err, fs.ErrPermission) && !errors.Is(err, ErrLimited) {
		t.Skipf("real time is not permitted here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_RTTIME, nil, &limit); err != nil {
		t.Fatal(err)
	}
	want := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if diff := cmp.Diff(want, limit); diff != "" {
		t.Errorf("RLIMIT_RTTIME (-want +got):\n%s", diff)
	}
}

// TestLimitThatStays lacks the right to lift it: then nothing is real time.
func TestLimitThatStays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give the right to be real time without the right to lift limits")
	}
	if !inChild(t, "prlimit", "--rttime=10000:20000", "setpriv", "--bounding-set=-sys_resource") {
		return
	}
	origin := inherited(t)
	err := SetSchedule(Schedule{Policy: RoundRobin, Priority: 1})
	if !errors.Is(err, ErrLimited) || !errors.Is(err, unix.EPERM) {
		t.Errorf("SetSchedule = %v, want ErrLimited", err)
	}
	if got := schedules(t); got[origin] == 0 || len(got) != 1 {
		t.Errorf("threads by schedule: %v, want %v still", got, origin)
	}
}

func TestRealTimeRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can take the right away for certain")
	}
	if !inChild(t, "prlimit", "--rtprio=0", "setpriv", "--bounding-set=-sys_nice") {
		return
	}
	err := SetSchedule(Schedule{Policy: RoundRobin, Priority: 1})
	if !errors.Is(err, unix.EPERM) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("SetSchedule = %v, want EPERM", err)
	}
	if err := ResetScheduling(); err != nil {
		t.Errorf("ResetScheduling = %v: it takes nothing that needs a right", err)
	}
}

func TestThreadsThatNeverSettle(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"7", "not a thread"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	always := func(int) (bool, error) { calls++; return true, nil }
	if err := everyThread(dir, always); !errors.Is(err, unix.EAGAIN) || calls != mostPasses {
		t.Errorf("everyThread = %v after %d calls", err, calls)
	}
	gone := func(int) (bool, error) { return true, unix.ESRCH }
	if err := everyThread(dir, gone); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("of threads that end: %v", err)
	}
	refused := func(int) (bool, error) { return false, unix.EPERM }
	if err := everyThread(dir, refused); !errors.Is(err, unix.EPERM) {
		t.Errorf("everyThread = %v, want EPERM", err)
	}
	if err := everyThread(filepath.Join(dir, "none"), always); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("everyThread = %v, want ErrNotExist", err)
	}
}

func TestScheduleInWords(t *testing.T) {
	for want, s := range map[string]Schedule{
		"ordinary": {}, "nice -20": {Nice: -20}, "round-robin 50": {Policy: RoundRobin, Priority: 50},
		"fifo 1": {Policy: FIFO, Priority: 1}, "special": {Policy: Special},
	} {
		if got := s.String(); got != want {
			t.Errorf("%#v is %q, want %q", s, got, want)
		}
	}
	if err := schedule(os.Getpid(), Schedule{Policy: Special}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a special schedule: %v", err)
	}
}

func TestLess(t *testing.T) {
	ascending := []Schedule{{Nice: 19}, {}, {Nice: -20}, {Policy: FIFO, Priority: 1}, {Policy: RoundRobin, Priority: 2}}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.less(b); got != (i < j) {
				t.Errorf("%v less than %v: %v", a, b, got)
			}
		}
	}
}
