package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

// A story is something that happens to one router of a pair and that nobody else may notice, or not more than is promised.
type story struct {
	name    string
	promise string
	setting setting
	play    func(*stage) error
}

const (
	// watchdogUsual is that of the unit.
	watchdogUsual = 10 * time.Second
	// watchdogSoon is the least with which a loop that goes round each second is fed in time.
	watchdogSoon = 4 * time.Second
)

// stories returns all of them, in the order in which they are told.
func stories() []story {
	calm, quick := setting{watchdog: watchdogUsual}, setting{watchdog: watchdogUsual, fast: true}
	sick, sicker, alone := quick, quick, quick
	sick.diskA, sicker.diskA, sicker.diskB = true, true, true
	rooted := sick
	rooted.rooted = true
	alone.diskA, alone.alone = true, true
	broken := func(how string) setting { return setting{watchdog: watchdogSoon, defect: how} }
	spinning := broken("spin")
	spinning.global = "vrrp_rt_priority 0" // or it would keep a processor from everybody
	mute, stuck := broken("mute"), broken("actors")
	mute.notice, stuck.notice = 4*time.Second, 10*time.Second
	const once = "bitten once and started again; no address answered by two for longer than an advert interval"
	return []story{
		{"calm", "nothing happens, for hours: adverts on time, no watchdog kill", quick, calmly},
		{"outlets", "journal, syslog, PID 1, script helper and control clients stand still: no transition, adverts on time, lines lost and counted",
			setting{watchdog: watchdogUsual, fast: true, noisy: true}, frozenOutlets},
		{"pause-2s", "the MASTER is stopped for 2 s: nobody moves, it announces itself again", setting{}, pause(2 * time.Second)},
		{"pause-10s", "for 10 s: B serves, A listens before it speaks", setting{}, pause(10 * time.Second)},
		{"pause-231s", "for 231 s, as in the field: the same", setting{}, pause(231 * time.Second)},
		{"kill-service", "the service is killed: started again, one router answers", calm, killedService},
		{"kill-helpers", "each helper is killed: there again, no transition, scripts run", quick, killedHelpers},
		{"stopped", "the service is stopped and nobody lets it go on: " + once, setting{watchdog: watchdogSoon}, bitten(syscall.SIGSTOP)},
		{"deadlock", "the loop deadlocks: " + once, broken("deadlock"), bitten(syscall.SIGHUP)},
		{"spin", "the loop spins: " + once, spinning, bitten(syscall.SIGHUP)},
		{"mute", "adverts do not leave: " + once, mute, bitten(syscall.SIGHUP)},
		{"actors", "the kernel never answers those who change addresses: " + once, stuck, bitten(syscall.SIGHUP)},
		{"disk-hung", "the MASTER's disk hangs, its disk helper is killed: it resigns within 10 s, once, at most one task hangs", sick, resigned(hangs())},
		{"disk-error", "every request fails: the same", sick, resigned(fails())},
		{"disk-worn", "every write fails, and the file system makes itself read-only: the same", sick, resigned(wears())},
		{"disk-readonly", "an administrator remounts the file system read-only: no fault, nobody moves", sick, harmless(readOnly())},
		{"disk-full", "the file system is full: no fault, nobody moves", sick, harmless(fillsUp())},
		{"disk-slow", "every request takes 1.2 s: slow, nobody moves", sick, harmless(slows())},
		{"disk-alone", "the disk of a MASTER without a peer hangs: it keeps serving, and says so", alone, kept(hangs())},
		{"disk-both", "both disks hang: one router keeps serving, no going to and fro", sicker, shared(hangs())},
		{"disk-root", "the disk hangs on which the MASTER's program, configuration and scripts are, and it is told to reload: it resigns within 10 s, and can be stopped", rooted, uprooted},
		{"disk-restart", "the service is stopped and started while its disk hangs", sick, restarted},
	}
}

// calmly watches a pair to which nothing happens.
func calmly(s *stage) error {
	s.begin()
	if err := s.watch(s.trouble); err != nil {
		return err
	}
	s.undisturbed()
	s.onTime()
	s.healthy()
	return nil
}

// A row is how a story ended.
type row struct {
	story       story
	lasted      time.Duration
	transitions int
	adverts     int          // of A, where they are judged
	lateness    lab.Lateness // of those
	doubled     time.Duration
	dropped     uint64
	kills       int // by the watchdog
	remarks     []string
	complaints  []string
	busy        string // why the machine could not be judged on
	err         error  // why it could not be told to its end
	journal     string // where something is complained of
}

func (r *row) remark(format string, args ...any) {
	r.remarks = append(r.remarks, fmt.Sprintf(format, args...))
}

// figures are the columns between the first and the last.
func (r row) figures() []string {
	sent, late := "-", "-"
	if r.adverts > 0 {
		sent, late = strconv.Itoa(r.adverts), r.lateness.String()
	}
	return []string{r.lasted.Round(100 * time.Millisecond).String(), strconv.Itoa(r.transitions), sent, late,
		r.doubled.Round(time.Millisecond).String(), strconv.FormatUint(r.dropped, 10), strconv.Itoa(r.kills)}
}

// verdict is the last column.
func (r row) verdict() string {
	switch {
	case r.err != nil:
		return "NOT TOLD TO ITS END: " + r.err.Error()
	case len(r.complaints) > 0:
		return "NOT AS PROMISED: " + strings.Join(r.complaints, "; ")
	case r.busy != "":
		return "the machine was too busy: " + r.busy
	}
	return strings.Join(append([]string{"as promised"}, r.remarks...), ", ")
}

// programs are what the routers run.
type programs struct {
	product   string
	defective func() (string, error) // builds it when it is needed
}

// tell tells a story on a pair of its own; shared says that others are told at the same time.
func (y story) tell(p programs, trouble time.Duration, shared bool) (row, error) {
	l, err := hwtest.Open()
	if err != nil {
		return row{story: y, err: err}, err
	}
	pair, err := lab.NewPair(l, lab.Options{})
	if err != nil {
		return row{story: y, err: err}, errors.Join(err, l.Close())
	}
	s := &stage{Pair: pair, setting: y.setting, trouble: trouble, shared: shared, control: newControl(), cables: newCables(),
		supervisors: map[*lab.Member]*lab.Supervisor{}, outcome: row{story: y}}
	err = s.build(p)
	if err == nil {
		s.begin()
		err = y.play(s)
	}
	if !s.began.IsZero() {
		s.outcome.lasted = time.Since(s.began)
	}
	s.outcome.err = err
	if len(s.complaints) > 0 || err != nil {
		s.outcome.journal = s.journal()
	}
	if !s.excused() {
		s.outcome.complaints = s.complaints
	}
	return s.outcome, errors.Join(err, s.close())
}
