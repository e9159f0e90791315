package helper

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// launchLimits are the launcher's program, times and bounds.
type launchLimits struct {
	program  string        // what is started as a helper
	start    time.Duration // for a helper to say that it is there
	first    time.Duration // the pause before one that did not last is started again,
	last     time.Duration // doubled each time up to this
	lasting  time.Duration // one that was there for so long starts afresh
	unreaped int           // processes of one helper that may be left, hanging in the kernel, before no more are started
}

// selfProgram is this program, whatever has become of its file: it needs no look at a disk.
const selfProgram = "/proc/self/exe"

func defaultLaunchLimits(program string) launchLimits {
	return launchLimits{
		program: program, start: startPatience, first: 100 * time.Millisecond, last: 30 * time.Second,
		lasting: time.Minute, unreaped: 4,
	}
}

// launcher starts helpers and starts them again. What it knows of them it knows from their connections, not from having
// started them: one that runs already is as good as its own, and a launcher that takes the place of another finds them
// all.
type launcher struct {
	launchLimits
	dir     string
	log     func(string)
	forks   forks
	service *attendance
	kept    []*kept
	line    atomic.Pointer[[]byte] // what is said every beat

	mu      sync.Mutex
	clients map[*end]struct{} // the services
}

// kept is a helper that is kept running.
type kept struct {
	helper  Kind
	changed chan struct{}

	mu       sync.Mutex
	there    int // connections by which it shows that it lives
	starts   uint64
	unreaped int
}

// hello is the first word of whoever wants more from the launcher than its greeting, and is said again every beat: which
// helper it is, or that it is a service.
type hello struct {
	Helper Kind `json:"helper,omitempty"`
}

// launchWord is what the launcher says.
type launchWord struct {
	Ready bool   `json:"ready"`
	Note  string `json:"note,omitempty"` // for the service's log
	// Starts counts how often each helper was started by this launcher.
	Starts map[Kind]uint64 `json:"starts,omitempty"`
}

// serveLauncher is the launcher process.
func serveLauncher(ctx context.Context, l *listener, o Options, limits launchLimits) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &launcher{
		launchLimits: limits, dir: o.RuntimeDir, log: o.Log, service: newAttendance(o.first(), o.Linger), clients: map[*end]struct{}{},
	}
	for _, h := range []Kind{Scripts, Disk} {
		s.kept = append(s.kept, &kept{helper: h, changed: make(chan struct{}, 1)})
	}
	s.refresh()
	for _, k := range s.kept {
		go s.keep(ctx, k)
	}
	go s.forks.keepHouse(ctx)
	failed := make(chan error, 1)
	go func() { failed <- l.accept(s.log, func(conn *net.UnixConn) { s.serve(ctx, conn) }) }()
	defer l.Close()
	select {
	case <-ctx.Done():
	case <-s.service.over:
	case err := <-failed:
		return err
	}
	return nil
}

// serve is one connection, of a helper or of a service.
func (s *launcher) serve(ctx context.Context, conn *net.UnixConn) {
	c := &end{UnixConn: conn}
	defer c.Close()
	if err := CheckPeer(conn); err != nil {
		s.log(err.Error())
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.beat(ctx, func() []byte { return *s.line.Load() })
	leave := func() {}
	defer func() { leave() }()
	known := false
	_ = c.listen(func(line []byte) error { // how it ends makes no difference
		var h hello
		if known {
			return nil
		}
		known = true
		if err := json.Unmarshal(line, &h); err != nil {
			return err
		}
		left, err := s.enter(c, h.Helper)
		if err == nil {
			leave = left
		}
		return err
	})
}

// enter makes a connection that of a helper or of a service.
func (s *launcher) enter(c *end, h Kind) (leave func(), err error) {
	if h == "" {
		return s.enterService(c)
	}
	for _, k := range s.kept {
		if k.helper == h {
			k.attend(1)
			return func() { k.attend(-1) }, nil
		}
	}
	return nil, fmt.Errorf("nobody knows the helper %q", h)
}

func (s *launcher) enterService(c *end) (leave func(), err error) {
	if !s.service.enter() {
		return nil, errEnds
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c] = struct{}{}
	for _, k := range s.kept {
		wakeUp(k.changed)
	}
	return func() {
		s.service.leave()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.clients, c)
	}, nil
}

