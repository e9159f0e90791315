package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

// A setting is how the pair of a story is set up.
type setting struct {
	fast     bool // adverts ten times a second, in version 3; else every second, in version 2
	watchdog time.Duration
	global   string        // one more line of global_defs, of both
	alone    bool          // nothing runs on B
	diskA    bool          // a disk that can be made sick is under A
	diskB    bool          // and under B
	rooted   bool          // A's program, configuration and scripts are on its disk
	noisy    bool          // each reload has much to complain of
	notice   time.Duration // after which the daemon notices its defect, if its loop goes round
	defect   string        // what the daemon of A was given that no product has; empty: nothing
}

// interval is the time between adverts.
func (s setting) interval() time.Duration {
	if s.fast {
		return 100 * time.Millisecond
	}
	return time.Second
}

// A stage is a pair of supervised routers on which a story is told.
type stage struct {
	*lab.Pair
	setting
	observer *hwtest.Observer
	adverts  *lab.Adverts
	control  *gauge        // how late the machine is for a thread as urgent as a daemon
	cables   *gauge        // and for this process, which carries every frame
	blind    bool          // the observer could not see everything
	shared   bool          // other stories are told at the same time
	trouble  time.Duration // how long the story's trouble lasts
	began    time.Time     // when it began

	supervisors map[*lab.Member]*lab.Supervisor
	held        []io.Closer // to the end of the stage
	disks       []*hwtest.Disk

	mu         sync.Mutex
	complaints []string
	outcome    row
}

// complain notes in what the product differs from what it promises.
func (s *stage) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
}

// build makes the pair and settles it: A is MASTER, B stands by and is calibrated.
func (s *stage) build(p programs) error {
	for _, m := range s.Members() {
		if s.fast {
			m.Config = bytes.Replace(m.Config, []byte("    advert_int 1\n"), []byte("    advert_int 0.1\n    version 3\n"), 1)
		}
		if s.global != "" {
			m.Config = define(m.Config, s.global)
		}
		if s.noisy {
			m.Config = noisy(m.Config)
		}
	}
	for m, sick := range map[*lab.Member]bool{s.A: s.diskA, s.B: s.diskB} {
		if !sick {
			continue
		}
		if err := s.addDisk(m); err != nil {
			return err
		}
	}
	var err error
	if s.adverts, err = s.Adverts(); err != nil {
		return err
	}
	if s.observer, err = s.Observe(0); err != nil {
		return err
	}
	for _, m := range s.running() {
		program, unit := p.product, lab.Unit{Watchdog: s.watchdog, Pipe: m == s.B}
		if s.defect != "" && m == s.A {
			unit.Environment = []string{defectVariable + "=" + s.defect}
			if program, err = p.defective(); err != nil {
				return err
			}
		}
		daemon := lab.Standfast(program)
		if s.rooted && m == s.A {
			if daemon, err = s.moveToDisk(program); err != nil {
				return err
			}
		}
		if s.supervisors[m], err = m.Supervise(daemon, unit); err != nil {
			return err
		}
	}
	return s.Settle(s.observer, lab.SideA)
}

// define adds a line to the global definitions of a configuration.
func define(config []byte, line string) []byte {
	at := []byte("global_defs {\n")
	return bytes.Replace(config, at, append(at, "    "+line+"\n"...), 1)
}

// running are the routers on which a daemon is.
func (s *stage) running() []*lab.Member {
	if s.alone {
		return []*lab.Member{s.A}
	}
	return s.Members()
}

// close ends everything, whatever state it is in.
func (s *stage) close() error {
	for _, d := range s.disks {
		d.Heal() // lest something hangs on it that is to end; the laboratory removes it
	}
	for _, one := range s.supervisors {
		if one != nil {
			one.Stop()
			one.Close()
		}
	}
	s.control.stop()
	s.cables.stop()
	for _, one := range s.held {
		one.Close()
	}
	err := s.Lab.Close()
	if s.adverts != nil {
		s.adverts.Close()
	}
	return errors.Join(err, s.Close())
}

// watch lets the observer see the given time pass.
func (s *stage) watch(d time.Duration) error {
	end := time.Now().Add(d)
	_, err := s.observer.Await(d+time.Minute, func(x hwtest.Sample) bool { return x.At.After(end) })
	return err
}

// await waits until the given side alone has every address and answers for it.
func (s *stage) await(patience time.Duration, who hwtest.Set) (time.Time, error) {
	sample, err := s.observer.Await(patience, func(x hwtest.Sample) bool { return lab.Held(x, who) })
	if err != nil {
		return time.Time{}, fmt.Errorf("the addresses do not come to %s: %w", s.names(who), err)
	}
	return sample.At, nil
}

func (s *stage) names(who hwtest.Set) string {
	return hwtest.Timeline{Routers: []*hwtest.Router{s.A.Router, s.B.Router}}.Names(who)
}

// seen is what the observer saw since the trouble began.
func (s *stage) seen() hwtest.Timeline { return s.observer.Timeline().Between(s.began, time.Time{}) }

// journal is the end of what both daemons wrote, to explain a failure.
func (s *stage) journal() string {
	var b strings.Builder
	for _, m := range s.Members() {
		lines := slices.DeleteFunc(m.Log.Between(time.Time{}, time.Time{}), func(l lab.Line) bool { return strings.Contains(l.Text, complaint) })
		for _, line := range lines[max(0, len(lines)-40):] {
			fmt.Fprintf(&b, "    %s %9.3f  %s\n", m.Name(), line.At.Sub(s.began).Seconds(), line.Text)
		}
	}
	line := s.seen()
	if len(line.Samples) > 0 {
		fmt.Fprintf(&b, "    observed, at the coarsest every %v:\n%v", line.Coarsest().Round(time.Millisecond), line)
	}
	return b.String()
}
