package helper

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scriptProcess is a script that runs, in a process group of its own.
type scriptProcess struct {
	cmd     *exec.Cmd
	started chan error    // whether it was started
	claimed atomic.Bool   // by who comes first: whoever starts it, or whoever does not wait for that any longer
	thread  atomic.Int64  // that starts it
	exited  chan struct{} // closed when it has ended; it is not reaped yet, so its number is still its own
	release chan struct{} // to be closed when nobody signals the group any more
	reaped  chan error    // how it ended
}

// run runs a script to its end, or ends it. What can neither be started nor
// ended hangs in the kernel; until it no longer does, nothing else of its queue is
// run, lest the queue leaves one process after the other behind.
func (s *scriptServer) run(queue string, argv []string) (ScriptResult, string) {
	select {
	case <-s.kill:
		return ScriptNotRun, errEnds.Error()
	default:
	}
	if p := s.hangs(queue); p != nil {
		return ScriptNotRun, fmt.Sprintf("an earlier one, %s, still hangs in the kernel, likely on a disk", p.cmd.Path)
	}
	p, err := s.startScript(argv)
	if errors.Is(err, unix.ENOEXEC) {
		// No #! line: the shell's, as execvp(3) has it.
		p, err = s.startScript(slices.Concat([]string{"/bin/sh", p.cmd.Path}, argv[1:]))
	}
	switch {
	case errors.Is(err, errStartHangs):
		s.hang(queue, p)
		return ScriptNotRun, fmt.Sprintf("it could not be started within %v: it cannot be read, likely because a disk hangs", s.start)
	case err != nil:
		return ScriptNotRun, whyNotRun(argv[0], err)
	}
	why := fmt.Sprintf("it ran longer than %v", s.timeout)
	select {
	case <-p.exited:
		if err := p.reap(); err != nil {
			return ScriptFailed, err.Error()
		}
		return ScriptSucceeded, ""
	case <-time.After(s.timeout):
	case <-s.kill:
		why = errEnds.Error()
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		p.signal(sig)
		if endsWithin(p.exited, s.grace) {
			p.signal(unix.SIGKILL) // what it left in its group
			_ = p.reap()           // how it ended is known
			return ScriptEnded, fmt.Sprintf("%s (%s)", why, unix.SignalName(sig))
		}
	}
	close(p.release)
	s.hang(queue, p)
	return ScriptEnded, why + ", but is still there: it hangs in the kernel, likely on a disk"
}

// hang remembers what hangs.
func (s *scriptServer) hang(queue string, p *scriptProcess) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hanging[queue] = p
}

// hangs is what of the queue still hangs.
func (s *scriptServer) hangs(queue string) *scriptProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.hanging[queue]
	if p == nil {
		return nil
	}
	select {
	case <-p.exited:
		delete(s.hanging, queue)
		return nil
	default:
		return p
	}
}

// reap says how a script that has exited ended.
func (p *scriptProcess) reap() error {
	close(p.release)
	return <-p.reaped
}

func (p *scriptProcess) signal(sig unix.Signal) {
	_ = unix.Kill(-p.cmd.Process.Pid, sig) // fails only where nobody is left
}

// errStartHangs is a program that the kernel has not begun to run in time.
var errStartHangs = errors.New("the start hangs")

// startScript starts argv. With errStartHangs it may still be started later; then
// it is ended at once, since its moment has passed.
func (s *scriptServer) startScript(argv []string) (*scriptProcess, error) {
	p := &scriptProcess{
		cmd: scriptCommand(argv), started: make(chan error, 1),
		exited: make(chan struct{}), release: make(chan struct{}), reaped: make(chan error, 1),
	}
	go p.live(func() error { return s.forks.start(func() error { return s.begin(p.cmd) }) })
	select {
	case err := <-p.started:
		return p, err
	case <-time.After(s.start):
	}
	if p.claimed.CompareAndSwap(false, true) {
		p.forbid()
		return p, errStartHangs
	}
	return p, <-p.started
}

// forbid ends the process that has not become the program yet: what is to be killed when the kernel is done with reading
// a program never runs it. Its number is known to the kernel alone as long as the start hangs. (A kernel without this
// list, CONFIG_PROC_CHILDREN, leaves the moment between the start and the signal of live.)
func (p *scriptProcess) forbid() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", p.thread.Load()))
	if err != nil {
		return
	}
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// live is a script from its start to its end. It keeps one thread: the
// kernel sends the parent-death signal when the thread that forked dies.
func (p *scriptProcess) live(start func() error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.thread.Store(int64(unix.Gettid()))
	err := start()
	wanted := p.claimed.CompareAndSwap(false, true)
	p.started <- err
	if err != nil {
		close(p.exited)
		return
	}
	if !wanted {
		p.signal(unix.SIGKILL)
		close(p.release)
	}
	awaitExit(p.cmd.Process.Pid)
	close(p.exited)
	<-p.release
	p.reaped <- p.cmd.Wait()
}

// awaitExit waits for a child without reaping it.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// scriptCommand is how notify scripts have always been run: its own process
// group, nothing open but /dev/null, the signals as at boot, SIGTERM if the
// helper dies.
func scriptCommand(argv []string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = scriptEnvironment(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return cmd
}

// scriptEnvironment leaves out what would change the programs a script runs, and
// what would let them speak to the supervisor in the helper's name.
func scriptEnvironment(all []string) []string {
	kept := make([]string, 0, len(all))
	for _, setting := range all {
		name, _, _ := strings.Cut(setting, "=")
		switch name {
		case "IFS", "LD_PRELOAD", "LD_LIBRARY_PATH",
			"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
			"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES":
		default:
			kept = append(kept, setting)
		}
	}
	return kept
}

// sealDescriptors keeps what this process inherited from its children: what it
// opens itself is closed on exec anyway.
func sealDescriptors() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // no /proc: then scripts inherit what we did
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// heedSignals catches what this process ignores, and lets it come to nothing:
// children inherit that a signal is ignored, as nohup(1) does with SIGHUP, but
// not that it is caught.
func heedSignals() (stop func()) {
	nowhere := make(chan os.Signal, 1)
	for sig := syscall.Signal(1); sig < 32; sig++ {
		if signal.Ignored(sig) {
			signal.Notify(nowhere, sig)
		}
	}
	return func() { signal.Stop(nowhere) }
}

// whyNotRun words the usual reasons for a script not to start.
func whyNotRun(script string, err error) string {
	_, missing := os.Stat(script)
	switch {
	case errors.Is(err, os.ErrNotExist) && missing == nil:
		return "the program that its first line (#!) names does not exist"
	case errors.Is(err, os.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return "it does not exist"
	case errors.Is(err, os.ErrPermission):
		return "it may not be executed; chmod +x it, and see that its file system is not mounted noexec"
	}
	return err.Error()
}
