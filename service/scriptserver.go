package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scriptLimits are the helper's times and sizes.
type scriptLimits struct {
	timeout   time.Duration // a script may run, then it gets SIGTERM
	grace     time.Duration // from SIGTERM to SIGKILL, and from there to giving up
	lastPosts time.Duration // a helper told to end still takes jobs
	drain     time.Duration // and then lets scripts finish
	waiting   int           // jobs that wait for their turn, per instance
}

func defaultScriptLimits() scriptLimits {
	return scriptLimits{
		timeout: time.Minute, grace: 2 * time.Second,
		lastPosts: time.Second, drain: 10 * time.Second, waiting: 16,
	}
}

// scriptsPerChange is how many scripts one change of state posts at most: the
// one for the state and the one for every state.
const scriptsPerChange = 2

// scriptReplyTime bounds the wait for a service that does not read outcomes.
const scriptReplyTime = time.Second

// ListenScripts opens the helper's socket in the runtime directory, for root (or
// the user it runs as) alone: whoever may write to it runs programs as that
// user. Where another helper answers the error is unix.EADDRINUSE; a socket that
// nobody answers on any more is replaced.
func ListenScripts(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, scriptSocket)
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return nil, fmt.Errorf("another script helper answers on %s: %w", path, unix.EADDRINUSE)
	case errors.Is(err, unix.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("cannot replace the socket of an earlier script helper: %w", err)
		}
	}
	// The mode that the socket has before bind is the one its name gets, so
	// there is no moment at which others could connect.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (at most 107 bytes long): %w", path, err)
	}
	return l.(*net.UnixListener), nil
}

// scriptServer is the helper.
type scriptServer struct {
	scriptLimits
	linger time.Duration
	log    func(string)
	idle   chan struct{} // closed when nobody needs the helper any more
	kill   chan struct{} // closed when scripts that run have to end

	mu       sync.Mutex
	queues   map[string]*scriptQueue
	clients  map[*scriptClient]struct{}
	closing  bool // no new clients
	deaf     bool // no new jobs
	lingerer *time.Timer
	running  sync.WaitGroup // one for each queue
}

// scriptQueue is what waits for one instance while a script of it runs.
type scriptQueue struct{ waiting []scriptTask }

type scriptTask struct {
	scriptJob
	from *scriptClient
}

// ServeScripts is the helper process: it runs the scripts that services ask for
// on l, those of one instance one after the other and in order, and tells how
// each ended. It takes root's word and its own user's, nobody else's.
//
// It ends when ctx does, and, where linger is not 0, when for that long no
// service was connected and no script ran; the service that comes back within
// linger finds its scripts in order. Either way scripts that run get ten seconds
// to finish, so that those that tell of a stop do.
//
// log takes a line and must not block for long.
func ServeScripts(ctx context.Context, l *net.UnixListener, linger time.Duration, log func(string)) error {
	return serveScripts(ctx, l, linger, log, defaultScriptLimits())
}

func serveScripts(ctx context.Context, l *net.UnixListener, linger time.Duration, log func(string), limits scriptLimits) error {
	sealDescriptors()
	defer heedSignals()()
	s := &scriptServer{
		scriptLimits: limits, linger: linger, log: log,
		idle: make(chan struct{}), kill: make(chan struct{}),
		queues: map[string]*scriptQueue{}, clients: map[*scriptClient]struct{}{},
	}
	s.mu.Lock()
	s.rest()
	s.mu.Unlock()
	failed := make(chan error, 1)
	go func() { failed <- s.accept(l) }()
	var err error
	select {
	case <-ctx.Done():
	case <-s.idle:
	case err = <-failed:
	}
	_ = l.Close()
	s.finish()
	return err
}

// accept greets services until the listener is closed.
func (s *scriptServer) accept(l *net.UnixListener) error {
	for {
		conn, err := l.AcceptUnix()
		switch {
		case err == nil:
			go s.serve(conn)
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.ENOMEM):
			s.log(fmt.Sprintf("cannot accept a connection: %v", err))
			time.Sleep(scriptFirstPause)
		default:
			return fmt.Errorf("the script helper cannot listen any more: %w", err)
		}
	}
}

// finish takes the last jobs, lets scripts end by themselves as long as it may,
// and then ends them.
func (s *scriptServer) finish() {
	s.mu.Lock()
	s.closing = true
	connected := len(s.clients) > 0
	s.mu.Unlock()
	if connected {
		endsWithin(s.idle, s.lastPosts)
	}
	s.mu.Lock()
	s.deaf = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	if !endsWithin(done, s.drain) {
		close(s.kill)
		endsWithin(done, 3*s.grace)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		_ = c.conn.Close()
	}
}

