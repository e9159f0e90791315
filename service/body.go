package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"standfast/configfs"
	"standfast/hw/process"
)

// What the process takes if nobody says anything. Any real-time priority comes
// before all ordinary work; a low one leaves those of the kernel's threads and of
// cluster managers above it.
const (
	defaultRealTime = 10
	defaultNice     = -20
)

// Threads that run at once. The work is small, and the runtime's own expenses grow
// with them; more than one, so that an answer to the control socket delays no advert.
const mostProcessors = 4

// growth is by how much of itself, in percent, the heap may grow before garbage is
// collected; it begins at 4 MB times that. A collection takes a millisecond beside
// the loop and delays no advert that can be measured, memory is locked for good.
const growth = 50

// machineEdge is this process's hold on the machine.
type machineEdge interface {
	Lock() (process.Locked, error)
	Scheduled() (process.Schedule, error)
	Schedule(process.Schedule) error
	Memory() (process.Memory, error)
	Watchdog(path string) (watchdogDevice, error)
}

// watchdogDevice resets the host if it is not told in time that all is well.
type watchdogDevice interface {
	Timeout() time.Duration
	Keepalive() error
	Close() error
}

// hostMachine is the machine that the process runs on.
type hostMachine struct{}

func (hostMachine) Lock() (process.Locked, error)        { process.Preload(); return process.LockMemory() }
func (hostMachine) Scheduled() (process.Schedule, error) { return process.CurrentSchedule() }
func (hostMachine) Schedule(s process.Schedule) error    { return process.SetSchedule(s) }
func (hostMachine) Memory() (process.Memory, error)      { return process.ReadMemory(unix.Getpid()) }

func (hostMachine) Watchdog(path string) (watchdogDevice, error) {
	w, err := process.OpenWatchdog(path)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Body is the hold of the process on the machine.
type Body struct {
	Locked   process.Locked
	Schedule process.Schedule
	Watchdog string   // off, armed, or not fed
	Remarks  []string // what it does not have, and how to give it, in a sentence each
}

// body gets the process what it may have of the machine, and keeps the watchdog
// device. Whoever asks sees what came of it.
type body struct {
	edge   machineEdge
	log    *slog.Logger
	vitals *vitals
	wishes latest[configfs.Process]

	inherited process.Schedule // from whoever started the process
	asked     configfs.Process // of the scheduler, last; granted or not
	remarks   [trouble]string  // by what they are about
	state     atomic.Pointer[Body]
	device    watchdogDevice // nil: none is open
	path      string         // of the device
	fed       uint64         // the loop's round at its last meal
	starved   bool
}

func newBody(edge machineEdge, log *slog.Logger, v *vitals) *body {
	b := &body{edge: edge, log: log, vitals: v, wishes: newLatest[configfs.Process]()}
	b.state.Store(&Body{Watchdog: watchdogOff})
	return b
}

// The device is fed twice as seldom as the loop goes round at least, so that each meal
// finds it further on, and must wait for three meals.
const (
	mealEvery    = 2 * pulse
	leastTimeout = 3 * mealEvery
)

// Words for the watchdog device.
const (
	watchdogOff   = "off"
	watchdogArmed = "armed"
	// WatchdogStarved is that of a device which is about to reset this host.
	WatchdogStarved = "not fed"
)

// settle locks memory and takes processor time, before the service is ready. What
// is refused is worth a line and a way out, not an end.
func (b *body) settle(p configfs.Process) {
	debug.SetGCPercent(growth)
	runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), mostProcessors))
	s := Body{Watchdog: watchdogOff}
	var err error
	if s.Locked, err = b.edge.Lock(); err != nil {
		b.remark(aboutMemory, fmt.Sprintf("memory is not locked (%v), and a disk that hangs may stop the service: set LimitMEMLOCK=infinity in its unit, or grant it CAP_IPC_LOCK", err))
	}
	if b.inherited, err = b.edge.Scheduled(); err != nil {
		b.log.Debug(err.Error())
	}
	b.schedule(&s, p)
	b.log.Info(fmt.Sprintf("Memory locked: %v; scheduling: %v", s.Locked, s.Schedule))
	b.publish(s)
}

// What remarks are about; the newest of each counts.
const (
	aboutMemory = iota
	aboutScheduling
	aboutWatchdog
	trouble // their number
)

func (b *body) remark(about int, text string) {
	b.log.Warn(text)
	b.remarks[about] = text
}

// publish shows the body to whoever asks.
func (b *body) publish(s Body) {
	s.Remarks = nil
	for _, text := range b.remarks {
		if text != "" {
			s.Remarks = append(s.Remarks, text)
		}
	}
	b.state.Store(&s)
}

