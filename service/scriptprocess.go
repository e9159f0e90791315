package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scriptProcess is a script that runs, in a process group of its own.
type scriptProcess struct {
	cmd     *exec.Cmd
	exited  chan struct{} // closed when it has ended; it is not reaped yet, so its number is still its own
	release chan struct{} // to be closed when nobody signals the group any more
	reaped  chan error    // how it ended
}

// run runs a script to its end, or ends it.
func (s *scriptServer) run(argv []string) (scriptResult, string) {
	select {
	case <-s.kill:
		return scriptNotRun, errHelperEnds.Error()
	default:
	}
	p, err := startScript(argv)
	if errors.Is(err, unix.ENOEXEC) {
		// No #! line: the shell's, as execvp(3) has it.
		p, err = startScript(slices.Concat([]string{"/bin/sh", p.cmd.Path}, argv[1:]))
	}
	if err != nil {
		return scriptNotRun, whyNotRun(argv[0], err)
	}
	why := fmt.Sprintf("it ran longer than %v", s.timeout)
	select {
	case <-p.exited:
		if err := p.reap(); err != nil {
			return scriptFailed, err.Error()
		}
		return scriptSucceeded, ""
	case <-time.After(s.timeout):
	case <-s.kill:
		why = errHelperEnds.Error()
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		p.signal(sig)
		if endsWithin(p.exited, s.grace) {
			p.signal(unix.SIGKILL) // what it left in its group
			_ = p.reap()           // how it ended is known
			return scriptEnded, fmt.Sprintf("%s (%s)", why, unix.SignalName(sig))
		}
	}
	close(p.release)
	return scriptEnded, why + ", but is still there: it hangs in the kernel, likely on a disk"
}

// reap says how a script that has exited ended.
func (p *scriptProcess) reap() error {
	close(p.release)
	return <-p.reaped
}

func (p *scriptProcess) signal(sig unix.Signal) {
	_ = unix.Kill(-p.cmd.Process.Pid, sig) // fails only where nobody is left
}

// startScript starts argv. What it starts keeps one thread until it ends: the
// kernel sends the parent-death signal when the thread that forked dies.
func startScript(argv []string) (*scriptProcess, error) {
	p := &scriptProcess{
		cmd:    scriptCommand(argv),
		exited: make(chan struct{}), release: make(chan struct{}), reaped: make(chan error, 1),
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		awaitExit(p.cmd.Process.Pid)
		close(p.exited)
		<-p.release
		p.reaped <- p.cmd.Wait()
	}()
	return p, <-started
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

const (
	// scriptLinger is how long a launched helper outlives its service.
	scriptLinger = 5 * time.Second
	// scriptLaunchTime is how long a launched helper may take to answer.
	scriptLaunchTime = 5 * time.Second
	// scriptAnswerTime is how long one that runs may take.
	scriptAnswerTime = 2 * time.Second
)

// launchScripts sees to it that a helper answers in the runtime directory:
// where none does, it starts `self helper scripts`, in a session of its own. The
// service calls it before READY and never afterwards, since it forks.
func launchScripts(self, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("cannot start the script helper: %w", err)
	}
	sealDescriptors()
	path := filepath.Join(dir, scriptSocket)
	if scriptsAnswer(path) == nil {
		return nil
	}
	cmd := exec.Command(self, "helper", "scripts", "--runtime-dir", dir, "--linger", scriptLinger.String())
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the script helper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	patience := time.After(scriptLaunchTime)
	for {
		if scriptsAnswer(path) == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the script helper ended at once: %v; run %q by hand to see why", err, cmd)
		case <-patience:
			_ = cmd.Process.Kill()
			return fmt.Errorf("the script helper does not answer on %s: %w", path, context.DeadlineExceeded)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// scriptsAnswer waits for a helper's greeting.
func scriptsAnswer(path string) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(scriptAnswerTime)); err != nil {
		return err
	}
	var greeting scriptOutcome
	if err := json.NewDecoder(conn).Decode(&greeting); err != nil {
		return err
	}
	if !greeting.Ready {
		return errHelperGone
	}
	return nil
}
