package vrrp

import (
	"testing"
	"time"
)

// What the rows about the state machine hold: RFC 9568 §5.2.4, §6 and §8.3.2. Without a judge the machine does what the RFC
// says; with one it asks first.

// judged gives the router a judge who has some time to answer.
func (x *trial) judged() { x.p.Patience = 50 * time.Millisecond }

func (x *trial) owner() { x.p.Priority = ownerPriority }

// An owner says 255, from the first word to the last but one.
func ownerSays255(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.owner()
		x.fresh()
		x.tell(Start{Source: x.host(ourHost)}, "send 255", "INIT > MASTER (owner)")
		x.due()
		x.tell(Expired{}, "send 255")
		x.tell(x.from(200, 0), "send 255")
		x.tell(x.from(200, 254), "send 255", "reannounce")
		x.tell(Stop{}, "send 0", "MASTER > INIT (stopped)")
	})
}

// Who does not own the addresses never says 255, whatever raises its priority.
func othersNeverSay255(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.tell(Reprioritized{Priority: 255})
		x.due()
		x.tell(Expired{}, "send 254")
		x.is("MASTER +1s")
	})
}

func othersSayTheirOwn(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for priority := byte(1); priority <= 254; priority++ {
			x.p.Priority = priority
			x.master()
			if got := x.m.Status().Priority; got != priority {
				t.Errorf("priority %d, want %d", got, priority)
			}
			want := describe(Send{Priority: priority}, x.now)
			x.due()
			x.tell(Expired{}, want)
		}
	})
}

// 0 is no priority to have: it is refused, and nothing that lowers a priority reaches it.
func zeroIsNoPriority(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.tell(Reprioritized{Priority: 0})
		x.due()
		x.tell(Expired{}, "send 100")
		x.p.Priority = 0
		if err := x.p.Validate(); err == nil {
			x.t.Error("priority 0 can be configured")
		}
	})
}

// §6.1: 0 is no virtual router.
func noVirtualRouter0(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		if x.p.VRID = 0; x.p.Validate() == nil {
			x.t.Error("VRID 0 can be configured")
		}
	})
}

// §6.1, in nanoseconds, worked out by hand; half a centisecond is not lost.
func skewAndDown(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, tt := range []struct {
			priority byte
			interval time.Duration
			want     string
		}{
			{1, time.Second, "BACKUP +3.99609375s"},
			{100, time.Second, "BACKUP +3.609375s"},
			{254, time.Second, "BACKUP +3.0078125s"},
			{100, 10 * time.Millisecond, "BACKUP +36.09375ms"},
			{254, 10 * time.Millisecond, "BACKUP +30.078125ms"},
			{128, 40950 * time.Millisecond, "BACKUP +2m23.325s"},
		} {
			x.p.Priority, x.p.Interval = tt.priority, tt.interval
			x.backup()
			x.is(tt.want)
		}
	})
}

// §6.4.1, the address owner.
func ownerStartsAsMaster(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.owner()
		x.fresh()
		x.tell(Start{Source: x.host(ourHost)}, "send 255", "INIT > MASTER (owner)")
		x.is("MASTER +1s")
		x.judged()
		x.fresh()
		x.tell(Start{Source: x.host(ourHost)}, "consult owner +50ms")
		x.is("INIT +50ms")
		x.due()
		x.tell(Expired{}, "send 255", "INIT > MASTER (owner)")
		x.is("MASTER +1s")
		x.fresh()
		x.tell(Start{Source: x.host(ourHost)}, "consult owner +50ms")
		x.tell(Ruled{Ruling: Hold}, "INIT > BACKUP (ruling)")
		x.is("BACKUP +3.00390625s")
	})
}

// §6.4.1, everybody else.
func othersStartAsBackup(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for priority := byte(1); priority <= 254; priority++ {
			x.p.Priority = priority
			x.fresh()
			x.tell(Start{Source: x.host(ourHost)}, "INIT > BACKUP (started)")
			if at, ok := x.m.Deadline(); !ok || at.Sub(x.now) != 3*time.Second+time.Duration(256-int(priority))*time.Second/256 {
				x.t.Errorf("priority %d bears silence until %v", priority, at)
			}
		}
		x.p.Priority = 100
		x.backup()
		x.tell(x.every(4*time.Second, 200, 200))
		x.tell(Stop{}, "BACKUP > INIT (stopped)")
		x.tell(Start{Source: x.host(ourHost)}, "INIT > BACKUP (started)")
		x.is("BACKUP +3.609375s") // by its own interval: what was learned before counts no more
	})
}

