package main

import (
	"context"
	"time"
)

// A story is told from where A serves and B stands by.
type story struct {
	key, title string
	short      bool // the tests tell it
	daemons    []daemon
	tell       func(context.Context, *watch) error
}

// peace is how long is looked on when nothing may move, and forever how long when nothing will.
const (
	peace   = 8 * time.Second
	forever = 20 * time.Second
)

func stories() []story {
	ours, all := []daemon{standfast}, []daemon{standfast, keepalived, untracked}
	two := []daemon{standfast, keepalived}
	return []story{
		{"p", "the package as it is installed, and reloads", true, ours, installed},
		{"c", "the cable is out, both live", true, all, cableOut},
		{"k", "the journal's daemon stands still", false, ours, journalStuck},
		{"i", "the package is upgraded on the MASTER", true, ours, upgraded},
		{"l", "migrate from keepalived on the BACKUP, and back, while the MASTER runs keepalived", false, []daemon{keepalived}, migrated},
		{"g", "the MASTER's service stands still", false, ours, wedged},
		{"j1", "the BACKUP reboots", false, ours, backupReboots},
		{"j2", "the MASTER reboots", false, ours, masterReboots},
		{"j3", "the MASTER reboots, and the cable is out before it is back", false, ours, masterRebootsDark},
		{"h", "PID 1 of the MASTER stands still", false, ours, supervisorStuck},
		{"b", "the BACKUP loses power", true, all, backupOff},
		{"a", "the MASTER loses power", true, all, masterOff},
		{"d", "the card of the MASTER is gone", false, ours, cardOut},
		{"e1", "the disk of the MASTER hangs", true, two, diskHangs},
		{"e2", "the disk of the MASTER fails every request", false, two, diskFails},
		{"e3", "the disk of the MASTER is gone", false, two, diskGone},
		{"f", "the kernel of the MASTER panics", false, two, panicked},
		{"x", "the package is removed from the MASTER", false, ours, erased},
	}
}

// masterOff takes the power from the one who serves.
func masterOff(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the MASTER's power is off", l.a.powerOff); err != nil {
		return err
	}
	if w.out.Daemon == keepalived { // B is in FAULT for ever
		if err := lookOn(ctx, forever); err != nil {
			return err
		}
	} else if w.serves(ctx, "B", forever) {
		if err := lookOn(ctx, 3*time.Second); err != nil {
			return err
		}
	}
	w.verdict(ctx, l.b)
	w.end(ctx)
	if w.out.Daemon == standfast {
		w.out.within(masterDown/2, 0) // far from the time without evidence, whatever the emulation adds
	}
	return nil
}

// backupOff takes the power from the one who stands by: the cable of the one who serves goes dark.
func backupOff(ctx context.Context, w *watch) error {
	return undisturbed(ctx, w, "the BACKUP's power is off", w.lab.b.powerOff, w.lab.a)
}

// cableOut pulls the cable while both live.
func cableOut(ctx context.Context, w *watch) error {
	return undisturbed(ctx, w, "the cable is out, both live", func() error { return w.lab.pull(true) }, w.lab.b)
}

// undisturbed is a story in which nothing may move. Whoever is in doubt is asked for his verdict.
func undisturbed(ctx context.Context, w *watch, what string, act func() error, doubter *router) error {
	if err := w.do(what, act); err != nil {
		return err
	}
	if err := lookOn(ctx, peace); err != nil {
		return err
	}
	w.verdict(ctx, doubter)
	w.end(ctx)
	if w.out.Daemon == standfast {
		w.out.still()
	}
	return nil
}

// cardOut takes the whole card out of the one who serves, with all its ports.
func cardOut(ctx context.Context, w *watch) error {
	l := w.lab
	if err := w.do("the MASTER's card is pulled out", func() error { return l.a.pullCard(ctx) }); err != nil {
		return err
	}
	if w.serves(ctx, "B", forever) {
		if err := lookOn(ctx, 3*time.Second); err != nil {
			return err
		}
	}
	w.verdict(ctx, l.b)
	w.end(ctx)
	w.out.within(2*time.Second, 0)
	return nil
}
