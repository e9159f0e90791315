package main

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"standfast/service/lab"
)

// A gauge measures how late the machine is for whoever wants to run: what is late on a busy machine is not always the product.
type gauge struct {
	quit, done chan struct{}
	mu         sync.Mutex
	late       []time.Duration
}

const (
	gaugeEvery   = 10 * time.Millisecond
	urgentAsThis = 10 // the daemons' real-time priority
)

// newControl measures with a thread of its own that sleeps and wakes as a daemon does and is as urgent, where that is permitted.
func newControl() *gauge {
	g := newGauge()
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends, and its priority with it
		// Where it is refused the thread is as urgent as others.
		unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: urgentAsThis}, 0)
		g.run(func() {
			sleep := unix.NsecToTimespec(gaugeEvery.Nanoseconds())
			unix.Nanosleep(&sleep, nil) // cut short by a signal it is not late
		})
	}()
	return g
}

// newCables measures as a goroutine of this process: while it has to wait, no frame passes.
func newCables() *gauge {
	g := newGauge()
	go func() {
		tick := time.NewTimer(gaugeEvery)
		defer tick.Stop()
		g.run(func() { tick.Reset(gaugeEvery); <-tick.C })
	}()
	return g
}

func newGauge() *gauge { return &gauge{quit: make(chan struct{}), done: make(chan struct{})} }

func (g *gauge) run(sleep func()) {
	defer close(g.done)
	for {
		select {
		case <-g.quit:
			return
		default:
		}
		due := time.Now().Add(gaugeEvery)
		sleep()
		g.mu.Lock()
		g.late = append(g.late, max(0, time.Since(due)))
		g.mu.Unlock()
	}
}

// quantile is how late the machine was at most, in so many of a hundred times.
func (g *gauge) quantile(share int) time.Duration {
	g.mu.Lock()
	late := slices.Clone(g.late)
	g.mu.Unlock()
	slices.Sort(late)
	return lab.Quantile(late, share*100)
}

// reset forgets what was measured before.
func (g *gauge) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.late = nil
}

func (g *gauge) stop() {
	close(g.quit)
	<-g.done
}
