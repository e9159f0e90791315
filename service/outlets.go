package service

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"standfast/hw/clock"
	"standfast/service/helper"
)

// outlets are where the service speaks to people and their programs. None of
// them makes the speaker wait.
type outlets struct {
	log        *slog.Logger
	supervisor supervisor
	scripts    scriptPoster
	lines      dropper // of the log
}

// supervisor is who started the service, normally systemd.
type supervisor interface {
	Ready(status string) // after the start and after every Reloading
	Status(status string)
	Reloading()
	Stopping()
	Attend(*vitals)          // the signs of life, once there are any
	Interval() time.Duration // how often the loop must go round, at least three times; 0: no matter
}

// scriptPoster has the operator's scripts run by another process, those of one
// queue one after the other.
type scriptPoster interface {
	Post(queue string, argv []string)
	Drops() uint64 // scripts that nobody took
	Report() helper.ScriptReport
}

// dropper forgets what nobody takes, and counts it.
type dropper interface{ Dropped() uint64 }

// journalLines is how many log lines wait while whoever reads them is slow.
const journalLines = 4096

// openOutlets opens the journal on w, the way to the supervisor and the way to
// the script helper. The end of speaking is bounded: what is said last reaches
// whoever listens, and nobody else holds up a stop.
func openOutlets(o Options, w io.Writer) (out outlets, end func()) {
	written := newJournal(w, o.Level, journalLines)
	log := written.Logger()
	supervisor := newSupervisor(log)
	scripts := helper.NewScriptOutlet(o.RuntimeDir, clock.Now, scriptTeller(log), func(line string) { log.Warn(line) })
	out = outlets{log: log, supervisor: supervisor, scripts: scripts, lines: written}
	endJournal := background(written.Run)
	endSpeaking := background(supervisor.Run, scripts.Run)
	return out, func() {
		endSpeaking()
		endJournal()
	}
}

// background runs tasks until end is called, which waits for their last words.
func background(tasks ...func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, task := range tasks {
		running.Go(func() { task(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// scriptTeller logs what became of scripts; that one did what it should is worth
// a line only to those who look closely.
func scriptTeller(log *slog.Logger) func(helper.ScriptOutcome) {
	return func(o helper.ScriptOutcome) {
		if o.Result == helper.ScriptSucceeded {
			log.Debug(o.String())
		} else {
			log.Warn(o.String())
		}
	}
}
