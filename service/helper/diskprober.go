package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/disk"
)

// diskProbe tries one volume, and hangs when its disk does.
type diskProbe interface {
	Do(op disk.Op) error
	Missing(op disk.Op) error
	Close()
}

type openProbe func(v disk.Volume, file string) (diskProbe, error)

// probeDisk opens a probe of a real disk. Our own folder is made where it is missing; one that an operator named is not.
func probeDisk(v disk.Volume, file string) (diskProbe, error) {
	if file == ProbeFile {
		_ = os.Mkdir(filepath.Dir(file), 0o755) // what is wrong with it shows when the file is opened
	}
	p, err := disk.OpenProbe(v, file)
	if err != nil {
		return nil, err
	}
	return p, nil
}

const (
	// proberRetry is how often a device is looked at that another process still hangs on.
	proberRetry = time.Second
	// proberReopen is when a probe that lacks one of its operations is opened again: the disk may have been full.
	proberReopen = 10 * time.Minute
	// proberStuck is from when on an attempt is written down for whoever comes after this process.
	proberStuck = time.Second
	// proberSamples bounds what waits for a report.
	proberSamples = 64
)

// prober tries the volumes that share a device, one after the other, so that at most one task hangs on a device. It holds a
// lock for each device, which a process that hangs keeps even when it was killed: whoever comes after it does not try a
// device on which it hangs, and says so instead.
type prober struct {
	now   func() time.Duration
	open  openProbe
	tasks []DiskTask
	names []string // of the lock files
	stop  context.CancelFunc

	mu      sync.Mutex
	locks   []*os.File // held
	running *DiskSample
	written bool // the running one is written down
	done    []DiskSample
	trouble map[string]string // by device number
}

// startProber begins to try.
func startProber(dir string, now func() time.Duration, open openProbe, tasks []DiskTask) *prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &prober{now: now, open: open, tasks: tasks, stop: cancel, trouble: map[string]string{}}
	for _, leaf := range leavesOf(tasks) {
		p.names = append(p.names, filepath.Join(dir, "disk."+strings.ReplaceAll(leaf, "/", "!")+".lock"))
	}
	go p.run(ctx)
	return p
}

func (p *prober) run(ctx context.Context) {
	if !p.acquire(ctx) {
		return
	}
	defer p.release()
	tries := make([]*attempt, len(p.tasks))
	for i, t := range p.tasks {
		tries[i] = &attempt{task: t, plan: &disk.Plan{}}
		defer tries[i].close()
	}
	for ctx.Err() == nil {
		a, op, at := soonest(tries)
		if a == nil {
			pause(ctx, proberReopen)
			continue
		}
		if wait := at - p.now(); wait > 0 {
			pause(ctx, wait)
			continue
		}
		p.try(a, op)
	}
}

// attempt is one volume that is tried.
type attempt struct {
	task   DiskTask
	plan   *disk.Plan
	probe  diskProbe
	opened time.Duration
}

func (a *attempt) close() {
	if a.probe != nil {
		a.probe.Close()
		a.probe = nil
	}
}

// soonest is what is to be done next.
func soonest(tries []*attempt) (next *attempt, op disk.Op, at time.Duration) {
	for _, a := range tries {
		if o, due, ok := a.plan.Next(); ok && (next == nil || due < at) {
			next, op, at = a, o, due
		}
	}
	return next, op, at
}

// try does one operation. Opening counts as part of it: it may hang as well.
func (p *prober) try(a *attempt, op disk.Op) {
	began := p.begin(a.task.Volume.Device, op)
	err := p.ready(a)
	if err == nil {
		err = a.probe.Do(op)
	}
	s := p.end(began, disk.Errno(err))
	a.plan.Done(s)
}

// ready opens the probe where it is not open, or not whole for a long time.
func (p *prober) ready(a *attempt) error {
	whole := a.probe != nil && a.probe.Missing(disk.OpRead) == nil && (a.task.File == "" || a.probe.Missing(disk.OpWrite) == nil)
	if a.probe != nil && (whole || p.now()-a.opened < proberReopen) {
		return nil
	}
	a.close()
	probe, err := p.open(a.task.Volume, a.task.File)
	if err != nil {
		p.complain(a.task, err)
		return err
	}
	a.probe, a.opened, a.plan = probe, p.now(), &disk.Plan{}
	var missing error
	for _, op := range []disk.Op{disk.OpRead, disk.OpWrite} {
		why := probe.Missing(op)
		if why == nil {
			continue
		}
		a.plan.Without(op)
		if op == disk.OpRead || a.task.File != "" {
			missing = errors.Join(missing, fmt.Errorf("no %s is tried: %w", op, why))
		}
	}
	p.complain(a.task, missing)
	return nil
}

