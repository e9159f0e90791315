package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"

	"golang.org/x/sys/unix"
)

// resignBound is the promise: how long after its storage fails a MASTER has resigned to a peer that lives.
const resignBound = 10 * time.Second

// A disease is what befalls the disk under a router.
type disease struct {
	infect func(*hwtest.Disk) error
	state  string        // of the storage, as the router has to say
	within time.Duration // of its beginning
	// passes says that the storage is as before when the disk is healed. A file system that had an error stays read-only.
	passes bool
}

// The states of storage that matter here.
const (
	storageHealthy = "healthy"
	storageSlow    = "slow"
	storageFailed  = "failed"
)

func hangs() disease   { return disease{(*hwtest.Disk).Hang, storageFailed, resignBound, true} }
func fails() disease   { return disease{(*hwtest.Disk).Fail, storageFailed, resignBound, false} }
func wears() disease   { return disease{(*hwtest.Disk).FailWrites, storageFailed, resignBound, false} }
func fillsUp() disease { return disease{(*hwtest.Disk).Fill, storageHealthy, 0, false} }
func readOnly() disease {
	return disease{func(d *hwtest.Disk) error { return d.Remount(true) }, storageHealthy, 0, false}
}
func slows() disease {
	return disease{func(d *hwtest.Disk) error { return d.Slow(1200 * time.Millisecond) }, storageSlow, 40 * time.Second, true}
}

// addDisk puts a disk under a member, which will look at it and at no other.
func (s *stage) addDisk(m *lab.Member) error {
	d, err := s.Lab.Disk(m.Namespace(), hwtest.DiskOptions{})
	if err != nil {
		return err
	}
	s.disks = append(s.disks, d)
	m.Config = define(m.Config, "storage_watch "+d.Path())
	return nil
}

// moveToDisk puts all that A needs of a disk onto its own, and returns the daemon that is there.
func (s *stage) moveToDisk(program string) (lab.Daemon, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return lab.Daemon{}, err
	}
	daemon := lab.Standfast(filepath.Join(s.disks[0].Outside(), "standfast"))
	daemon.Tool = program
	return daemon, errors.Join(os.WriteFile(daemon.Program, text, 0o755), s.A.MoveTo(filepath.Join(s.disks[0].Outside(), "router")))
}

// sick waits until every storage is known to be healthy, and makes it sick.
func (s *stage) sick(d disease, members ...*lab.Member) error {
	for _, m := range members {
		if _, err := m.AwaitStatus(time.Minute, func(x lab.Status) bool { return x.Node.Storage.State == storageHealthy }); err != nil {
			return err
		}
	}
	s.begin()
	var errs []error
	for _, disk := range s.disks {
		errs = append(errs, d.infect(disk))
	}
	return errors.Join(errs...)
}

// diagnosed wants a router to say in time how its storage does.
func (s *stage) diagnosed(m *lab.Member, d disease) {
	status, err := m.AwaitStatus(max(0, time.Until(s.began.Add(d.within))), func(x lab.Status) bool { return x.Node.Storage.State == d.state })
	if err != nil {
		s.complain("the storage of %s is not %s within %v: %v", m.Name(), d.state, d.within, err)
		return
	}
	s.outcome.remark("%s after %v (%s)", d.state, time.Since(s.began).Round(100*time.Millisecond), status.Node.Storage.Culprit)
}

// harmless is a disease that moves nobody.
func harmless(d disease) func(*stage) error {
	return func(s *stage) error {
		if err := s.sick(d, s.A); err != nil {
			return err
		}
		if d.within > 0 {
			s.diagnosed(s.A, d)
		}
		if err := s.watch(time.Until(s.began.Add(s.trouble))); err != nil {
			return err
		}
		if d.within == 0 {
			d.within = time.Since(s.began) + settleAfter
			s.diagnosed(s.A, d)
		}
		s.undisturbed()
		s.onTime()
		s.healthy()
		return nil
	}
}

// resigned is a disease with which the MASTER resigns to its peer, once. If there is time it is seen to come back, where the disease passes.
func resigned(d disease) func(*stage) error {
	return func(s *stage) error {
		if err := s.sick(d, s.A); err != nil {
			return err
		}
		stuck := s.countStuck(s.A)
		defer stuck.stop()
		if err := s.taken(); err != nil {
			return err
		}
		s.diagnosed(s.A, disease{state: d.state, within: time.Since(s.began) + settleAfter})
		if err := s.watch(time.Until(s.began.Add(s.trouble / 2))); err != nil {
			return err
		}
		s.killDiskHelper()
		if err := s.watch(time.Until(s.began.Add(s.trouble))); err != nil {
			return err
		}
		s.atMostOne(stuck)
		s.went([][]string{{"BACKUP"}, {"MASTER"}})
		s.healthy()
		if d.passes && s.trouble >= time.Minute {
			if err := s.healed(); err != nil {
				return err
			}
		}
		s.single()
		s.missing(s.silence())
		s.onTime()
		return nil
	}
}

