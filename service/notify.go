package service

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// retryNotify is the wait after the service manager could not be told something.
const retryNotify = time.Second

// systemd tells the service manager how the service fares. Its methods put a word down
// and return; one goroutine sends, because sending blocks without end when the service
// manager does not read: its queue holds as few as ten messages, and it hangs when its
// own disk does.
//
// Of words that were not sent yet, the newest status replaces older ones, and the
// lifecycle keeps its order. None of it is lost, however long the service manager hangs.
type systemd struct {
	log      *slog.Logger
	send     func(state string) error
	interval time.Duration // of the watchdog; 0: it does not watch
	wake     chan struct{}
	vitals   atomic.Pointer[vitals]

	complained bool   // the last message could not be sent; the sender's own
	starved    string // why the watchdog was not fed; the sender's own

	mu      sync.Mutex
	pending words
}

// words are what is to be said, in the order of the fields.
type words struct {
	reloading string // the complete message; it holds the moment
	ready     bool
	stopping  bool
	status    string
}

// newSupervisor reads from the environment where the service manager listens and how
// often it wants to hear. Without one everything that is posted is forgotten.
func newSupervisor(log *slog.Logger) *systemd {
	s := &systemd{log: log, wake: make(chan struct{}, 1), send: notify}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn(fmt.Sprintf("the service manager's watchdog is not fed, its wish cannot be read: %v", err))
	}
	s.interval = interval
	return s
}

// notify sends one message. It may block for ever.
func notify(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// Ready says that the service runs, after its start or a reload, and how.
func (s *systemd) Ready(status string) {
	s.post(func(w *words) { w.ready, w.status = true, status })
}

// Status says in a few words how the service fares.
func (s *systemd) Status(status string) {
	s.post(func(w *words) { w.status = status })
}

// Reloading says that the configuration is being read again; Ready must follow, whether
// or not it could be.
func (s *systemd) Reloading() {
	message := daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec()
	s.post(func(w *words) { w.reloading, w.ready = message, false })
}

// Stopping says that the service is about to end.
func (s *systemd) Stopping() {
	s.post(func(w *words) { w.stopping = true })
}

// Attend has the watchdog fed for as long as the signs of life are well, and not before.
// The loop must go around three times in each interval of the watchdog even when nothing
// happens.
func (s *systemd) Attend(v *vitals) { s.vitals.Store(v) }

// Interval is how often the service manager wants to hear of the service, at the latest;
// 0: it does not.
func (s *systemd) Interval() time.Duration { return s.interval }

func (s *systemd) post(change func(*words)) {
	s.mu.Lock()
	change(&s.pending)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // the sender has not yet begun with what woke it last
	}
}

// Run sends until the context ends, then what is left, for half a second at most.
func (s *systemd) Run(ctx context.Context) {
	within(ctx, farewell, s.speak)
}

func (s *systemd) speak(stop <-chan struct{}) {
	var feed <-chan time.Time
	if s.interval > 0 {
		ticker := time.NewTicker(s.interval / 3)
		defer ticker.Stop()
		feed = ticker.C
	}
	var fed uint64
	var retry <-chan time.Time
	for {
		if retry = nil; !s.flush() {
			retry = time.After(retryNotify)
		}
		select {
		case <-stop:
			s.flush()
			return
		case <-feed:
			fed = s.feed(fed)
		case <-s.wake:
		case <-retry:
		}
	}
}

// feed tells the watchdog that the service lives if it does, and the loop has gone
// around since it stood at fed, and returns where it stands.
func (s *systemd) feed(fed uint64) uint64 {
	v := s.vitals.Load()
	if v == nil {
		return fed
	}
	now, starved := v.complaint(fed)
	if starved != "" && s.starved == "" {
		s.log.Error("the service manager's watchdog is not fed: " + starved)
	}
	s.starved = starved
	if starved == "" && !s.say(daemon.SdNotifyWatchdog) {
		return fed
	}
	return now
}

// say sends one message and complains about the first failure in a row.
func (s *systemd) say(message string) bool {
	err := s.send(message)
	if err != nil && !s.complained {
		s.log.Warn(fmt.Sprintf("the service manager cannot be told %q, trying again: %v", message, err))
	}
	s.complained = err != nil
	return err == nil
}

// flush sends all that is pending. After a failure what is left stays pending.
func (s *systemd) flush() bool {
	for {
		message, again := s.next()
		if message == "" {
			return true
		}
		if !s.say(message) {
			s.mu.Lock()
			again(&s.pending)
			s.mu.Unlock()
			return false
		}
	}
}

// next takes the first pending message, none if it is empty. again puts it back, unless
// something newer has taken its place.
func (s *systemd) next() (message string, again func(*words)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.pending
	switch old := *w; {
	case old.reloading != "":
		w.reloading = ""
		return old.reloading, func(w *words) {
			if w.reloading == "" {
				w.reloading = old.reloading
			}
		}
	case old.ready:
		w.ready = false
		return daemon.SdNotifyReady, func(w *words) { w.ready = w.ready || w.reloading == "" }
	case old.stopping:
		w.stopping = false
		return daemon.SdNotifyStopping, func(w *words) { w.stopping = true }
	case old.status != "":
		w.status = ""
		// A line break would begin another assignment.
		text := "STATUS=" + strings.ReplaceAll(old.status, "\n", "; ")
		return text, func(w *words) {
			if w.status == "" {
				w.status = old.status
			}
		}
	}
	return "", nil
}
