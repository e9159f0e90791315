package lab

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"standfast/hw/hwtest"

	"golang.org/x/sys/unix"
)

// A Unit is what a [Supervisor] is told about a daemon. In systemd's words it has Type=notify, NotifyAccess=main, KillMode=mixed,
// Restart=always, and these.
type Unit struct {
	Watchdog time.Duration // WatchdogSec=; 0: the daemon is not watched
	// Pipe has the daemon write its log into a pipe; else it is a stream socket, as to systemd's journal.
	Pipe bool
	// Environment= has more variables: NAME=VALUE.
	Environment []string
}

// What else the unit has: TimeoutAbortSec, TimeoutStopSec, RestartSec.
const (
	timeoutAbort = 2 * time.Second
	timeoutStop  = 5 * time.Second
	restartAfter = time.Second
)

const (
	notifySocket = "/run/systemd/notify"
	// notifyPoll is how long the supervisor waits for a word before it looks at everything else.
	notifyPoll = 20 * time.Millisecond
)

// A Supervisor plays PID 1 for a daemon on a router. It starts the daemon, hears what it has to say (sd_notify), ends it by
// SIGABRT, then SIGKILL, when it was silent for longer than the watchdog allows, and starts it again however it ended. What is
// left of a unit when its daemon has ended is killed.
//
// Both of its ears can be stopped, as PID 1 and the journal are when their own disk hangs.
type Supervisor struct {
	// Notify is PID 1's ear, Journal the journal's.
	Notify, Journal Valve

	member *Member
	daemon Daemon
	unit   Unit
	socket *net.UnixConn

	quit chan struct{} // closed to stop
	done chan struct{} // closed when stopped

	mu     sync.Mutex
	report Report
	run    run
}

// A Report is what a supervisor saw.
type Report struct {
	Starts    int
	Ready     int         // how often the daemon said READY=1
	Pings     int         // WATCHDOG=1
	Kills     []time.Time // by the watchdog
	Ends      []time.Time // of the daemon, by itself or by anybody, but not by Stop
	Strangers int         // words of somebody else than the daemon
	Stuck     int         // processes that SIGKILL did not end
	Stopped   time.Duration
	Status    string // the daemon's last STATUS
	Err       error  // why the supervisor gave up
}

// run is one life of the daemon.
type run struct {
	process    *hwtest.Process
	invocation string
	outlet     *os.File // the daemon's end of its log
	ready      bool
	fed        time.Time
}

// Supervise starts a daemon on the member under a supervisor. A daemon that ran there before must have ended.
func (m *Member) Supervise(d Daemon, u Unit) (*Supervisor, error) {
	s := &Supervisor{member: m, daemon: d, unit: u}
	if err := m.Namespace().Do(s.listen); err != nil {
		return nil, fmt.Errorf("play PID 1 on %s: %w", m.Name(), err)
	}
	return s, s.Start()
}

// listen opens the socket on which daemons are heard.
func (s *Supervisor) listen() error {
	if err := os.MkdirAll(filepath.Dir(notifySocket), 0o755); err != nil {
		return err
	}
	if err := os.Remove(notifySocket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	s.socket = socket
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	return errors.Join(err, failed)
}

// Start starts the daemon, after [Supervisor.Stop] again.
func (s *Supervisor) Start() error {
	if err := s.launch(); err != nil {
		return err
	}
	s.quit, s.done = make(chan struct{}), make(chan struct{})
	go s.supervise()
	return nil
}

// Stop ends the daemon as `systemctl stop` does and returns what was seen until then. PID 1 hears again.
func (s *Supervisor) Stop() Report {
	s.Notify.Open()
	if s.quit != nil {
		close(s.quit)
		<-s.done
		s.quit = nil
	}
	return s.Report()
}

// Close frees the socket. The daemon has been stopped, or goes with its router.
func (s *Supervisor) Close() error {
	s.Notify.Open()
	s.Journal.Open()
	return s.socket.Close()
}

// Report returns what was seen so far.
func (s *Supervisor) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Kills, r.Ends = slices.Clone(r.Kills), slices.Clone(r.Ends)
	return r
}

// Processes are those of the unit, by their numbers: the daemon and what it started, and what that started.
func (s *Supervisor) Processes() (map[int]string, error) {
	s.mu.Lock()
	invocation := s.run.invocation
	s.mu.Unlock()
	pids, err := s.member.Namespace().Pids()
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, pid := range pids {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)) // fails when it has ended
		if err != nil || !bytes.Contains(environment, []byte(invocation)) {
			continue
		}
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
			found[pid] = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found, nil
}

// Main returns the number of the daemon's process.
func (s *Supervisor) Main() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.process.Pid()
}