// taken waits until B serves, and wants that within the bound.
func (s *stage) taken() error {
	at, err := s.await(2*resignBound, lab.SideB)
	if err != nil {
		return err
	}
	took := at.Sub(s.began)
	s.outcome.remark("resigned within %v", took.Round(100*time.Millisecond))
	if took > resignBound {
		s.complain("the MASTER resigns after %v, later than %v", took, resignBound)
	}
	return nil
}

// silence is how long a BACKUP bears one at the longest, and an interval.
func (s *stage) silence() time.Duration { return 5 * s.interval() }

// healed heals every disk and waits until A, which has the higher priority, serves again.
func (s *stage) healed() error {
	var errs []error
	for _, d := range s.disks {
		errs = append(errs, d.Heal())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	begun := time.Now()
	at, err := s.await(5*time.Minute, lab.SideA)
	if err != nil {
		return err
	}
	s.outcome.remark("A serves %v after its disk does", at.Sub(begun).Round(time.Second))
	return s.watch(2 * s.interval())
}

// kept is a disease of a MASTER that has nobody to resign to.
func kept(d disease) func(*stage) error {
	return func(s *stage) error {
		if err := s.sick(d, s.A); err != nil {
			return err
		}
		stuck := s.countStuck(s.A)
		defer stuck.stop()
		s.diagnosed(s.A, d)
		if err := s.watch(time.Until(s.began.Add(s.trouble))); err != nil {
			return err
		}
		if out, _ := s.A.Ask("status"); !strings.Contains(out, "storage") { // what it prints when all is not well is what is wanted
			s.complain("status says nothing of the storage: %s", out)
		}
		s.atMostOne(stuck)
		s.went([][]string{nil, nil})
		s.single()
		s.missing(0)
		s.onTime()
		s.healthy()
		return nil
	}
}

// shared is a disease of both. One of them keeps serving; who is MASTER may change while they find out, and then no more.
func shared(d disease) func(*stage) error {
	return func(s *stage) error {
		if err := s.sick(d, s.A, s.B); err != nil {
			return err
		}
		for _, m := range s.Members() {
			s.diagnosed(m, d)
		}
		if err := s.watch(max(2*resignBound, s.trouble/4)); err != nil {
			return err
		}
		settled := time.Now()
		before := s.entered()
		if err := s.watch(time.Until(s.began.Add(max(s.trouble, 4*resignBound)))); err != nil {
			return err
		}
		s.outcome.transitions = s.entered()
		if before > 4 {
			s.complain("%d transitions until they had found out, more than there and back", before)
		}
		if later := s.outcome.transitions - before; later > 0 {
			s.complain("%d transitions later than %v", later, settled.Sub(s.began).Round(time.Second))
		}
		s.single()
		s.missing(s.silence())
		s.onTime()
		s.healthy()
		return nil
	}
}

// restarted stops the service while its disk hangs, and starts it again.
func restarted(s *stage) error {
	if err := s.sick(hangs(), s.A); err != nil {
		return err
	}
	stuck := s.countStuck(s.A)
	defer stuck.stop()
	if err := s.taken(); err != nil {
		return err
	}
	one := s.supervisors[s.A]
	for range 3 {
		r := one.Stop()
		s.outcome.remark("stopped in %v", r.Stopped.Round(time.Millisecond))
		if r.Stuck > 0 || r.Stopped > stopBound {
			s.complain("a stop takes %v, %d processes do not end", r.Stopped, r.Stuck)
		}
		if err := one.Start(); err != nil {
			return err
		}
		begun := time.Now()
		if !lab.Eventually(patience, func() bool { return one.Report().Ready == r.Ready+1 }) {
			s.complain("the service does not start again")
			return nil
		}
		s.outcome.remark("ready again in %v", time.Since(begun).Round(time.Millisecond))
	}
	if err := s.watch(time.Until(s.began.Add(s.trouble))); err != nil {
		return err
	}
	s.atMostOne(stuck)
	s.outcome.transitions = s.entered()
	s.single()
	s.missing(s.silence())
	s.onTime()
	return nil
}

// uprooted has the disk hang from which A was started, and A told to read its configuration from there again. It resigns in
// time, as if it could still read, and can be stopped.
func uprooted(s *stage) error {
	if err := s.forget(); err != nil {
		return err
	}
	if err := s.sick(hangs(), s.A); err != nil {
		return err
	}
	if err := s.A.Daemon().Signal(syscall.SIGHUP); err != nil {
		return err
	}
	if err := s.taken(); err != nil {
		return err
	}
	s.diagnosed(s.A, disease{state: storageFailed, within: time.Since(s.began) + settleAfter})
	if err := s.watch(time.Until(s.began.Add(s.trouble))); err != nil {
		return err
	}
	s.went([][]string{{"BACKUP"}, {"MASTER"}})
	s.healthy()
	s.single()
	s.missing(s.silence())
	s.onTime()
	r := s.supervisors[s.A].Stop()
	s.outcome.remark("stopped in %v", r.Stopped.Round(time.Millisecond))
	if r.Stuck > 0 || r.Stopped > stopBound {
		s.complain("a stop takes %v, %d processes do not end", r.Stopped, r.Stuck)
	}
	return nil
}

// forget has the kernel forget what it has read of A's configuration and scripts.
func (s *stage) forget() error {
	files, err := filepath.Glob(filepath.Join(s.A.Dir(), "*"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no files of A in %s: %w", s.A.Dir(), errors.Join(err, os.ErrNotExist))
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
		if err != nil {
			return fmt.Errorf("forget %s: %w", name, err)
		}
	}
	return nil
}

// stopBound is how long a stop may take: less than PID 1 waits before it kills.
const stopBound = 4 * time.Second

// killDiskHelper kills A's disk helper, which may hang.
func (s *stage) killDiskHelper() {
	found, err := s.helpers(s.A)
	if err != nil {
		s.complain("%v", err)
	}
	for _, task := range slices.Sorted(maps.Keys(found)) {
		if strings.HasPrefix(task, "disk") {
			if err := s.A.Namespace().SignalProcess(found[task], syscall.SIGKILL); err != nil {
				s.complain("%v", err)
			}
		}
	}
}

// A stuckCount counts the tasks of a unit that hang in the kernel. A process whose leader was killed is in no list of its
// namespace any more, so every process that ever was is remembered.
type stuckCount struct {
	quit, done chan struct{}
	// The counting goroutine's, and everybody's when it is done.
	seen map[int]bool
	most int
}

// A task hangs if it does so at each of so many looks in a row, for two seconds. Less may be an ordinary wait for a disk.
const (
	stuckEvery = 250 * time.Millisecond
	stuckLooks = 8
)

func (s *stage) countStuck(m *lab.Member) *stuckCount {
	c := &stuckCount{quit: make(chan struct{}), done: make(chan struct{}), seen: map[int]bool{}}
	go func() {
		defer close(c.done)
		tick := time.NewTicker(stuckEvery)
		defer tick.Stop()
		looks := map[string]int{}
		for {
			select {
			case <-c.quit:
				return
			case <-tick.C:
			}
			processes, err := s.supervisors[m].Processes()
			if err != nil {
				continue
			}
			for pid := range processes {
				c.seen[pid] = true
			}
			looks = c.count(looks)
		}
	}()
	return c
}

// count notes how many tasks hang, given for how many looks each did before, and returns for how many it does now.
func (c *stuckCount) count(before map[string]int) map[string]int {
	looks, hanging := map[string]int{}, 0
	for pid := range c.seen {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil {
			continue
		}
		for _, task := range tasks {
			if !uninterruptible(task) {
				continue
			}
			looks[task] = before[task] + 1
			if looks[task] >= stuckLooks {
				hanging++
			}
		}
	}
	c.most = max(c.most, hanging)
	return looks
}

// uninterruptible tells whether a task is in state D.
func uninterruptible(task string) bool {
	text, err := os.ReadFile(filepath.Join(task, "stat")) // fails when it has ended
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(text, []byte(") "))
	return bytes.HasPrefix(rest, []byte("D"))
}

func (c *stuckCount) stop() {
	select {
	case <-c.quit:
	default:
		close(c.quit)
	}
	<-c.done
}

// atMostOne wants no more than one task to have hung at a time.
func (s *stage) atMostOne(c *stuckCount) {
	c.stop()
	s.outcome.remark("%d stuck task", c.most)
	if c.most > 1 {
		s.complain("%d tasks hang at a time for one disk", c.most)
	}
}
