package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// scriptLimits are the helper's times and sizes.
type scriptLimits struct {
	timeout   time.Duration // a script may run, then it gets SIGTERM
	grace     time.Duration // from SIGTERM to SIGKILL, and from there to giving up
	lastPosts time.Duration // a helper told to end still takes jobs
	drain     time.Duration // and then lets scripts finish
	start     time.Duration // for a program to be started
	waiting   int           // jobs that wait for their turn, per instance
}

func defaultScriptLimits() scriptLimits {
	return scriptLimits{
		timeout: time.Minute, grace: 2 * time.Second,
		lastPosts: time.Second, drain: 10 * time.Second, start: 10 * time.Second, waiting: 16,
	}
}

// scriptsPerChange is how many scripts one change of state posts at most: the
// one for the state and the one for every state.
const scriptsPerChange = 2

// scriptReplyTime bounds the wait for a service that does not read outcomes.
const scriptReplyTime = time.Second

// scriptServer is the helper.
type scriptServer struct {
	scriptLimits
	linger time.Duration
	log    func(string)
	forks  forks
	begin  func(*exec.Cmd) error // starts a program
	idle   chan struct{}         // closed when nobody needs the helper any more
	kill   chan struct{}         // closed when scripts that run have to end

	mu       sync.Mutex
	queues   map[string]*scriptQueue
	hanging  map[string]*scriptProcess // what could not be ended, by queue; one each
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

// serveScripts is the script helper: it runs the scripts that services ask for
// on l, those of one instance one after the other and in order, and tells how
// each ended. It takes root's word and its own user's, nobody else's.
//
// It ends when ctx does, and, where it lingers, when for that long no
// service was connected and no script ran; the service that comes back within
// that time finds its scripts in order. Either way scripts that run get ten seconds
// to finish, so that those that tell of a stop do.
func serveScripts(ctx context.Context, l *listener, o Options, limits scriptLimits) error {
	sealDescriptors()
	defer heedSignals()()
	s := &scriptServer{
		scriptLimits: limits, linger: o.Linger, log: o.Log,
		idle: make(chan struct{}), kill: make(chan struct{}),
		begin:  (*exec.Cmd).Start,
		queues: map[string]*scriptQueue{}, hanging: map[string]*scriptProcess{}, clients: map[*scriptClient]struct{}{},
	}
	if first := o.first(); first > 0 {
		s.mu.Lock()
		s.lingerer = time.AfterFunc(first, s.endIfIdle)
		s.mu.Unlock()
	}
	failed := make(chan error, 1)
	go func() { failed <- l.accept(s.log, s.serve) }()
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.forks.keepHouse(working)
	again := &relauncher{program: selfProgram, dir: o.RuntimeDir, forks: &s.forks, log: o.Log, needed: s.needed}
	go tie(working, o, Scripts, again.start)
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

// needed says whether a service is there.
func (s *scriptServer) needed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients) > 0 && !s.closing
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
	if err := CheckPeer(conn); err != nil {
		s.log(err.Error())
		return
	}
	c := &scriptClient{conn: conn, log: s.log}
	if !s.enter(c) {
		return
	}
	defer s.leave(c)
	ended := make(chan struct{})
	defer close(ended)
	go c.beat(ended)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, scriptLine)
	for lines.Scan() {
		job, err := readScriptJob(lines.Text())
		if err != nil {
			c.reply(job.outcome(ScriptNotRun, err.Error()))
			continue
		}
		s.submit(scriptTask{job, c})
	}
	if err := lines.Err(); err != nil && !errors.Is(err, net.ErrClosed) { // closed by this helper, which ends
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

// submit queues a job. Where too many wait, a script is slower than the states
// change: all but those of the latest change are left out.
func (s *scriptServer) submit(t scriptTask) {
	left, ok := s.enqueue(t)
	if !ok {
		t.from.reply(t.outcome(ScriptNotRun, errEnds.Error()))
	}
	for _, t := range left {
		t.from.reply(t.outcome(ScriptSuperseded, "the one before it took too long"))
	}
	if len(left) > 0 {
		s.log(fmt.Sprintf("%d notify scripts of %s were left out: the one before them took too long", len(left), t.Instance))
	}
}

// errEnds is why a job came too late.
var errEnds = errors.New("the script helper is ending")

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
		o := t.outcome(s.run(instance, t.Argv))
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

// beat greets the service, and goes on to show that the helper lives.
func (c *scriptClient) beat(ended <-chan struct{}) {
	greeting := []byte(readyLine)
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		_ = c.send(greeting) // whoever does not hear it will be noticed by the reader
		select {
		case <-ended:
			return
		case <-ticker.C:
		}
	}
}

// reply tells the service; where it is gone, the log.
func (c *scriptClient) reply(o ScriptOutcome) {
	line, err := json.Marshal(o)
	if err == nil {
		err = c.send(append(line, '\n'))
	}
	if err != nil {
		c.log(o.String())
	}
}

func (c *scriptClient) send(line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(scriptReplyTime)); err != nil {
		return err
	}
	_, err := c.conn.Write(line)
	return err
}
