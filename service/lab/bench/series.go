package main

import (
	"errors"
	"math/rand/v2"
	"time"

	"standfast/hw/hwtest"
	"standfast/service/lab"
)

const (
	sampling         = 100 * time.Millisecond // the observer only waits for the pair to settle; events measure
	takeoverPatience = 8 * time.Second
	recantPatience   = 20 * time.Second
	advertInterval   = time.Second
	paused           = 20 * time.Millisecond
)

// A series is a pair that goes through many runs.
type series struct {
	pair     *lab.Pair
	observer *hwtest.Observer
	meter    *lab.Meter
	events   *hwtest.Events // of B
}

// onPair builds a pair that runs the daemon on both routers, and hands it to f.
func onPair(d lab.Daemon, f func(*series) error) (err error) {
	l, err := hwtest.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	p, err := lab.NewPair(l, lab.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	s := &series{pair: p}
	if s.observer, err = p.Observe(sampling); err != nil {
		return err
	}
	if s.meter, err = p.NewMeter(p.B); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.meter.Close()) }()
	if s.events, err = p.B.Namespace().Watch(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.events.Close()) }()
	for _, m := range p.Members() {
		if err := m.Start(d); err != nil {
			return err
		}
	}
	return f(s)
}

// run adds one power-off to the figures and says what came of it.
func (s *series) run(f *figures, noisy bool) error {
	t, err := s.powerOff(noisy)
	if err != nil {
		return err
	}
	f.add(t)
	progress("run %d, another port changed within a second %v: %v", f.Runs, noisy, t.Served())
	return nil
}

// powerOff lets the pair settle, takes A's power at a random phase of the advert interval and measures how B takes over. With
// noisy true another port of B lost its carrier within the second before. Then A gets its power back.
func (s *series) powerOff(noisy bool) (lab.Takeover, error) {
	if err := s.pair.Settle(s.observer, lab.SideA); err != nil {
		return lab.Takeover{}, err
	}
	phase := rand.N(advertInterval)
	spare := s.pair.B.Port(lab.SparePort)
	if noisy {
		phase = rand.N(advertInterval * 9 / 10)
		if err := s.disturb(spare); err != nil {
			return lab.Takeover{}, err
		}
	}
	time.Sleep(phase)
	if _, err := s.pair.A.PowerOff(nil); err != nil {
		return lab.Takeover{}, err
	}
	t, err := s.meter.Measure(s.pair.B.Port(lab.HeartbeatPort).SwitchedAt(), takeoverPatience)
	if err != nil {
		return t, err
	}
	return t, errors.Join(spare.Link().Mend(), s.pair.A.Restart())
}

// disturb takes the carrier of a port and waits until the kernel has announced it, after which it holds back others.
func (s *series) disturb(p *hwtest.Port) error {
	if err := p.Link().Cut(); err != nil {
		return err
	}
	index := p.Index()
	_, err := s.events.Await(p.SwitchedAt(), takeoverPatience, func(e hwtest.Event) bool {
		return e.Kind == hwtest.LinkEvent && e.Index == index && !e.Carrier
	})
	return err
}

// pause lets the pair settle and A grow old as MASTER, silences A for 20 ms as the cable is cut, and waits until A holds every
// address alone again, by then or later, while the cable is still cut.
func (s *series) pause() (pause, error) {
	if err := s.pair.Settle(s.observer, lab.SideA); err != nil {
		return pause{}, err
	}
	grown := time.Now().Add(2 * lab.MasterDown) // a younger MASTER gives way itself, which is no less right
	if _, err := s.observer.Await(3*lab.MasterDown, func(sample hwtest.Sample) bool { return sample.At.After(grown) }); err != nil {
		return pause{}, err
	}
	fine, err := s.pair.Observe(0)
	if err != nil {
		return pause{}, err
	}
	start := time.Now()
	s.pair.A.Pause()
	err = s.pair.Cable.Cut()
	time.Sleep(paused)
	s.pair.A.Resume()
	if err != nil {
		return pause{}, err
	}
	_, _ = fine.Await(paused, func(hwtest.Sample) bool { return false }) // a takeover has begun by then, or will not come from this
	_, notHeld := fine.Await(recantPatience, func(s hwtest.Sample) bool { return lab.Held(s, lab.SideA) })
	line := fine.Stop().Between(start, time.Time{})
	var p pause
	for vip := range line.VIPs {
		t := line.Tally(vip, hwtest.Owners)
		p.Taken = p.Taken || t.Changes > 0
		p.Both = max(p.Both, t.LongestSeveral)
	}
	p.Recanted = p.Taken && notHeld == nil
	return p, nil
}