func endsWithin(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// rest is called under the lock whenever somebody left: once nobody is there
// and no script runs, the helper ends, after its linger where it has one.
func (s *scriptServer) rest() {
	switch {
	case len(s.clients) > 0 || len(s.queues) > 0:
	case s.closing:
		close(s.idle)
	case s.linger > 0:
		s.lingerer = time.AfterFunc(s.linger, s.endIfIdle)
	}
}

func (s *scriptServer) endIfIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing && len(s.clients) == 0 && len(s.queues) == 0 {
		s.closing = true
		close(s.idle)
	}
}

// enter takes in a client, unless it is too late.
func (s *scriptServer) enter(c *scriptClient) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.lingerer != nil {
		s.lingerer.Stop()
	}
	s.clients[c] = struct{}{}
	return true
}

func (s *scriptServer) leave(c *scriptClient) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
	s.rest()
}

// scriptClient is a connected service.
type scriptClient struct {
	conn *net.UnixConn
	log  func(string)
	mu   sync.Mutex // one line at a time
}

// serve reads the jobs of one service until it hangs up.
func (s *scriptServer) serve(conn *net.UnixConn) {
	defer conn.Close()
	if err := scriptPeer(conn); err != nil {
		s.log(err.Error())
		return
	}
	c := &scriptClient{conn: conn, log: s.log}
	if !s.enter(c) {
		return
	}
	defer s.leave(c)
	c.reply(scriptOutcome{Ready: true})
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, scriptLine)
	for lines.Scan() {
		job, err := readScriptJob(lines.Text())
		if err != nil {
			c.reply(job.outcome(scriptNotRun, err.Error()))
			continue
		}
		s.submit(scriptTask{job, c})
	}
	if err := lines.Err(); err != nil {
		s.log(fmt.Sprintf("a service is not understood: %v", err))
	}
}

// readScriptJob refuses what it does not know: a field that is to restrict a
// script must not be passed over by a helper that is older than the service.
func readScriptJob(line string) (scriptJob, error) {
	var job scriptJob
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&job); err != nil {
		return job, fmt.Errorf("the request is not understood: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return job, errors.New("the request is not understood: there is more than one on the line")
	}
	if len(job.Argv) == 0 || job.Argv[0] == "" {
		return job, errNoScript
	}
	return job, nil
}

// scriptPeer refuses everybody but root and the user the helper runs as, should
// the socket's mode have been changed.
func scriptPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("a process was refused, because who it is cannot be found out: %w", err)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("process %d of user %d was refused: only root may have scripts run", peer.Pid, peer.Uid)
	}
	return nil
}

// submit queues a job. Where too many wait, a script is slower than the states
// change: all but those of the latest change are left out.
func (s *scriptServer) submit(t scriptTask) {
	left, ok := s.enqueue(t)
	if !ok {
		t.from.reply(t.outcome(scriptNotRun, errHelperEnds.Error()))
	}
	for _, t := range left {
		t.from.reply(t.outcome(scriptSuperseded, "the one before it took too long"))
	}
	if len(left) > 0 {
		s.log(fmt.Sprintf("%d notify scripts of %s were left out: the one before them took too long", len(left), t.Instance))
	}
}

// errHelperEnds is why a job came too late.
var errHelperEnds = errors.New("the script helper is ending")

func (s *scriptServer) enqueue(t scriptTask) (left []scriptTask, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		return nil, false
	}
	q, running := s.queues[t.Instance]
	if !running {
		q = &scriptQueue{}
		s.queues[t.Instance] = q
		s.running.Add(1)
		go s.work(t.Instance, q)
	}
	q.waiting = append(q.waiting, t)
	if len(q.waiting) > s.waiting {
		n := len(q.waiting) - scriptsPerChange
		left = slices.Clone(q.waiting[:n])
		q.waiting = slices.Delete(q.waiting, 0, n)
	}
	return left, true
}

// work runs the scripts of one instance until none waits.
func (s *scriptServer) work(instance string, q *scriptQueue) {
	defer s.running.Done()
	for {
		t, ok := s.dequeue(instance, q)
		if !ok {
			return
		}
		start := time.Now()
		o := t.outcome(s.run(t.Argv))
		o.Seconds = time.Since(start).Seconds()
		t.from.reply(o)
	}
}

// dequeue closes the queue in the moment in which it is empty.
func (s *scriptServer) dequeue(instance string, q *scriptQueue) (scriptTask, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.waiting) == 0 {
		delete(s.queues, instance)
		s.rest()
		return scriptTask{}, false
	}
	t := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return t, true
}

// reply tells the service; where it is gone, the log.
func (c *scriptClient) reply(o scriptOutcome) {
	line, err := json.Marshal(o)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err = c.conn.SetWriteDeadline(time.Now().Add(scriptReplyTime)); err == nil {
			_, err = c.conn.Write(append(line, '\n'))
		}
	}
	if err != nil && !o.Ready {
		c.log(o.String())
	}
}