// Nothing but a start begins the protocol.
func nothingElseStarts(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, e := range []Event{x.from(200, 0), x.from(200, 1), x.from(200, 255), Expired{}, Repaired{}, Ruled{Ruling: TakeOver},
			Ruled{Ruling: StepDown}, Addressed{Source: x.host(ourHost)}, Reprioritized{Priority: 200}, Reconfigured{Params: x.p}, Stop{}} {
			x.tell(e)
			x.is("INIT")
			x.pass(time.Hour)
		}
	})
}

// §6.4.2, shutdown.
func backupShutsDown(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.backup()
		x.pass(time.Second)
		x.tell(Stop{}, "BACKUP > INIT (stopped)") // and says nothing: it has nothing to give up
		x.is("INIT")
		x.pass(time.Hour)
		x.tell(Expired{})
		x.is("INIT")
	})
}

func backupStaysUntilThen(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.backup()
		for _, e := range []Event{Start{Source: x.host(7)}, Repaired{}, Addressed{Source: x.host(ourHost)}, Ruled{}, Ruled{Ruling: StepDown}, Reprioritized{}, Expired{}} {
			x.tell(e)
			x.is("BACKUP +3.609375s")
		}
	})
}

// §6.4.2, the timer fires: an advert, the addresses, and the beat of a MASTER begin at once.
func silenceMakesMaster(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.backup()
		x.due()
		x.tell(Expired{}, "send 100", "BACKUP > MASTER (silence)")
		x.is("MASTER +1s")
		x.judged()
		x.backup()
		x.due()
		x.tell(Expired{}, "consult silence +50ms")
		x.is("BACKUP +50ms")
		x.due()
		x.tell(Expired{}, "send 100", "BACKUP > MASTER (silence)")
		x.is("MASTER +1s")
		x.backup()
		x.tell(Ruled{Ruling: TakeOver}, "send 100", "BACKUP > MASTER (ruling)") // the peer is proved dead: no need to wait
		x.is("MASTER +1s")
	})
}

// Not a nanosecond before, and never while adverts come.
func voiceKeepsBackup(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.backup()
		for range 1000 {
			x.pass(3_609_375_000 - 1)
			x.tell(Expired{})
			x.tell(x.from(200, 200))
			x.is("BACKUP +3.609375s")
		}
	})
}

// §6.4.2, priority 0, with the skew of each priority and of the interval that was learned.
func goodbyeCutsToSkew(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for priority, want := range map[byte]string{1: "BACKUP +996.09375ms", 100: "BACKUP +609.375ms", 254: "BACKUP +7.8125ms"} {
			x.p.Priority = priority
			x.backup()
			x.pass(2 * time.Second)
			x.tell(x.from(200, 0))
			x.is(want)
			x.due()
			x.tell(Expired{}, describe(Send{Priority: priority}, 0), "BACKUP > MASTER (goodbye)")
		}
		x.p.Priority = 100
		x.backup()
		x.tell(x.every(4*time.Second, 200, 200))
		x.tell(x.every(time.Second, 200, 0)) // a goodbye teaches no interval
		x.is("BACKUP +2.4375s")
		x.judged()
		x.backup()
		x.due()
		x.tell(Expired{}, "consult silence +50ms")
		x.pass(20 * time.Millisecond)
		x.tell(x.from(200, 0)) // the wait is over already, and begins no more
		x.is("BACKUP +30ms")
	})
}

func otherPrioritiesCutNothing(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for priority := 1; priority <= 255; priority++ {
			x.backup()
			x.pass(2 * time.Second)
			x.tell(x.from(200, byte(priority)))
			want := "BACKUP +3.609375s"
			if priority < 100 {
				want = "BACKUP +1.609375s"
			}
			x.is(want)
		}
	})
}

// §6.4.2, an advert to obey: its interval is learned, skew and down interval follow from it, and the timer begins again.
func obeyedAdvertTeaches(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, priority := range []byte{100, 101, 255} {
			x.backup()
			x.pass(time.Second)
			x.tell(x.every(2*time.Second, 50, priority)) // equal is obeyed whatever the address
			x.is("BACKUP +7.21875s")
			x.tell(x.every(10*time.Millisecond, 50, priority))
			x.is("BACKUP +36.09375ms")
		}
		x.p.Preempt = false
		for priority := byte(1); priority < 100; priority++ {
			x.backup()
			x.pass(time.Second)
			x.tell(x.every(2*time.Second, 200, priority))
			x.is("BACKUP +7.21875s")
		}
	})
}

