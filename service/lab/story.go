package lab

import (
	"errors"
	"slices"
	"time"

	"standfast/hw/hwtest"
)

// A Story is one of the four that the product is for.
type Story struct {
	Key     byte
	Title   string
	Promise string
}

// Stories returns the four stories, in order.
func Stories() []Story {
	return []Story{
		{'a', "the MASTER loses power", "the BACKUP serves within 60 ms, and nobody else does"},
		{'b', "the BACKUP loses power", "the MASTER goes on: no address missing, no packet lost"},
		{'c', "the cable is cut, both routers live", "the MASTER goes on: one master, no packet lost"},
		{'d', "the cable is cut, then the MASTER loses power", "the BACKUP waits while the MASTER lives, and serves within the master-down interval once it is dead"},
	}
}

// TakeoverBound is the promise of story a: how long after the carrier dropped the BACKUP serves at the latest.
const TakeoverBound = 60 * time.Millisecond

const (
	streamEvery      = 10 * time.Millisecond
	prelude          = 500 * time.Millisecond // of packets before the first act
	takeoverPatience = 8 * time.Second        // twice the master-down interval: who does not serve by then never will
)

// An Outcome is how a story ended.
type Outcome struct {
	Story  Story
	Daemon Daemon
	Acts   []Act
	Line   hwtest.Timeline // from the first act to the end
	Losses hwtest.Losses   // of a client of the first LAN that asks the VIP each 10 ms, from shortly before the first act to the end

	// Of stories a and d: how long after the MASTER's power was gone (a: after the carrier dropped) B served, and the error
	// where it did not.
	Takeover Takeover
	NotTaken error

	Transitions [2][]string // of A and B, from the first act to the end or the loss of the router's power
	Why         [2]string   // what standfast says about it, empty for a router without power
}

// An Act is what was done to the pair.
type Act struct {
	At   time.Time
	What string
}

// A Narrator is told what happens while it happens.
type Narrator func(at time.Time, what string)

// Tell builds a pair that runs the daemon, lets it settle, tells it the story and watches for the given time.
func Tell(story Story, d Daemon, watch time.Duration, narrate Narrator) (Outcome, error) {
	l, err := hwtest.Open()
	if err != nil {
		return Outcome{}, err
	}
	p, err := NewPair(l, Options{})
	if err != nil {
		return Outcome{}, errors.Join(err, l.Close())
	}
	outcome, err := p.tell(story, d, watch, narrate)
	return outcome, errors.Join(err, l.Close(), p.Close())
}

// A telling is a story under way.
type telling struct {
	*Pair
	outcome  *Outcome
	observer *hwtest.Observer
	meter    *Meter
	dark     [2]time.Time // when A and B lost power
	narrate  Narrator
}

func (p *Pair) tell(story Story, d Daemon, watch time.Duration, narrate Narrator) (Outcome, error) {
	outcome := Outcome{Story: story, Daemon: d}
	t := &telling{Pair: p, outcome: &outcome, narrate: narrate}
	var err error
	if t.observer, err = p.Observe(0); err != nil {
		return outcome, err
	}
	for _, m := range p.Members() {
		if err := m.Start(d); err != nil {
			return outcome, err
		}
	}
	if err := p.Settle(t.observer, SideA); err != nil {
		return outcome, err
	}
	narrate(time.Now(), "A is MASTER, B stands by; one client asks the first address 100 times a second")
	if t.meter, err = p.NewMeter(p.B); err != nil {
		return outcome, err
	}
	defer t.meter.Close()
	stream, err := p.LANs[0].Client.Stream(p.LANs[0].VIP.Addr(), streamEvery)
	if err != nil {
		return outcome, err
	}
	err = t.watch(prelude)
	start := time.Now()
	if err == nil {
		err = t.play(watch)
	}
	outcome.Losses = stream.Stop()
	outcome.Line = t.observer.Stop().Between(start, time.Time{})
	for i, m := range p.Members() {
		outcome.Transitions[i] = m.Log.Transitions(start, t.dark[i])
		if m.Powered() && !d.Keepalived {
			outcome.Why[i], _ = m.Ask("why") // what it prints when it fails is what is shown
		}
	}
	return outcome, err
}

// play does what happens in the story and watches.
func (t *telling) play(watch time.Duration) error {
	switch t.outcome.Story.Key {
	case 'a':
		if err := t.powerOff(t.A); err != nil {
			return err
		}
		t.measure(t.B.Port(HeartbeatPort).SwitchedAt())
	case 'b':
		if err := t.powerOff(t.B); err != nil {
			return err
		}
	case 'c':
		if err := t.cut(); err != nil {
			return err
		}
	case 'd':
		if err := t.cut(); err != nil {
			return err
		}
		if err := t.watch(watch / 2); err != nil {
			return err
		}
		if err := t.powerOff(t.A); err != nil {
			return err
		}
		t.measure(t.outcome.Acts[1].At)
	}
	return t.watch(watch)
}

func (t *telling) act(at time.Time, what string) {
	t.outcome.Acts = append(t.outcome.Acts, Act{At: at, What: what})
	t.narrate(at, what)
}

func (t *telling) powerOff(m *Member) error {
	dark, err := m.PowerOff(nil)
	t.dark[slices.Index(t.Members(), m)] = dark
	t.act(dark, m.Name()+" loses power")
	return err
}

func (t *telling) cut() error {
	now := time.Now()
	err := t.Cable.Cut()
	t.act(now, "the cable is cut")
	return err
}

func (t *telling) measure(start time.Time) {
	t.outcome.Takeover, t.outcome.NotTaken = t.meter.Measure(start, takeoverPatience)
	if t.outcome.NotTaken == nil {
		t.narrate(start.Add(t.outcome.Takeover.Served()), "B serves: every address and route in its kernel, announced on every LAN")
	}
}

func (t *telling) watch(d time.Duration) error {
	return watchFor(t.observer, d, func(s hwtest.Sample) {
		line := hwtest.Timeline{Routers: []*hwtest.Router{t.A.Router, t.B.Router}}
		what := "addresses are held by"
		for _, who := range s.Owners {
			what += " " + line.Names(who)
		}
		t.narrate(s.At, what)
	})
}
