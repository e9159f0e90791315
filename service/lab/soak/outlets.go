package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"standfast/service/lab"

	"golang.org/x/sys/unix"
)

const (
	// complainedOf is how many lines of the configuration each reload complains of, so that a log that stands still overflows.
	complainedOf = 400
	complaint    = "lvs_flush"
	reloadEvery  = 200 * time.Millisecond
	// clients is how many clients of the control socket misbehave at a time, on each router: more than are served at once.
	clients = 64
	// clientHolds is longer than the service waits for a client.
	clientHolds = 7 * time.Second
)

// noisy adds what a reload complains of.
func noisy(config []byte) []byte {
	return define(config, strings.Repeat(complaint+"\n    ", complainedOf-1)+complaint)
}

// frozenOutlets has everybody stop to whom the daemons speak: the journal, syslog, PID 1, the script helper and the clients of
// the control socket. The daemons have much to say meanwhile.
func frozenOutlets(s *stage) error {
	for _, m := range s.Members() {
		if err := s.freeze(m); err != nil {
			return err
		}
	}
	s.begin()
	pestering, enough := context.WithCancel(context.Background())
	var pests sync.WaitGroup
	defer pests.Wait()
	defer enough()
	for _, m := range s.Members() {
		one := s.supervisors[m]
		pests.Go(func() { s.reloads(pestering, m) })
		for i := range clients {
			pests.Go(func() { pester(pestering, controlSocket(one.Main()), i) })
		}
	}
	if err := s.watch(s.trouble); err != nil {
		return err
	}
	for _, m := range s.Members() { // while the clients misbehave: they must not keep out one who asks
		status, err := m.Status()
		if err != nil {
			return err
		}
		s.outcome.dropped += status.Node.Lost["log_lines_dropped"]
		if status.Node.Lost["log_lines_dropped"] == 0 {
			s.complain("%s lost no line although nobody read any, or does not say so", m.Name())
		}
	}
	enough()
	pests.Wait()
	s.undisturbed()
	s.onTime()
	return s.thaw()
}

// freeze stops everybody to whom the daemon of a router speaks.
func (s *stage) freeze(m *lab.Member) error {
	one := s.supervisors[m]
	if err := errors.Join(one.FillJournal(), one.FillNotify()); err != nil {
		return err
	}
	processes, err := one.Processes()
	if err != nil {
		return err
	}
	for pid, line := range processes {
		if strings.Contains(line, " helper ") {
			if err := m.Namespace().SignalProcess(pid, syscall.SIGSTOP); err != nil {
				return err
			}
		}
	}
	return m.Namespace().Do(s.deafSyslog)
}

// deafSyslog gives a router a /dev in which syslog's socket is full and never read, and the journal's own sockets likewise. It
// runs on the router's thread, whose mounts are its own.
func (s *stage) deafSyslog() error {
	const folder = "/run/dev"
	if err := os.MkdirAll("/run/systemd/journal", 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for _, node := range []string{"null", "zero", "full", "random", "urandom"} {
		name := filepath.Join(folder, node)
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+node, name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show /dev/%s: %w", node, err)
		}
	}
	for _, name := range []string{filepath.Join(folder, "log"), "/run/systemd/journal/socket", "/run/systemd/journal/dev-log"} {
		if err := s.deafSocket(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := unix.Mount(folder, "/dev", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show another /dev: %w", err)
	}
	return nil
}

// deafSocket binds a datagram socket, fills it, and keeps it open for as long as the stage.
func (s *stage) deafSocket(name string) error {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	s.held = append(s.held, socket)
	return fill(name)
}

// fill sends to a datagram socket until nothing more fits.
func fill(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for err == nil {
		err = unix.Sendto(fd, []byte("nobody reads this"), 0, &unix.SockaddrUnix{Name: name})
	}
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

// reloads has a daemon read its configuration, and complain of it, again and again.
func (s *stage) reloads(ctx context.Context, m *lab.Member) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.Daemon().Signal(syscall.SIGHUP) // a daemon that has ended is noticed elsewhere
		}
	}
}

// controlSocket is the control socket of a daemon, seen from outside of its router.
func controlSocket(pid int) string {
	return fmt.Sprintf("/proc/%d/root/run/standfast/control.sock", pid)
}

// pester is a client that never reads, that asks nothing, or only half a question; it comes again when it was sent away.
func pester(ctx context.Context, socket string, kind int) {
	words := []string{`{"verb":"status"}`, "", `{"verb":"sta`, `{"verb":"why"}` + strings.Repeat(" ", 8<<10)}[kind%4]
	for ctx.Err() == nil {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Write([]byte(words)) // one who is sent away has nobody to write to
			rest(ctx, clientHolds)
			conn.Close()
			continue
		}
		rest(ctx, time.Second)
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// thaw has everybody go on, and wants the daemons to be understood again: the journal tells of the loss, PID 1 hears the
// watchdog fed, the helper runs scripts.
func (s *stage) thaw() error {
	for _, m := range s.Members() {
		one := s.supervisors[m]
		processes, err := one.Processes()
		if err != nil {
			return err
		}
		for pid := range processes {
			if err := m.Namespace().SignalProcess(pid, syscall.SIGCONT); err != nil {
				return err
			}
		}
		before, at := one.Report(), time.Now()
		one.Journal.Open()
		one.Notify.Open()
		fed := lab.Eventually(2*s.watchdog, func() bool { return one.Report().Pings > before.Pings })
		if !fed {
			s.complain("%s does not feed the watchdog after PID 1 hears again", m.Name())
		}
		told := lab.Eventually(settleAfter, func() bool { return said(m, at, "messages lost") })
		if !told {
			s.complain("%s does not say how many messages were lost", m.Name())
		}
	}
	s.healthy()
	return nil
}

// settleAfter is how long things may take that are nobody's promise.
const settleAfter = 20 * time.Second

// said tells whether the daemon of a member has said something since a moment.
func said(m *lab.Member, since time.Time, text string) bool {
	for _, line := range m.Log.Between(since, time.Time{}) {
		if strings.Contains(line.Text, text) {
			return true
		}
	}
	return false
}

// why is the part of `standfast why --json` that is judged.
type why struct {
	Instances []struct {
		State       string
		Transitions []struct {
			Time             time.Time
			From, To, Reason string
		}
	}
}

// transitionsBy are the states that a daemon says it entered since a moment, the latest first.
func (s *stage) transitionsBy(m *lab.Member, since time.Time) ([]string, error) {
	out, err := m.Ask("why", "--json")
	if err != nil {
		return nil, fmt.Errorf("why on %s: %w: %s", m.Name(), err, out)
	}
	var w why
	if err := json.Unmarshal([]byte(out), &w); err != nil {
		return nil, fmt.Errorf("why on %s: %w", m.Name(), err)
	}
	var entered []string
	for _, i := range w.Instances {
		for _, t := range i.Transitions {
			if t.Time.After(since) {
				entered = append(entered, t.To)
			}
		}
	}
	return entered, nil
}
