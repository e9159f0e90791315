package helper

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Presence is whether a helper is there, and since when that is so.
type Presence struct {
	Known bool // something can be said
	There bool
	Since time.Duration // on the clock that the service runs on
}

// State is there, gone or unknown.
func (p Presence) State() string {
	switch {
	case !p.Known:
		return "unknown"
	case p.There:
		return "there"
	}
	return "gone"
}

// LauncherReport is what is known of the launcher.
type LauncherReport struct {
	Presence
	Starts map[Kind]uint64 // of each helper, by the launcher that is there now
}

// LauncherEnd is the service's end of its connection to the launcher. That one was never there is no loss: units may
// have started the helpers.
type LauncherEnd struct {
	now func() time.Duration
	log func(string)

	mu     sync.Mutex
	report LauncherReport
}

// NewLauncherEnd makes the service's end, with the clock of the service and its log; neither may block.
func NewLauncherEnd(now func() time.Duration, log func(string)) *LauncherEnd {
	return &LauncherEnd{now: now, log: log}
}

// Run keeps the connection to the launcher in the runtime directory until ctx ends.
func (e *LauncherEnd) Run(ctx context.Context, runtimeDir string) {
	(&tether{dir: runtimeDir, heard: e.hear, there: e.there}).run(ctx)
}

func (e *LauncherEnd) hear(w launchWord) {
	if w.Note != "" {
		e.log(w.Note)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report.Starts = w.Starts
}

func (e *LauncherEnd) there(there bool) {
	e.mu.Lock()
	before := e.report.Presence
	changed := before.Known && before.There != there || !before.Known && there
	if changed {
		e.report.Presence = Presence{Known: true, There: there, Since: e.now()}
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
func (e *LauncherEnd) Report() LauncherReport {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.report
	r.Starts = maps.Clone(r.Starts)
	return r
}