// note has the services log a line.
func (s *launcher) note(format string, args ...any) {
	w := s.word()
	w.Note = fmt.Sprintf(format, args...)
	s.log(w.Note)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		go func() { _ = c.say(w) }() // one that does not listen will be noticed by its beat
	}
}

// refresh makes the line anew that is said every beat.
func (s *launcher) refresh() {
	line := lineOf(s.word())
	s.line.Store(&line)
}

func (s *launcher) word() launchWord {
	w := launchWord{Ready: true, Starts: map[Kind]uint64{}}
	for _, k := range s.kept {
		w.Starts[k.helper] = k.started()
	}
	return w
}

func (k *kept) attend(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.there += n
	wakeUp(k.changed)
}

func (k *kept) isThere() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.there > 0
}

func (k *kept) started() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.starts
}

// hanging says how many of its processes were started and have not ended.
func (k *kept) hanging() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unreaped
}

// keep starts the helper whenever it is missing while a service is there.
func (s *launcher) keep(ctx context.Context, k *kept) {
	rest := s.first
	for ctx.Err() == nil {
		k.until(ctx, nil, func() bool { return !k.isThere() && s.service.anybody() })
		began := time.Now()
		s.bring(ctx, k)
		k.until(ctx, nil, func() bool { return !k.isThere() })
		if time.Since(began) > s.lasting {
			rest = s.first
		}
		pause(ctx, rest)
		rest = min(2*rest, s.last)
	}
}

// until waits until something holds, but not longer than for ctx and patience.
func (k *kept) until(ctx context.Context, patience <-chan time.Time, holds func() bool) (held bool) {
	for !holds() {
		select {
		case <-ctx.Done():
			return false
		case <-patience:
			return holds()
		case <-k.changed:
		}
	}
	return true
}

// bring has the helper there. One that answers, though nobody here started it, needs a moment to say so here as well;
// one that a unit provides never does, and is looked after by whoever started it.
func (s *launcher) bring(ctx context.Context, k *kept) {
	if ctx.Err() != nil {
		return
	}
	patience := time.After(s.start)
	if greets(s.dir, k.helper, answerPatience) == nil {
		k.until(ctx, patience, k.isThere)
		return
	}
	if k.hanging() >= s.unreaped {
		s.note("the %v is not started again: %d of its processes hang in the kernel, likely on a disk", k.helper, s.unreaped)
		return
	}
	p, err := s.fork(k)
	if err != nil {
		s.note("cannot start the %v: %v", k.helper, err)
		return
	}
	if k.started() > 1 {
		s.note("the %v was gone and is started again", k.helper)
	}
	if !k.until(ctx, patience, func() bool { return k.isThere() || p.ended() }) && ctx.Err() == nil {
		s.note("the %v does not answer %v after its start and is killed", k.helper, s.start)
		_ = p.cmd.Process.Kill()
	}
}

// child is a process that was started.
type child struct {
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended
	err  error         // how, from then on
}

// startChild starts a program and waits for its end beside.
func startChild(cmd *exec.Cmd, f *forks) (*child, error) {
	c := &child{cmd: cmd, over: make(chan struct{})}
	if err := f.start(cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		c.err = cmd.Wait()
		close(c.over)
	}()
	return c, nil
}

func (c *child) ended() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

func (s *launcher) fork(k *kept) (*child, error) {
	p, err := startChild(commandOf(s.program, s.dir, k.helper), &s.forks)
	if err != nil {
		return nil, err
	}
	k.count(1, 1)
	s.refresh()
	go func() {
		<-p.over
		k.count(0, -1)
		if p.err != nil {
			s.note("the %v ended: %v", k.helper, p.err)
		}
	}()
	return p, nil
}

func (k *kept) count(starts uint64, unreaped int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.starts += starts
	k.unreaped += unreaped
	wakeUp(k.changed)
}
