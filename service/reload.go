package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"standfast/configfs"
	"standfast/vrrp/node"
)

// loaded is a configuration that was read again.
type loaded struct {
	plan       plan
	complaints configfs.Diagnostics
	armed      armed
	err        error
}

// Reloading may take so long: the file may lie on a disk that is slow. One that takes longer goes on, unheard.
const reloadPatience = 20 * time.Second

var (
	// errStopping is why a service does not read its configuration again.
	errStopping = errors.New("it is stopping")
	// errReading is that the file could not be read in time; it still is being read.
	errReading = errors.New("the configuration is still being read, its disk may hang; until it was read the running one stays in force")
)

// ReloadDocument answers the verb "reload" when the new configuration is in force.
type ReloadDocument struct {
	Reloaded string `json:"reloaded"` // the configuration file
}

// Reload has the service in the runtime directory read its configuration again, and says so when the new one is in force.
// Where it has errors, each is in the error with its file and line, and the running configuration stays as it is. Other
// errors are those of Query.
func Reload(ctx context.Context, w io.Writer, runtimeDir string) error {
	text, err := Query(ctx, runtimeDir, Request{Verb: verbReload})
	if err != nil {
		return err
	}
	var d ReloadDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("the service answers in another form than this version understands: %w", err)
	}
	_, err = fmt.Fprintln(w, "reloaded", d.Reloaded)
	return err
}

// reload asks the loop, and waits for what comes of it.
func (s *service) reload(ctx context.Context) (ReloadDocument, error) {
	reply := make(chan error, 1)
	select {
	case s.reloads <- reply:
	case <-ctx.Done():
		return ReloadDocument{}, unheard(ctx, ctx.Err())
	}
	select {
	case err := <-reply:
		return ReloadDocument{s.options.File}, err
	case <-ctx.Done():
		return ReloadDocument{}, unheard(ctx, errReading)
	}
}

// unheard is why nobody answered: the service ended, or it was late.
func unheard(ctx context.Context, late error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errStopping
	}
	return late
}

// takeReload is somebody who waits for the outcome.
func (s *service) takeReload(reply chan<- error) {
	s.awaiting = append(s.awaiting, reply)
	s.startReload()
}

// tellReload tells all who wait. None of them was late for the read: what was read while somebody else asked for it is
// not used, but read once more.
func (s *service) tellReload(outcome error) {
	for _, reply := range s.awaiting {
		reply <- outcome
	}
	s.awaiting = nil
}

// startReload has the file read by a worker; the loop reads no files. A signal
// or a caller that comes meanwhile has it read once more.
func (s *service) startReload() {
	if s.stopping {
		s.tellReload(errStopping)
		return
	}
	if s.loading {
		s.loadAgain = true
		return
	}
	s.log.Info("Reloading " + s.options.File)
	s.out.supervisor.Reloading()
	s.loading = true
	before := s.armed
	s.workers.Go(func() {
		l := loaded{armed: before}
		l.plan, l.complaints, l.err = load(s.edges.files, s.options.File)
		if l.err == nil {
			l.armed = arm(l.plan, before, s.edges.fence)
		}
		s.loaded <- l
	})
}

// takeLoaded puts a new configuration in the place of the running one. A broken
// one changes nothing.
func (s *service) takeLoaded(l loaded) {
	s.loading = false
	if s.loadAgain {
		s.loadAgain = false
		s.startReload()
		return
	}
	if s.stopping {
		return
	}
	defer func() { s.out.supervisor.Ready(s.summary()) }()
	s.complain(l.complaints)
	if l.err != nil {
		s.log.Error("not reloaded: " + s.options.File + " has errors, the running configuration stays in force")
		s.tellReload(fmt.Errorf("%w\nthe running configuration stays in force", l.err))
		return
	}
	before, asked := s.plan, s.serial
	s.setArmed(l.armed)
	s.plan = l.plan.withTables(before)
	s.follow()
	if !l.plan.watch.same(before.watch) {
		s.storage.wanted.put(l.plan.watch)
	}
	s.step(node.Reload{Config: l.plan.node})
	s.plan = l.plan
	s.applyChanges(before, asked)
	s.surveyed.put(s.present())
	s.alarm++
	s.examine()
	s.body.wishes.put(s.plan.process)
	s.log.Info("Reloaded " + s.options.File)
	s.tellReload(nil)
}

// withTables gives the plan the tables of the instances that it ends, so that
// their last words find their names.
func (p plan) withTables(before plan) plan {
	merged := maps.Clone(before.tables)
	maps.Copy(merged, p.tables)
	p.tables = merged
	return p
}

// applyChanges has what was added to an instance that serves put into the
// kernel and announced, and what was removed from it taken away; nothing else
// is touched. Where the brain has asked for it since, it is under way.
func (s *service) applyChanges(before plan, asked uint64) {
	for key := range s.held {
		now, then := s.plan.tables[key], before.tables[key]
		same := slices.Equal(now.vips, then.vips) && slices.Equal(now.routes, then.routes)
		if same || s.requests[key].serial > asked {
			continue
		}
		s.amend(key, true, func(v vipLine) bool { return !slices.Contains(then.vips, v) })
	}
}

// complain logs the complaints about a configuration, each as one line.
func (s *service) complain(complaints configfs.Diagnostics) {
	for _, d := range complaints {
		line := fmt.Sprintf("%v: %s", d.Position, d.Text)
		if d.Hint != "" {
			line += " (" + d.Hint + ")"
		}
		switch d.Severity {
		case configfs.Error:
			s.log.Error(line)
		case configfs.Hazard:
			s.log.Warn(line)
		case configfs.Note:
			s.log.Info(line)
		}
	}
}