// §6.4.2, an advert to discard: nothing of it stays, and the timer runs on until this router preempts.
func lowerAdvertIsDiscarded(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for priority := byte(1); priority < 100; priority++ {
			x.backup()
			x.pass(time.Second)
			x.tell(x.every(2*time.Second, 200, priority))
			x.is("BACKUP +2.609375s")
			if s := x.m.Status(); s.Heard || s.MasterInterval != time.Second {
				x.t.Errorf("priority %d is remembered: %+v", priority, s)
			}
		}
		x.due()
		x.tell(Expired{}, "send 100", "BACKUP > MASTER (preempt)")
	})
}

// §6.1: the owner preempts without being allowed to.
func ownerPreemptsAlways(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.owner()
		x.judged()
		x.p.Preempt = false
		x.fresh()
		x.tell(Start{Source: x.host(ourHost)}, "consult owner +50ms")
		x.tell(Ruled{Ruling: Hold}, "INIT > BACKUP (ruling)")
		for range 3 {
			x.pass(time.Second)
			x.tell(x.from(200, 254))
		}
		x.due()
		x.tell(Expired{}, "consult preempt +50ms")
		x.tell(Ruled{Ruling: TakeOver}, "send 255", "BACKUP > MASTER (ruling)")
	})
}

func othersPreemptWhenAllowed(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.p.Priority, x.p.Preempt = 254, false
		x.backup()
		for range 10 {
			x.pass(time.Second)
			x.tell(x.from(200, 1))
			x.is("BACKUP +3.0078125s")
		}
	})
}

// §6.4.3, shutdown.
func masterShutsDown(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.tell(Stop{}, "send 0", "MASTER > INIT (stopped)")
		x.is("INIT")
		x.pass(time.Hour)
		x.tell(Expired{})
		x.tell(Stop{})
		x.master()
		x.tell(Failed{}, "send 0", "MASTER > FAULT (failed)") // as much a farewell
		x.is("FAULT")
	})
}

// Nobody else says goodbye, and a MASTER to nothing else.
func nobodyElseSaysGoodbye(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.tell(Stop{})
		x.backup()
		x.tell(Stop{}, "BACKUP > INIT (stopped)")
		x.backup()
		x.tell(Failed{}, "BACKUP > FAULT (failed)")
		x.tell(Stop{}, "FAULT > INIT (stopped)")
		x.master()
		x.tell(x.from(200, 200), "MASTER > BACKUP (outranked)")
		x.master()
		x.tell(Ruled{Ruling: StepDown}, "MASTER > BACKUP (ruling)")
	})
}

// §6.4.3, the timer fires.
func masterSpeaksEveryInterval(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, interval := range []time.Duration{10 * time.Millisecond, time.Second, 40950 * time.Millisecond} {
			x.p.Interval = interval
			x.master()
			for range 100 {
				x.is("MASTER +" + interval.String())
				x.pass(interval)
				x.tell(Expired{}, "send 100")
			}
		}
	})
}

func masterIsSilentBetween(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.pass(time.Second - 1)
		x.tell(Expired{})
		x.is("MASTER +1ns")
	})
}

// §6.4.3, priority 0: an answer at once, and the beat begins anew.
func masterAnswersGoodbye(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, host := range []byte{50, 200} {
			x.master()
			x.pass(700 * time.Millisecond)
			x.tell(x.from(host, 0), "send 100")
			x.is("MASTER +1s")
		}
	})
}

// Other answers leave the beat as it was.
func otherAnswersKeepTheBeat(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.pass(700 * time.Millisecond)
		x.tell(x.from(200, 1), "send 100", "reannounce")
		x.is("MASTER +300ms")
	})
}

// §6.4.3, a better MASTER: its interval is learned, and its silence borne from now on.
func betterMasterIsObeyed(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, e := range []Heard{x.every(2*time.Second, 50, 101), x.every(2*time.Second, 50, 255), x.every(2*time.Second, 101, 100), x.every(2*time.Second, 255, 100)} {
			x.master()
			x.pass(300 * time.Millisecond)
			x.tell(e, "MASTER > BACKUP (outranked)")
			x.is("BACKUP +7.21875s")
			if s := x.m.Status(); s.Master != e.From || s.MasterPriority != e.Advert.Priority || s.Skew != 1_218_750_000 {
				x.t.Errorf("it obeys %+v", s)
			}
		}
		// Addresses are compared as unsigned numbers: 200 is above 100 although its first bit would make it negative.
		x.master()
		x.tell(x.from(128, 100), "MASTER > BACKUP (outranked)")
		// Without an address of its own any sender is the greater.
		x.master()
		x.tell(Addressed{})
		x.tell(x.from(1, 100), "MASTER > BACKUP (outranked)")
	})
}

