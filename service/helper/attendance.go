package helper

import (
	"sync"
	"time"
)

// attendance ends a helper that nobody has needed for as long as it lingers.
type attendance struct {
	linger time.Duration // after the last has left; 0: for ever
	over   chan struct{} // closed when nobody has been there for so long

	mu      sync.Mutex
	present int
	ended   bool
	timer   *time.Timer
}

// newAttendance waits for the first to come for as long as it is told, for ever where that is 0.
func newAttendance(first, linger time.Duration) *attendance {
	a := &attendance{linger: linger, over: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wait(first)
	return a
}

// enter says that somebody is there, unless it is too late.
func (a *attendance) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.present++
	return true
}

func (a *attendance) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.present--; a.present == 0 {
		a.wait(a.linger)
	}
}

// anybody says whether somebody is there.
func (a *attendance) anybody() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.present > 0
}

func (a *attendance) wait(patience time.Duration) {
	if patience > 0 {
		a.timer = time.AfterFunc(patience, a.end)
	}
}

func (a *attendance) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.present == 0 && !a.ended {
		a.ended = true
		close(a.over)
	}
}
