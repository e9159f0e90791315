package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"standfast/configfs"
	"standfast/hw/process"
)

// machine is one that grants and refuses as it is told, and notes what is asked of it.
type machine struct {
	locked    process.Locked
	lockErr   error
	refuse    func(process.Schedule) error
	schedule  process.Schedule
	noDevices error
	noMeals   error
	timeout   time.Duration

	mu    sync.Mutex
	deeds []string
}

func (m *machine) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deeds = append(m.deeds, fmt.Sprintf(format, args...))
}

func (m *machine) did() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	deeds := m.deeds
	m.deeds = nil
	return deeds
}

func (m *machine) Lock() (process.Locked, error)        { return m.locked, m.lockErr }
func (m *machine) Scheduled() (process.Schedule, error) { return m.schedule, nil }
func (m *machine) Memory() (process.Memory, error)      { return process.Memory{}, nil }
func (m *machine) Schedule(s process.Schedule) error {
	if m.refuse != nil {
		if err := m.refuse(s); err != nil {
			return err
		}
	}
	m.schedule = s
	return nil
}

func (m *machine) Watchdog(path string) (watchdogDevice, error) {
	if m.noDevices != nil {
		return nil, m.noDevices
	}
	m.note("open %s", path)
	return (*device)(m), nil
}

type device machine

func (d *device) Timeout() time.Duration { return d.timeout }
func (d *device) Keepalive() error {
	if d.noMeals != nil {
		return d.noMeals
	}
	(*machine)(d).note("fed")
	return nil
}
func (d *device) Close() error { (*machine)(d).note("closed"); return nil }

func bodyOn(m *machine) (*body, *lines, *vitals) {
	log, v := &lines{}, &vitals{now: func() time.Duration { return time.Hour }}
	return newBody(m, slog.New(slog.NewTextHandler(log, nil)), v), log, v
}

// TestWhatABodyGets: the best of what is wished for and permitted, and a way out for the rest.
func TestWhatABodyGets(t *testing.T) {
	realTime := func(priority int) process.Schedule {
		return process.Schedule{Policy: process.RoundRobin, Priority: priority}
	}
	everything := func(process.Schedule) error { return unix.EPERM }
	noRealTime := func(s process.Schedule) error {
		if s.RealTime() {
			return fmt.Errorf("the kernel refuses %v: %w", s, unix.EPERM)
		}
		return nil
	}
	limited := func(s process.Schedule) error {
		if s.RealTime() {
			return process.ErrLimited
		}
		return nil
	}
	for _, c := range []struct {
		name      string
		wish      configfs.Process
		inherited process.Schedule
		refuse    func(process.Schedule) error
		want      process.Schedule
		remedy    string
	}{
		{name: "nothing is said", want: realTime(10)},
		{name: "the unit has real time", inherited: process.Schedule{Policy: process.FIFO, Priority: 70}, want: process.Schedule{Policy: process.FIFO, Priority: 70}},
		{name: "the unit has a nice value", inherited: process.Schedule{Nice: -5}, want: realTime(10)},
		{name: "a priority", wish: configfs.Process{RealTime: 50}, inherited: realTime(70), want: realTime(50)},
		{name: "ordinary", wish: configfs.Process{Ordinary: true}, inherited: realTime(70), want: process.Schedule{}},
		{name: "ordinary, in a nice unit", wish: configfs.Process{Ordinary: true}, inherited: process.Schedule{Nice: 5}, want: process.Schedule{Nice: 5}},
		{name: "ordinary and nice", wish: configfs.Process{Ordinary: true, Nice: -7, NiceSaid: true}, want: process.Schedule{Nice: -7}},
		{name: "nice, and no more said", wish: configfs.Process{Nice: 5, NiceSaid: true}, want: realTime(10)},
		{name: "no real time", refuse: noRealTime, want: process.Schedule{Nice: -20}, remedy: "CAP_SYS_NICE"},
		{name: "no real time, and nice", wish: configfs.Process{RealTime: 50, Nice: 0, NiceSaid: true}, refuse: noRealTime, want: process.Schedule{}, remedy: "LimitRTPRIO=99"},
		{name: "it would be killed", refuse: limited, want: process.Schedule{Nice: -20}, remedy: "LimitRTTIME=infinity"},
		{name: "nothing at all", refuse: everything, inherited: process.Schedule{Nice: 3}, want: process.Schedule{Nice: 3}, remedy: "vrrp_rt_priority 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, log, _ := bodyOn(&machine{locked: process.LockedAll, refuse: c.refuse, schedule: c.inherited})
			b.settle(c.wish)
			got := *b.state.Load()
			if diff := cmp.Diff(c.want, got.Schedule); diff != "" {
				t.Errorf("schedule (-want +got):\n%s", diff)
			}
			if said := strings.Join(got.Remarks, " "); c.remedy == "" && said != "" || !strings.Contains(said, c.remedy) {
				t.Errorf("remarks %q, want the remedy %q", said, c.remedy)
			}
			if lines := strings.Count(log.String(), "level=WARN"); lines != len(got.Remarks) {
				t.Errorf("%d warnings for %d remarks", lines, len(got.Remarks))
			}
			before := log.String()
			if b.follow(c.wish); log.String() != before {
				t.Errorf("the same wish again says: %s", strings.TrimPrefix(log.String(), before))
			}
		})
	}
}