// The last byte of an address decides as well as the first, in network order.
func addressesInNetworkOrder(t *testing.T) {
	for _, tt := range []struct {
		own, sender string
		better      bool
	}{
		{"10.0.0.2", "10.0.1.1", true}, {"10.0.1.1", "10.0.0.2", false}, {"9.255.255.255", "10.0.0.0", true},
		{"127.0.0.1", "128.0.0.1", true}, {"200.0.0.1", "100.0.0.255", false},
		{"fe80::2", "fe80::1:1", true}, {"fe80::1:1", "fe80::2", false}, {"fe80::7fff", "fe80::8000", true},
		{"fe80:0:0:1::", "fe80::ffff:ffff:ffff:ffff", false},
	} {
		p := router3()
		if addr(tt.own).Is6() {
			p = router6()
		}
		m, now := after(p, 0, Start{Source: addr(tt.own)}, Ruled{Ruling: TakeOver})
		m.Step(now, Heard{Advert: p.Advert(100), From: addr(tt.sender)})
		if got := m.Status().State == Backup; got != tt.better {
			t.Errorf("%v obeys %v: %v, want %v", tt.own, tt.sender, got, tt.better)
		}
	}
}

// §6.4.3, a lesser MASTER: it is told at once who serves, and learns nothing else of us.
func lesserMasterIsAnswered(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		for _, e := range []Heard{x.every(2*time.Second, 200, 1), x.every(2*time.Second, 200, 99), x.every(2*time.Second, 99, 100), x.every(2*time.Second, 1, 100)} {
			x.master()
			x.tell(e, "send 100", "reannounce")
			x.is("MASTER +1s")
			if s := x.m.Status(); s.Heard || s.MasterInterval != time.Second {
				x.t.Errorf("it learned from %v: %+v", e, s)
			}
		}
	})
}

// Our own advert, come back, is no other MASTER: to answer it would be to answer ourselves for ever.
func ownAdvertIsNotAnswered(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.tell(x.from(ourHost, 100))
		x.is("MASTER +1s")
	})
}

// §6.4.3: preemption is a matter of BACKUPs. A MASTER yields or asserts itself, allowed or not.
func masterIgnoresPreemptMode(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.p.Preempt = false
		x.master()
		x.tell(x.from(50, 99), "send 100", "reannounce")
		x.is("MASTER +1s")
		x.tell(x.from(50, 101), "MASTER > BACKUP (outranked)")
	})
}

// FAULT is what RFC 9568 has no name for: out of the protocol, for a reason of our own, until it is repaired.
func faultTakesNoPart(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.tell(Failed{}, "send 0", "MASTER > FAULT (failed)")
		for _, e := range []Event{x.from(200, 0), x.from(200, 1), x.from(200, 255), Expired{}, Ruled{Ruling: TakeOver}, Start{}} {
			x.tell(e)
			x.is("FAULT")
		}
		x.tell(Repaired{}, "FAULT > BACKUP (repaired)")
		x.is("BACKUP +3.609375s")
	})
}

// A judge may take mastership away, and the router then bears a full silence.
func masterStepsDown(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.master()
		x.tell(Ruled{Ruling: StepDown}, "MASTER > BACKUP (ruling)")
		x.is("BACKUP +3.609375s")
	})
}

// Settings that no RFC has change waits, and only when they are set.
func extraSettings(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.p.DownAdverts = 5
		x.backup()
		x.is("BACKUP +5.609375s")
		x.p.DownAdverts, x.p.PreemptDelay = 0, 10*time.Second
		x.backup()
		for range 10 {
			x.tell(x.from(200, 1))
			x.is("BACKUP +3.609375s")
			x.pass(time.Second)
		}
		x.tell(x.from(200, 1))
		x.is("BACKUP +2.609375s")
	})
}

// §8.3.2: of two owners one yields, and who is owner is settled by addresses.
func twoOwners(t *testing.T) {
	try(t, kinds3, func(x *trial) {
		x.owner()
		x.master()
		x.tell(x.from(50, 255), "send 255", "reannounce")
		x.tell(x.from(200, 255), "MASTER > BACKUP (outranked)")
	})
}
