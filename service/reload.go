package service

import (
	"fmt"
	"maps"
	"slices"

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

// startReload has the file read by a worker; the loop reads no files. A signal
// that comes meanwhile has it read once more.
func (s *service) startReload() {
	if s.stopping {
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
