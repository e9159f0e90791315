package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Notify scripts are run by a helper process, because a process that forks
// freezes when the disk it forks from hangs. This file is the service's end of
// the conversation, scriptserver.go the helper's; they exchange JSON, one object
// a line: the helper greets, then jobs go one way and outcomes the other.

const (
	// scriptRing is how many jobs wait for a helper that does not take them.
	scriptRing = 256

	// The pause before the helper is tried again doubles from first to last.
	scriptFirstPause = 50 * time.Millisecond
	scriptLastPause  = 5 * time.Second

	// scriptLastWords is how long a service that stops still sends jobs and
	// hears outcomes.
	scriptLastWords = time.Second

	// scriptLine bounds a job's line, in bytes.
	scriptLine = 1 << 20
)

// scriptJob is one script to run, on the wire and off.
type scriptJob struct {
	ID       uint64   `json:"id"`       // of the sender's choosing
	Instance string   `json:"instance"` // jobs of one instance run in order, one at a time
	Argv     []string `json:"argv"`

	line []byte // as it is sent
}

// ScriptResult says how a job ended.
type ScriptResult string

// How a job may end.
const (
	ScriptSucceeded  ScriptResult = "succeeded"
	ScriptFailed     ScriptResult = "failed"         // ended with a status or by a signal
	ScriptEnded      ScriptResult = "was ended"      // by the helper, with a signal
	ScriptNotRun     ScriptResult = "could not run"  // never started
	ScriptSuperseded ScriptResult = "was superseded" // left out by the helper, for later ones of its instance
	ScriptDropped    ScriptResult = "was dropped"    // never reached the helper
	ScriptUnknown    ScriptResult = "is unknown"     // the helper went away with it
)

// ScriptOutcome is what became of a job. The helper's greeting is one whose
// Ready is true.
type ScriptOutcome struct {
	Ready    bool         `json:"ready,omitempty"`
	ID       uint64       `json:"id,omitempty"`
	Instance string       `json:"instance,omitempty"`
	Argv     []string     `json:"argv,omitempty"`
	Result   ScriptResult `json:"result,omitempty"`
	Detail   string       `json:"detail,omitempty"` // why, unless it succeeded
	Seconds  float64      `json:"seconds,omitempty"`
}

// String is the line for the log.
func (o ScriptOutcome) String() string {
	text := fmt.Sprintf("notify script %q of %s %s", strings.Join(o.Argv, " "), o.Instance, o.Result)
	if o.Detail != "" {
		text += ": " + o.Detail
	}
	if o.Seconds > 0 {
		text += fmt.Sprintf(" (after %.3f s)", o.Seconds)
	}
	return text
}

// ScriptOutlet is the service's end. Every job that is posted while Run runs
// comes to exactly one outcome, except those the helper still has when Run ends.
type ScriptOutlet struct {
	path string
	tell func(ScriptOutcome) // called by Post and by Run; must not block
	log  func(string)        // called by Run
	wake chan struct{}
	now  func() time.Duration

	posted atomic.Uint64

	mu    sync.Mutex
	ring  []scriptJob          // posted and not sent, oldest first
	sent  map[uint64]scriptJob // sent, without an outcome yet
	drops uint64
	there Presence
	// trouble is what of each queue could not be run, until something of it can.
	trouble map[string]ScriptOutcome
}

// ScriptReport is what is known of the script helper and its work.
type ScriptReport struct {
	Presence
	Waiting int      // scripts that the helper has not taken
	Trouble []string // scripts that could not be run, and why, one for each queue at most
}

// NewScriptOutlet makes the service's end of the conversation with the script helper in the runtime directory. It tells what becomes
// of each script, and logs what becomes of the helper; neither may block.
func NewScriptOutlet(runtimeDir string, now func() time.Duration, tell func(ScriptOutcome), log func(string)) *ScriptOutlet {
	return &ScriptOutlet{
		path: filepath.Join(runtimeDir, Scripts.socket()), now: now, tell: tell, log: log, wake: make(chan struct{}, 1),
		sent: map[uint64]scriptJob{}, trouble: map[string]ScriptOutcome{},
	}
}

// Report is a copy of what is known.
func (s *ScriptOutlet) Report() ScriptReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := ScriptReport{Presence: s.there, Waiting: len(s.ring)}
	for _, queue := range slices.Sorted(maps.Keys(s.trouble)) {
		r.Trouble = append(r.Trouble, s.trouble[queue].String())
	}
	return r
}

// attend notes whether the helper is there, and says whether that is news.
func (s *ScriptOutlet) attend(there bool) (before Presence, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.there
	if before.Known && before.There == there {
		return before, false
	}
	s.there = Presence{Known: true, There: there, Since: s.now()}
	return before, true
}

// learn remembers what of a queue could not be run.
func (s *ScriptOutlet) learn(queue string, o ScriptOutcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.Result {
	case ScriptNotRun, ScriptEnded:
		s.trouble[queue] = o
	case ScriptSucceeded, ScriptFailed:
		delete(s.trouble, queue)
	case ScriptSuperseded, ScriptDropped, ScriptUnknown:
	}
}

// Post asks for a script and never waits for anybody. When too many wait, the
// oldest is dropped, since the newest tells the state that holds.
func (s *ScriptOutlet) Post(instance string, argv []string) {
	job := scriptJob{ID: s.posted.Add(1), Instance: instance, Argv: slices.Clone(argv)}
	if err := job.encode(); err != nil {
		s.tell(job.outcome(ScriptNotRun, err.Error()))
		return
	}
	if lost, full := s.push(job); full {
		s.tell(lost.outcome(ScriptDropped, "the script helper does not take any"))
	}
	wakeUp(s.wake)
}