func TestMemoryIsNotLocked(t *testing.T) {
	b, log, _ := bodyOn(&machine{locked: process.LockedText, lockErr: process.ErrNoLimit})
	b.settle(configfs.Process{})
	b.follow(configfs.Process{RealTime: 10}) // which changes nothing about memory
	if got := *b.state.Load(); got.Locked != process.LockedText || len(got.Remarks) != 1 || !strings.Contains(got.Remarks[0], "LimitMEMLOCK=infinity") {
		t.Errorf("body %+v", got)
	}
	if !strings.Contains(log.String(), "Memory locked: text; scheduling: round-robin 10") {
		t.Errorf("log: %s", log)
	}
}

// TestReloadChangesTheSchedule: another wish is followed, and what was refused before is forgotten.
func TestReloadChangesTheSchedule(t *testing.T) {
	m := &machine{locked: process.LockedAll, refuse: func(s process.Schedule) error {
		if s.Priority > 50 {
			return unix.EPERM
		}
		return nil
	}}
	b, log, _ := bodyOn(m)
	b.settle(configfs.Process{RealTime: 60})
	if len(b.state.Load().Remarks) != 1 {
		t.Errorf("remarks %q", b.state.Load().Remarks)
	}
	b.follow(configfs.Process{RealTime: 60, Nice: 4, NiceSaid: true})
	if got := *b.state.Load(); got.Schedule != (process.Schedule{Nice: 4}) || len(got.Remarks) != 1 {
		t.Errorf("another nice value where real time is refused: %+v", got)
	}
	b.follow(configfs.Process{RealTime: 40})
	if got := *b.state.Load(); got.Schedule.Priority != 40 || len(got.Remarks) != 0 || got.Locked != process.LockedAll {
		t.Errorf("body %+v", got)
	}
	if !strings.Contains(log.String(), "Scheduling: round-robin 40") {
		t.Errorf("log: %s", log)
	}
}

// TestWatchdogDevice is armed when the configuration names it, fed while the service lives, and let go on purpose.
func TestWatchdogDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{timeout: time.Minute}
		b, log, v := bodyOn(m)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.keep(ctx); close(ended) }()
		time.Sleep(mealEvery / 2) // from here on between two meals
		meals := func(n int, alive bool) []string {
			for range n {
				if alive {
					v.progress()
				}
				time.Sleep(mealEvery)
			}
			synctest.Wait()
			return m.did()
		}
		if got := meals(3, true); len(got) != 0 {
			t.Errorf("nobody asked for a device: %q", got)
		}
		b.wishes.put(configfs.Process{Watchdog: configfs.Path{Name: "/dev/watchdog1"}})
		if got := meals(3, true); !slices.Equal(got, []string{"open /dev/watchdog1", "fed", "fed", "fed"}) {
			t.Errorf("armed: %q", got)
		}
		if got := meals(3, false); len(got) != 0 || b.state.Load().Watchdog != WatchdogStarved {
			t.Errorf("the loop stands: %q, %s", got, b.state.Load().Watchdog)
		}
		if got := meals(2, true); !slices.Equal(got, []string{"fed", "fed"}) || b.state.Load().Watchdog != watchdogArmed {
			t.Errorf("the loop goes on: %q, %s", got, b.state.Load().Watchdog)
		}
		b.wishes.put(configfs.Process{Watchdog: configfs.Path{Name: "/dev/watchdog1"}})
		if got := meals(1, true); !slices.Equal(got, []string{"fed"}) {
			t.Errorf("the same device again: %q", got)
		}
		b.wishes.put(configfs.Process{Watchdog: configfs.Path{Name: "/dev/watchdog2"}})
		if got := meals(1, true); !slices.Equal(got, []string{"closed", "open /dev/watchdog2", "fed"}) {
			t.Errorf("another device: %q", got)
		}
		b.wishes.put(configfs.Process{})
		if got := meals(1, true); !slices.Equal(got, []string{"closed"}) || b.state.Load().Watchdog != watchdogOff {
			t.Errorf("off: %q, %s", got, b.state.Load().Watchdog)
		}
		b.wishes.put(configfs.Process{Watchdog: configfs.Path{Name: "/dev/watchdog3"}})
		meals(1, true)
		m.noMeals = unix.EIO
		if got := meals(2, true); len(got) != 0 || b.state.Load().Watchdog != WatchdogStarved {
			t.Errorf("a device that fails: %q, %s", got, b.state.Load().Watchdog)
		}
		cancel()
		<-ended
		if got := m.did(); !slices.Equal(got, []string{"closed"}) {
			t.Errorf("the end: %q", got)
		}
		if n := strings.Count(log.String(), "will reset this host"); n != 2 {
			t.Errorf("%d alarms, want one for each famine:\n%s", n, log)
		}
	})
}

func TestNoWatchdogDevice(t *testing.T) {
	impatient := &machine{timeout: leastTimeout - time.Second}
	c, _, _ := bodyOn(impatient)
	c.follow(configfs.Process{Watchdog: configfs.Path{Name: "/dev/watchdog"}})
	if got := *c.state.Load(); got.Watchdog != watchdogOff || len(got.Remarks) != 1 || !slices.Equal(impatient.did(), []string{"open /dev/watchdog", "closed"}) {
		t.Errorf("with one that is too impatient: %+v", got)
	}
	m := &machine{noDevices: fmt.Errorf("cannot open the watchdog /dev/watchdog: %w", fs.ErrNotExist)}
	b, _, _ := bodyOn(m)
	wish := configfs.Process{Watchdog: configfs.Path{Name: "/dev/watchdog"}}
	b.follow(wish)
	b.feed()
	if got := *b.state.Load(); got.Watchdog != watchdogOff || len(got.Remarks) != 1 || !strings.Contains(got.Remarks[0], "watchdog_device") {
		t.Errorf("body %+v", got)
	}
	m.noDevices = errors.New("must not be asked for again")
	b.follow(wish)
}