// schedule takes the best of what is wished for and permitted.
func (b *body) schedule(s *Body, p configfs.Process) {
	want := b.wanted(p)
	b.asked, b.remarks[aboutScheduling] = scheduling(p), ""
	err := b.edge.Schedule(want)
	if err == nil {
		s.Schedule = want
		return
	}
	remedy := "grant it CAP_SYS_NICE or set LimitRTPRIO=99 in its unit"
	if errors.Is(err, process.ErrLimited) {
		remedy = "set LimitRTTIME=infinity in its unit"
	}
	b.remark(aboutScheduling, fmt.Sprintf("adverts may leave late on a busy machine, no %v (%v): %s, or write vrrp_rt_priority 0 to do without", want, err, remedy))
	if fallback := (process.Schedule{Nice: b.nice(p)}); want.RealTime() && b.edge.Schedule(fallback) == nil {
		s.Schedule = fallback
		return
	}
	if s.Schedule, err = b.edge.Scheduled(); err != nil {
		b.log.Debug(err.Error())
	}
}

// collections counts those of the Go runtime since the start.
func collections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// wanted is real time unless somebody says otherwise: the file, or whoever started
// the process with a real-time priority of another height.
func (b *body) wanted(p configfs.Process) process.Schedule {
	switch {
	case p.Ordinary:
		return process.Schedule{Nice: b.nice(p)}
	case p.RealTime > 0:
		return process.Schedule{Policy: process.RoundRobin, Priority: p.RealTime}
	case b.inherited.RealTime():
		return b.inherited
	}
	return process.Schedule{Policy: process.RoundRobin, Priority: defaultRealTime}
}

// nice is the value for a process that is not real time. Where it is to be ordinary,
// and no more is said, whoever started it has decided.
func (b *body) nice(p configfs.Process) int {
	switch {
	case p.NiceSaid:
		return p.Nice
	case p.Ordinary:
		return b.inherited.Nice
	}
	return defaultNice
}

// keep follows the wishes of the configuration, and feeds the device as the
// service manager's watchdog is fed. Nobody waits for it.
func (b *body) keep(ctx context.Context) {
	defer b.disarm()
	meal := time.NewTicker(mealEvery)
	defer meal.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-b.wishes:
			b.follow(p)
		case <-meal.C:
			b.feed()
		}
	}
}

// follow has the process as the configuration wants it now.
func (b *body) follow(p configfs.Process) {
	s := *b.state.Load()
	if scheduling(p) != b.asked {
		b.schedule(&s, p)
		b.log.Info(fmt.Sprintf("Scheduling: %v", s.Schedule))
	}
	if p.Watchdog.Name != b.path {
		b.disarm()
		b.arm(&s, p.Watchdog.Name)
	}
	b.publish(s)
}

// scheduling is what a configuration asks of the scheduler.
func scheduling(p configfs.Process) configfs.Process {
	p.Watchdog = configfs.Path{}
	return p
}

// arm opens a watchdog device, from which moment on it has to be fed.
func (b *body) arm(s *Body, path string) {
	b.path, b.starved, b.remarks[aboutWatchdog], s.Watchdog = path, false, "", watchdogOff
	if path == "" {
		return
	}
	device, err := b.edge.Watchdog(path)
	if err == nil && device.Timeout() > 0 && device.Timeout() < leastTimeout {
		err = errors.Join(fmt.Errorf("the watchdog %s resets the host after %v, %v are the least", path, device.Timeout(), leastTimeout), device.Close())
	}
	if err != nil {
		b.remark(aboutWatchdog, fmt.Sprintf("%v: name another in watchdog_device, or write off; systemd has the first one if RuntimeWatchdogSec= is set", err))
		return
	}
	b.device, s.Watchdog = device, watchdogArmed
	b.log.Warn(fmt.Sprintf("The watchdog %s is armed: it resets this host if standfast dies or hangs (%s)", path, patience(device.Timeout())))
}

// patience is a device's time-out in words.
func patience(timeout time.Duration) string {
	if timeout == 0 {
		return "it does not say after how long"
	}
	return "after " + timeout.String()
}

// disarm lets go of the device on purpose.
func (b *body) disarm() {
	if b.device == nil {
		return
	}
	if err := b.device.Close(); err != nil {
		b.log.Error(err.Error())
	}
	b.device, b.path = nil, ""
}

// feed feeds the device if the signs of life are well.
func (b *body) feed() {
	if b.device == nil {
		return
	}
	round, starved := b.vitals.complaint(b.fed)
	b.fed = round
	if starved == "" {
		if err := b.device.Keepalive(); err != nil {
			starved = err.Error()
		}
	}
	known := b.starved
	b.starved = starved != ""
	if known == b.starved {
		return
	}
	s := *b.state.Load()
	s.Watchdog = watchdogArmed
	if b.starved {
		b.log.Error(fmt.Sprintf("the watchdog %s is not fed and will reset this host: %s", b.path, starved))
		s.Watchdog = WatchdogStarved
	}
	b.publish(s)
}