func (p *prober) complain(t DiskTask, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.trouble, t.Volume.Device)
	if err != nil {
		p.trouble[t.Volume.Device] = err.Error()
	}
}

// begin notes what is about to be done. The number of an attempt is its moment, so that it grows across processes.
func (p *prober) begin(device string, op disk.Op) DiskSample {
	now := p.now()
	s := DiskSample{Device: device, Sample: disk.Sample{Op: op, Seq: uint64(now), Began: now}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.written = &s, false
	return s
}

func (p *prober) end(s DiskSample, errno unix.Errno) disk.Sample {
	s.Sample.Ended, s.Sample.Errno = p.now(), errno
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = nil
	p.done = append(p.done, s)
	if len(p.done) > proberSamples {
		p.done = p.done[1:]
	}
	if p.written {
		p.write(nil)
	}
	return s.Sample
}

// report adds what was done since the last report, and what runs, which is written down if it runs for long.
func (p *prober) report(w *DiskWord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Samples = append(w.Samples, p.done...)
	p.done = nil
	for device, text := range p.trouble {
		w.Trouble = append(w.Trouble, DiskTrouble{Device: device, Text: text})
	}
	if p.running == nil {
		return
	}
	w.Samples = append(w.Samples, *p.running)
	if !p.written && len(p.locks) > 0 && p.now()-p.running.Sample.Began >= proberStuck {
		text, err := json.Marshal(p.running)
		if err == nil {
			p.write(text)
		}
	}
}

// write puts a text into the lock files, under the lock; they are in memory.
func (p *prober) write(text []byte) {
	p.written = text != nil
	for _, f := range p.locks {
		if f.Truncate(0) == nil {
			_, _ = f.WriteAt(text, 0) // without it whoever comes after only knows that something hangs
		}
	}
}

// acquire locks the devices, and waits for another process that hangs on one; false if nobody wants it any more.
func (p *prober) acquire(ctx context.Context) bool {
	since := p.now()
	for ctx.Err() == nil {
		left, err := p.lock()
		switch {
		case err != nil:
			p.distrust(err)
		case left == nil:
			p.inherit(nil, since)
			return true
		default:
			p.inherit(left, since)
		}
		pause(ctx, proberRetry)
	}
	return false
}

// lock locks every device or none. Where another process holds one, it gives what that wrote down.
func (p *prober) lock() (left []byte, err error) {
	var locks []*os.File
	free := func() {
		for _, f := range locks {
			_ = f.Close()
		}
	}
	for _, name := range p.names {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			free()
			return nil, err
		}
		locks = append(locks, f)
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			left, _ := io.ReadAll(io.LimitReader(f, 4096))
			free()
			return append([]byte{}, left...), nil
		}
		if err != nil {
			free()
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.locks = locks
	return nil, nil
}

func (p *prober) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.written {
		p.write(nil)
	}
	for _, f := range p.locks {
		_ = f.Close()
	}
	p.locks = nil
}

// distrust says that the devices cannot be locked, so they are not tried.
func (p *prober) distrust(err error) {
	for _, t := range p.tasks {
		p.complain(t, fmt.Errorf("nothing is tried: the device cannot be locked: %w", err))
	}
}

// inherit reports as running what another process hangs on, as it was written down, or else since it was noticed; with
// nothing left, that it is over.
func (p *prober) inherit(left []byte, noticed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left == nil {
		if p.running != nil {
			over := *p.running
			over.Sample.Ended, over.Sample.Errno = p.now(), unix.ECANCELED
			p.done, p.running = append(p.done, over), nil
		}
		clear(p.trouble)
		p.write(nil)
		return
	}
	if p.running != nil {
		return
	}
	s := DiskSample{Device: p.tasks[0].Volume.Device, Sample: disk.Sample{Began: noticed}}
	if json.Unmarshal(left, &s) != nil && p.now()-noticed < 2*proberRetry {
		return // it may be about to let go
	}
	s.Sample.Seq = uint64(p.now())
	p.running, p.written = &s, true
	for _, t := range p.tasks {
		p.trouble[t.Volume.Device] = "an earlier attempt still hangs on " + devicesOf(p.tasks)
	}
}
