package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"standfast/service/lab"
)

// killedService kills the MASTER's service. PID 1 starts it again; meanwhile B serves, and both never.
func killedService(s *stage) error {
	s.begin()
	if err := s.A.Daemon().Signal(syscall.SIGKILL); err != nil {
		return err
	}
	return s.restarted()
}

// restarted wants PID 1 to start A's service again, once and with helpers. Until A serves again B does, and both never.
func (s *stage) restarted() error {
	if !lab.Eventually(patience, func() bool { r := s.supervisors[s.A].Report(); return r.Starts == 2 && r.Ready == 2 }) {
		s.complain("the service is not there again")
	}
	if err := s.regained(s.began); err != nil {
		return err
	}
	s.single()
	s.missing(lab.MasterDown + s.interval())
	s.outcome.transitions = s.entered()
	s.withHelpers(s.A)
	return nil
}

// entered counts the states that both went through since the trouble began.
func (s *stage) entered() (n int) {
	for _, m := range s.Members() {
		n += len(m.Log.Transitions(s.began, time.Time{}))
	}
	return n
}

// helpers are the processes beside the service, by what they were started as.
func (s *stage) helpers(m *lab.Member) (map[string]int, error) {
	processes, err := s.supervisors[m].Processes()
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for pid, line := range processes {
		if _, task, helper := strings.Cut(line, " helper "); helper {
			found[task] = pid
		}
	}
	return found, nil
}

// withHelpers wants a router to have helpers beside its service.
func (s *stage) withHelpers(m *lab.Member) {
	found, err := s.helpers(m)
	if err != nil || len(found) == 0 {
		s.complain("%s has no helpers: %v", m.Name(), err)
	}
}

// killedHelpers kills each helper of both routers, one after the other. Nobody but them notices, each is there again soon, and
// the next scripts are run.
func killedHelpers(s *stage) error {
	s.begin()
	for _, m := range s.Members() {
		before, err := s.helpers(m)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			s.complain("%s has no helpers", m.Name())
		}
		for _, task := range slices.Sorted(maps.Keys(before)) {
			if err := s.killHelper(m, task); err != nil {
				return err
			}
		}
	}
	if err := s.watch(s.trouble); err != nil {
		return err
	}
	s.undisturbed()
	s.onTime()
	s.healthy()
	return s.scriptsRun()
}

// killHelper kills one helper and waits for its successor.
func (s *stage) killHelper(m *lab.Member, task string) error {
	now, err := s.helpers(m)
	if err != nil {
		return err
	}
	victim := now[task] // another one by now, if it was a child of one that was killed
	if victim == 0 {
		s.complain("%s has no helper %q any more", m.Name(), task)
		return nil
	}
	if err := m.Namespace().SignalProcess(victim, syscall.SIGKILL); err != nil {
		return err
	}
	begun := time.Now()
	back := lab.Eventually(patience, func() bool {
		now, err := s.helpers(m)
		return err == nil && now[task] != 0 && now[task] != victim
	})
	if !back {
		s.complain("%s: the killed helper %q is not there again", m.Name(), task)
		return nil
	}
	s.outcome.remark("%s again after %v", strings.Fields(task)[0], time.Since(begun).Round(time.Millisecond))
	return nil
}

// scriptsRun has B become MASTER, and wants its script to be told.
func (s *stage) scriptsRun() error {
	s.supervisors[s.A].Stop()
	if _, err := s.await(lab.MasterDown+patience, lab.SideB); err != nil {
		return err
	}
	told := lab.Eventually(patience, func() bool {
		text, _ := os.ReadFile(filepath.Join(s.B.Dir(), "notified")) // not there before the first
		return strings.Contains(string(text), "promotemaster")
	})
	if !told {
		s.complain("the script that tells that B is MASTER does not run")
	}
	return nil
}