func (s *ScriptOutlet) push(job scriptJob) (lost scriptJob, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring = append(s.ring, job)
	if len(s.ring) <= scriptRing {
		return scriptJob{}, false
	}
	lost = s.ring[0]
	s.ring = slices.Delete(s.ring, 0, 1)
	s.drops++
	return lost, true
}

// encode makes the line, or says why the helper would not take it.
func (j *scriptJob) encode() error {
	if len(j.Argv) == 0 || j.Argv[0] == "" {
		return errNoScript
	}
	line, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if len(line) >= scriptLine {
		return fmt.Errorf("its arguments are too long: %d bytes of at most %d", len(line), scriptLine)
	}
	j.line = append(line, '\n')
	return nil
}

// errNoScript is a job without a program.
var errNoScript = errors.New("the request names no script")

// Drops counts the jobs that never reached the helper.
func (s *ScriptOutlet) Drops() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drops
}

// Run keeps a connection to the helper and sends what is posted, until ctx ends
// and then until the helper has answered, but not longer than a second.
func (s *ScriptOutlet) Run(ctx context.Context) {
	pause := scriptFirstPause
	for {
		greeted, err := s.converse(ctx)
		if ctx.Err() != nil {
			s.abandon()
			return
		}
		if greeted {
			pause = scriptFirstPause
		}
		if _, news := s.attend(false); news {
			s.log(fmt.Sprintf("the script helper is not there, notify scripts wait for it: %v", err))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, scriptLastPause)
	}
}

// converse is one connection, from its beginning to its end.
func (s *ScriptOutlet) converse(ctx context.Context) (greeted bool, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.path, Net: "unix"})
	if err != nil {
		return false, err
	}
	lastWords := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Now().Add(scriptLastWords)) // fails only where conn is closed
	})
	defer lastWords()
	heard, gone := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(gone)
		greeted = s.listen(conn, heard)
	}()
	err = s.send(ctx, conn, heard, gone)
	_ = conn.Close() // nothing is buffered that could be lost
	<-gone
	if ctx.Err() == nil {
		s.forget()
	}
	return greeted, err
}

// errGone is a connection that the helper closed.
var errGone = errors.New("it closed the connection")

// send sends what is posted until the helper is gone; after the end of ctx only
// until nothing is left to send or to hear.
func (s *ScriptOutlet) send(ctx context.Context, conn net.Conn, heard, gone <-chan struct{}) error {
	stop := ctx.Done()
	for {
		job, ok := s.take()
		if ok {
			if err := s.write(conn, job); err != nil {
				return err
			}
			continue
		}
		if ctx.Err() != nil && !s.waiting() {
			return nil
		}
		select {
		case <-s.wake:
		case <-heard:
		case <-stop:
			stop = nil
		case <-gone:
			return errGone
		}
	}
}

// write sends one job. A job of which nothing went out waits for the next
// connection; one that went out in part counts as sent, lest it run twice.
func (s *ScriptOutlet) write(conn net.Conn, job scriptJob) error {
	n, err := conn.Write(job.line)
	if err != nil && n == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sent, job.ID)
		s.ring = slices.Insert(s.ring, 0, job)
	}
	return err
}

// listen hands on the outcomes until the connection ends.
func (s *ScriptOutlet) listen(conn net.Conn, heard chan<- struct{}) (greeted bool) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 2*scriptLine) // an outcome repeats its job
	silent := time.AfterFunc(silence, func() { _ = conn.Close() })
	defer silent.Stop()
	for lines.Scan() {
		silent.Reset(silence)
		var o ScriptOutcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			s.log(fmt.Sprintf("the script helper says what is not understood: %v", err))
			return greeted
		}
		if o.Ready {
			greeted = true
			if before, news := s.attend(true); news && before.Known {
				s.log("the script helper is there again")
			}
		} else if job, ok := s.settle(o.ID); ok {
			s.learn(job.Instance, o)
			s.tell(o)
		}
		wakeUp(heard)
	}
	return greeted
}

func (s *ScriptOutlet) take() (scriptJob, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == 0 {
		return scriptJob{}, false
	}
	job := s.ring[0]
	s.ring = slices.Delete(s.ring, 0, 1)
	s.sent[job.ID] = job
	return job, true
}

func (s *ScriptOutlet) settle(id uint64) (scriptJob, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	job, ok := s.sent[id]
	delete(s.sent, id)
	return job, ok
}

func (s *ScriptOutlet) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent) > 0
}

// forget gives up on what was sent over a connection that ended.
func (s *ScriptOutlet) forget() {
	s.mu.Lock()
	lost := s.sent
	s.sent = map[uint64]scriptJob{}
	s.mu.Unlock()
	for _, job := range lost {
		s.tell(job.outcome(ScriptUnknown, "the script helper went away before it said how it ended"))
	}
}

// abandon gives up on what was never sent.
func (s *ScriptOutlet) abandon() {
	s.mu.Lock()
	lost := s.ring
	s.ring = nil
	s.drops += uint64(len(lost))
	s.mu.Unlock()
	for _, job := range lost {
		s.tell(job.outcome(ScriptDropped, "the service stopped before the script helper took it"))
	}
}

func (j scriptJob) outcome(result ScriptResult, detail string) ScriptOutcome {
	return ScriptOutcome{ID: j.ID, Instance: j.Instance, Argv: j.Argv, Result: result, Detail: detail}
}

// wakeUp leaves a note for whoever waits on c; one note is enough.
func wakeUp(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
