package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"standfast/hw/hwtest"
)

// Status is the part of `standfast status --json` that the laboratory reads.
type Status struct {
	Node struct {
		Storage struct {
			State, Culprit string
			Resigned       bool
		}
		Lost map[string]uint64
	}
	Instances []struct {
		Name    string
		State   string
		Since   time.Time
		Verdict struct{ Finding, Rule string }
		Faults  []any
	}
	Ports []PortStatus
}

// PortStatus is the part of it about one port.
type PortStatus struct {
	Name       string
	Carrier    string
	Driver     string
	Culprit    string
	Facts      []struct{ Fact string }
	Unanswered map[string]float64
	Calibrated bool
}

// statusPoll is how often a daemon is asked while its state is awaited: each question costs a process.
const statusPoll = 250 * time.Millisecond

// Status asks the member's standfast for its status. It is an error while the daemon does not answer.
func (m *Member) Status() (Status, error) {
	var s Status
	out, err := m.Ask("status", "--json")
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == 1 {
		err = nil // FAULT, contested or degraded: a status all the same
	}
	if err != nil {
		return s, fmt.Errorf("status of %s: %w: %s", m.Name(), err, out)
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return s, fmt.Errorf("status of %s: %w in %s", m.Name(), err, out)
	}
	return s, nil
}

// AwaitStatus asks until the status satisfies match.
func (m *Member) AwaitStatus(patience time.Duration, match func(Status) bool) (Status, error) {
	tick := time.NewTicker(statusPoll)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; {
		s, err := m.Status()
		if err == nil && match(s) {
			return s, nil
		}
		if time.Now().After(deadline) {
			return s, fmt.Errorf("%s: status not as awaited within %v, last %+v: %w", m.Name(), patience, s, errors.Join(err, os.ErrDeadlineExceeded))
		}
		<-tick.C
	}
}

// Eventually looks until a condition holds, for up to the given time, and says whether it came to hold.
func Eventually(patience time.Duration, holds func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// calibrated tells whether every port that serves is calibrated: its silence would count.
func (p *Pair) calibrated(s Status) bool {
	n := 0
	for _, port := range s.Ports {
		serves := slices.ContainsFunc(p.LANs, func(lan *LAN) bool { return lan.Port == port.Name })
		if serves && port.Calibrated {
			n++
		}
	}
	return n == len(p.LANs)
}

// Held tells whether exactly the given routers have every VIP and answer for it.
func Held(s hwtest.Sample, who hwtest.Set) bool {
	for i := range s.Owners {
		if s.Owners[i] != who || s.Answers[i] != who {
			return false
		}
	}
	return true
}

const (
	settlePatience = 40 * time.Second
	steady         = 1500 * time.Millisecond // longer than the kernel holds back an event of the start
)

// Settle waits until the given side has every VIP alone and, where standfast stands by on the other, until that is calibrated.
// Then nothing may change for a moment.
func (p *Pair) Settle(o *hwtest.Observer, master hwtest.Set) error {
	if _, err := o.Await(settlePatience, func(s hwtest.Sample) bool { return Held(s, master) }); err != nil {
		return p.explain(fmt.Errorf("the pair does not settle: %w", err))
	}
	for i, m := range p.Members() {
		if master.Has(i) || m.daemon.Keepalived || m.process == nil {
			continue
		}
		if _, err := m.AwaitStatus(settlePatience, p.calibrated); err != nil {
			return p.explain(fmt.Errorf("the standby does not calibrate: %w", err))
		}
	}
	since := time.Time{}
	_, err := o.Await(settlePatience, func(s hwtest.Sample) bool {
		if since.IsZero() || !held(s.Owners, master) {
			since = s.At
		}
		return s.At.Sub(since) >= steady
	})
	if err != nil {
		return p.explain(fmt.Errorf("the pair does not keep still: %w", err))
	}
	return nil
}

func held(sets []hwtest.Set, who hwtest.Set) bool {
	return !slices.ContainsFunc(sets, func(s hwtest.Set) bool { return s != who })
}

// explain adds the end of both logs to an error.
func (p *Pair) explain(err error) error {
	var b strings.Builder
	for _, m := range p.Members() {
		lines := m.Log.Between(time.Time{}, time.Time{})
		for _, line := range lines[max(0, len(lines)-20):] {
			fmt.Fprintf(&b, "\n%s: %s", m.Name(), line.Text)
		}
	}
	return fmt.Errorf("%w%s", err, b.String())
}

// watchFor lets the observer see the given time pass, and reports each change of the owners.
func watchFor(o *hwtest.Observer, d time.Duration, changed func(hwtest.Sample)) error {
	end := time.Now().Add(d)
	var last []hwtest.Set
	_, err := o.Await(d+settlePatience, func(s hwtest.Sample) bool {
		if last != nil && !slices.Equal(last, s.Owners) {
			changed(s)
		}
		last = s.Owners
		return s.At.After(end)
	})
	return err
}