// launch starts the daemon once.
func (s *Supervisor) launch() error {
	cmd, err := s.member.prepare(s.daemon)
	if err != nil {
		return err
	}
	r := run{invocation: "INVOCATION_ID=" + strings.ToLower(rand.Text())}
	// WATCHDOG_PID is the number of the process that execs the daemon.
	cmd.Args = append([]string{"sh", "-c", `WATCHDOG_PID=$$ exec "$0" "$@"`}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.Env = slices.Concat(os.Environ(), s.unit.Environment, []string{"NOTIFY_SOCKET=" + notifySocket, r.invocation})
	if s.unit.Watchdog > 0 {
		cmd.Env = append(cmd.Env, "WATCHDOG_USEC="+strconv.FormatInt(s.unit.Watchdog.Microseconds(), 10))
	}
	ear, err := r.connect(s.unit.Pipe)
	if err != nil {
		return fmt.Errorf("make the journal of %s: %w", s.member.Name(), err)
	}
	cmd.Stdout, cmd.Stderr = r.outlet, r.outlet
	go s.keepJournal(ear)
	if err := s.member.launch(cmd); err != nil {
		return errors.Join(err, r.outlet.Close())
	}
	r.process = s.member.process
	s.mu.Lock()
	s.run = r
	s.report.Starts++
	s.mu.Unlock()
	return nil
}

// supervise is the supervisor's life.
func (s *Supervisor) supervise() {
	defer close(s.done)
	for {
		s.Notify.wait()
		heard, err := s.hear()
		switch {
		case err != nil:
			s.give(err)
			return
		case heard: // everything that was said counts before a silence does
			continue
		}
		select {
		case <-s.quit:
			s.stop()
			return
		case <-s.run.process.Done():
			s.end()
			if !s.restart() {
				return
			}
		default:
			if s.run.ready && s.unit.Watchdog > 0 && time.Since(s.run.fed) > s.unit.Watchdog {
				s.bark()
			}
		}
	}
}

func (s *Supervisor) give(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Err = err
}

// hear takes one message, if one comes soon.
func (s *Supervisor) hear() (bool, error) {
	message, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	if err := s.socket.SetReadDeadline(time.Now().Add(notifyPoll)); err != nil {
		return false, err
	}
	n, controls, _, _, err := s.socket.ReadMsgUnix(message, control)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sender(control[:controls]) != s.run.process.Pid() {
		s.report.Strangers++
		return true, nil
	}
	for line := range strings.SplitSeq(string(message[:n]), "\n") {
		s.take(line)
	}
	return true, nil
}

// sender is the process that the kernel says has sent a message, 0 if it does not.
func sender(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return 0
	}
	credentials, err := unix.ParseUnixCredentials(&messages[0])
	if err != nil {
		return 0
	}
	return int(credentials.Pid)
}

// take notes one word of the daemon. The caller holds s.mu.
func (s *Supervisor) take(line string) {
	name, value, _ := strings.Cut(line, "=")
	switch {
	case line == "READY=1":
		s.report.Ready++
		s.run.ready, s.run.fed = true, time.Now()
	case line == "WATCHDOG=1":
		s.report.Pings++
		s.run.fed = time.Now()
	case name == "STATUS":
		s.report.Status = value
	}
}

// bark is what the watchdog does: SIGABRT, for a core and a trace, then SIGKILL.
func (s *Supervisor) bark() {
	s.mu.Lock()
	s.report.Kills = append(s.report.Kills, time.Now())
	s.run.ready = false // it barks once in a life
	s.mu.Unlock()
	s.signal(syscall.SIGABRT, timeoutAbort)
}

// stop is an orderly end.
func (s *Supervisor) stop() {
	begun := time.Now()
	s.signal(syscall.SIGTERM, timeoutStop)
	s.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Stopped = time.Since(begun)
}

// signal sends a signal to the daemon and, when that does not end it in time, SIGKILL to all of the unit. A process that hangs
// in the kernel is left there, as systemd does.
func (s *Supervisor) signal(sig syscall.Signal, patience time.Duration) {
	s.run.process.Signal(sig) // fails only where it has ended
	if s.ended(patience) {
		return
	}
	s.kill()
	if !s.ended(timeoutStop) {
		s.mu.Lock()
		s.report.Stuck++
		s.mu.Unlock()
	}
}

func (s *Supervisor) ended(patience time.Duration) bool {
	select {
	case <-s.run.process.Done():
		return true
	case <-time.After(patience):
		return false
	}
}

// kill kills all of the unit.
func (s *Supervisor) kill() {
	left, err := s.Processes()
	for pid := range left {
		err = cmp.Or(err, s.member.Namespace().SignalProcess(pid, syscall.SIGKILL))
	}
	if err != nil {
		s.give(err)
	}
}

// clear kills what the daemon left, and frees what belonged to it.
func (s *Supervisor) clear() {
	s.kill()
	s.run.outlet.Close()
}

// end clears up after a daemon that ended unasked.
func (s *Supervisor) end() {
	s.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Ends = append(s.report.Ends, time.Now())
	s.run.ready = false
}

// restart starts the daemon again after a moment. It is false if the supervisor stops instead.
func (s *Supervisor) restart() bool {
	select {
	case <-s.quit:
		return false
	case <-time.After(restartAfter):
	}
	if err := s.launch(); err != nil {
		s.give(err)
		return false
	}
	return true
}
