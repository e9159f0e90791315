package service

import (
	"context"
	"maps"
	"sync"
	"time"
)

// launcherReport is what is known of the launcher.
type launcherReport struct {
	presence
	Starts map[Helper]uint64
}

// launcherEnd is the service's end of its connection to the launcher. That one was never there is no loss: units may
// have started the helpers.
type launcherEnd struct {
	now func() time.Duration
	log func(string)

	mu     sync.Mutex
	report launcherReport
}

func newLauncherEnd(now func() time.Duration, log func(string)) *launcherEnd {
	return &launcherEnd{now: now, log: log}
}

// run keeps the connection until ctx ends.
func (e *launcherEnd) run(ctx context.Context, dir string) {
	(&tether{dir: dir, heard: e.hear, there: e.there}).run(ctx)
}

func (e *launcherEnd) hear(w launchWord) {
	if w.Note != "" {
		e.log(w.Note)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report.Starts = w.Starts
}

func (e *launcherEnd) there(there bool) {
	e.mu.Lock()
	before := e.report.presence
	changed := before.Known && before.There != there || !before.Known && there
	if changed {
		e.report.presence = presence{Known: true, There: there, Since: e.now()}
	}
	e.mu.Unlock()
	switch {
	case !changed:
	case !there:
		e.log("the launcher of the helpers is gone")
	case before.Known:
		e.log("the launcher of the helpers is there again")
	}
}

// Report is a copy of what is known.
func (e *launcherEnd) Report() launcherReport {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.report
	r.Starts = maps.Clone(r.Starts)
	return r
}
