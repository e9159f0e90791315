package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"standfast/service/lab/vm/machine"
)

// The bounds of stories in which the MASTER says nothing any more: a master-down interval, and what its service, kernel and machine may be late by.
const (
	masterDown = 4500 * time.Millisecond
	handover   = 2 * time.Second // after a goodbye the BACKUP waits 0.8 s, its skew
	diskLimit  = 30 * time.Second
)

// diskHangs has the disk answer nothing any more: it is to be noticed before the disk's own driver gives up.
func diskHangs(ctx context.Context, w *watch) error {
	return diskStory(ctx, w, "the MASTER's disk hangs", func() error { w.lab.a.disk.Hang(); return nil })
}

func diskFails(ctx context.Context, w *watch) error {
	return diskStory(ctx, w, "the MASTER's disk answers EIO", func() error { w.lab.a.disk.Fail(); return nil })
}

func diskGone(ctx context.Context, w *watch) error {
	return diskStory(ctx, w, "the MASTER's disk is pulled out", w.lab.a.pullDisk)
}

// diskStory wants the peer to serve before the disk's own time is over. A router without a disk may serve on for a while, as keepalived does for ever.
func diskStory(ctx context.Context, w *watch, what string, trouble func() error) error {
	l := w.lab
	if err := w.do(what, trouble); err != nil {
		return err
	}
	if w.out.Daemon == standfast {
		w.serves(ctx, "B", diskLimit)
		w.note("handed over %.1f s after it; the disk's own time is %v", (l.now() - w.event).Seconds(), diskLimit)
		if err := lookOn(ctx, peace); err != nil {
			return err
		}
		w.verdict(ctx, l.b)
	} else if err := lookOn(ctx, diskLimit+10*time.Second); err != nil {
		return err
	}
	w.end(ctx)
	if w.out.Daemon == standfast {
		w.out.within(handover, 0)
	} else {
		w.note("afterwards %s serves", orNobody(l.serving()))
	}
	w.stop(ctx, l.a)
	l.a.spoil()
	return nil
}

// stop says how long the service of a router whose disk is in trouble takes to stop, where the machine can be told at all: its programs are on that disk.
func (w *watch) stop(ctx context.Context, r *router) {
	if r.runs != standfast {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	began := w.lab.now()
	if _, err := r.vm.Run(ctx, "systemctl stop standfast.service"); err != nil {
		w.note("%s could not be told to stop its service: %v", r.name, err)
		return
	}
	took := w.lab.now() - began
	w.note("the service of %s stopped in %.1f s", r.name, took.Seconds())
	if took > 5*time.Second {
		w.wrong("the service of %s took %v to stop", r.name, took)
	}
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

// panicked has the kernel stop at once, its ports still lit.
func panicked(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the MASTER's kernel panics", func() error { return l.a.last(ctx, "echo c >/proc/sysrq-trigger") }); err != nil {
		return err
	}
	if w.serves(ctx, "B", forever) {
		if err := lookOn(ctx, peace); err != nil {
			return err
		}
	}
	w.verdict(ctx, l.b)
	w.end(ctx)
	if w.out.Daemon == standfast {
		w.out.within(masterDown, 0)
	}
	l.a.spoil()
	return nil
}

// supervisorStuck holds PID 1 as a debugger does. The watchdog in the machine is PID 1's to feed.
func supervisorStuck(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("PID 1 of the MASTER is held", func() error {
		_, err := l.a.run(ctx, "/root/vm hold 1 >/run/hold 2>&1 &\nuntil grep -q held /run/hold; do sleep 0.1; done")
		return err
	}); err != nil {
		return err
	}
	if !w.serves(ctx, "B", 90*time.Second) {
		return nil
	}
	w.note("the watchdog reset the machine %.0f s after PID 1 stood still", (l.now() - w.event).Seconds())
	w.verdict(ctx, l.b)
	if err := l.a.booted(ctx); err != nil {
		return err
	}
	w.serves(ctx, "A", time.Minute)
	w.end(ctx)
	w.out.within(masterDown, 0)
	return nil
}

// backupReboots restarts the one who stands by.
func backupReboots(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the BACKUP reboots", func() error { return l.b.reboot(ctx, nil) }); err != nil {
		return err
	}
	if err := lookOn(ctx, peace); err != nil {
		return err
	}
	w.verdict(ctx, l.a)
	w.end(ctx)
	w.out.quiet()
	return nil
}

// masterReboots restarts the one who serves: it says goodbye, and takes over again when it is back.
func masterReboots(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the MASTER reboots", func() error { return l.a.reboot(ctx, nil) }); err != nil {
		return err
	}
	w.serves(ctx, "A", time.Minute)
	w.verdict(ctx, l.a)
	w.end(ctx)
	w.out.within(handover, 0)
	return nil
}

// masterRebootsDark restarts the one who serves and pulls the cable before it is back: it comes up without ever having heard its peer.
func masterRebootsDark(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the MASTER reboots, the cable is out", func() error { return l.a.reboot(ctx, func() error { return l.pull(true) }) }); err != nil {
		return err
	}
	if err := lookOn(ctx, forever); err != nil {
		return err
	}
	w.verdict(ctx, l.a)
	w.end(ctx)
	w.out.within(handover, 0)
	if w.out.Moves > 1 {
		w.wrong("the addresses moved %d times", w.out.Moves)
	}
	return nil
}

// reboot restarts the machine in order, and waits until it is back; meanwhile is done while it is away.
func (r *router) reboot(ctx context.Context, meanwhile func() error) error {
	r.mark()
	if err := r.last(ctx, "systemctl --no-block reboot"); err != nil {
		return err
	}
	if err := until(ctx, bootPatience, r.name+" goes down", func() bool { return len(r.said(`reboot: Restarting system`)) > 0 }); err != nil {
		return err
	}
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	return r.booted(ctx)
}

// last has the machine run a script from which it does not return.
func (r *router) last(ctx context.Context, script string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := r.vm.Run(ctx, script)
	if err != nil && (ctx.Err() == nil || errors.Is(err, machine.ErrNoShell)) {
		return fmt.Errorf("%s refuses %q: %w", r.name, script, err)
	}
	return nil
}
