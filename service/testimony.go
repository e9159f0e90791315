package service

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// How long what happened once is held against a port.
const (
	hungHeld      = 30 * time.Second // the kernel's watchdog over transmit queues repeats itself every 5 s
	correctedHeld = time.Minute
	recoveryHeld  = time.Minute // recovery takes seconds; the word of its end may have been lost
)

// Frames that were handed to a port and did not leave are held against it after so long and so many. Some
// drivers bring their counters up to date every second or two.
const (
	stalledAfter = 10 * time.Second
	stalledSends = 5
)

// asleepAfter is how long a link that came back slower may be silent before its partner counts as asleep.
const asleepAfter = 2 * time.Second

// testimony is what the ports of the configuration and their hardware say, beyond carrier.
type testimony map[node.Port]finding

// finding is the testimony of one port.
type finding struct {
	index    int // of the interface that testified
	facts    verdict.Facts
	culprit  string
	hardware Hardware
}

// Hardware is what carries a port, and what it says of itself.
type Hardware struct {
	Driver   string
	Firmware string
	Bus      string      // address of the device, such as 0000:03:00.1
	Card     string      // equal for ports that fail together
	Label    string      // what the firmware calls a port of the mainboard
	Siblings []node.Port // other ports of the card

	SpeedMbit int    // 0 where the driver does not say
	Duplex    string // full or half, empty where the driver does not say
	Reason    string // why there is no link, in the driver's words
	Partner   []int  // the speeds in Mbit/s that a copper partner announces
	Module    ethtool.Module

	Timeouts, Corrected, Nonfatal, Fatal port.Count
	// Unanswered is since when the kernel has not answered a question, on the service's clock, by
	// what was asked.
	Unanswered map[string]time.Duration
}

func (t testimony) hardware() map[node.Port]Hardware {
	all := make(map[node.Port]Hardware, len(t))
	for name, f := range t {
		all[name] = f.hardware
	}
	return all
}

// dated is something read from the kernel, and when it was asked for.
type dated[T any] struct {
	at    time.Duration
	known bool
	v     T
}

// record is everything that an examiner knows of one port. Moments are on the service's clock.
type record struct {
	state    port.State
	used     bool          // the configuration names it
	carries  bool          // a port lives on it that the configuration names
	on       string        // the port that it lives on itself
	since    time.Duration // when the link became what it is
	sensor   portSensor    // nil: /sys does not show the port
	identity port.Identity

	signals  dated[port.Signals]
	asked    map[kind]time.Duration
	link     dated[ethtool.Link]
	mode     dated[ethtool.Mode]
	module   dated[ethtool.Module]
	firmware string
	detached int // how often in a row the driver said that it has no device
	silences int // how often in a row the card answered with all ones
	page     dated[bool]
	pages    int // how often the register of the partner's pages was read since the link was lost
	modules  bool
	missing  bool

	recovery    port.Recovery
	recoveredAt time.Duration
	hungAt      dated[port.Count]
	correctedAt dated[port.Count]
	sent        transmit
	leftAt      time.Duration // when frames of ours were last seen to have left
	voiceSpeed  int           // of the link when adverts passed
	heard       time.Duration
}

// transmit compares what is handed to a port with what leaves it.
type transmit struct {
	handed  uint64        // frames of ours, so far
	asked   time.Duration // when the counter was last read
	left    port.Count    // what it said
	before  uint64        // handed over when it last moved
	counts  bool          // it once moved after frames of ours were handed over: this driver counts
	waiting bool          // for frames that were handed over since
	since   time.Duration // from then on
	stalled bool
}

// take works in a reading of the counter that was asked for when so many frames had been handed over.
func (t *transmit) take(at time.Duration, handed uint64, left port.Count) {
	t.asked = at
	if !left.Known || !t.left.Known || left.N != t.left.N {
		t.counts = t.counts || left.Grew(t.left) && handed > t.before
		t.left, t.before = left, handed
		t.waiting, t.stalled = false, false
		return
	}
	if !t.waiting && handed > t.before {
		t.waiting, t.since = true, at
	}
	t.stalled = t.counts && t.waiting && at-t.since >= stalledAfter && handed-t.before >= stalledSends
}

// restart forgets what did not leave while there was no link.
func (t *transmit) restart() {
	t.before, t.waiting, t.stalled = t.handed, false, false
}

// see takes in the port's state and what became of it.
func (r *record) see(s port.State, now time.Duration) {
	was := r.state
	r.state = s
	if was.Present == s.Present && was.AdminUp == s.AdminUp && was.Carrier == s.Carrier && was.DownCount == s.DownCount {
		return
	}
	r.since, r.pages = now, 0
	r.sent.restart()
}

// dark says that the port is switched on and has no link.
func (r *record) dark() bool {
	return r.state.Present && r.state.AdminUp && r.state.Carrier == port.CarrierDown
}

func (r *record) takeSignals(at time.Duration, v port.Signals) {
	was := r.signals.v
	if v.Timeouts.Grew(was.Timeouts) {
		r.hungAt = dated[port.Count]{at, true, v.Timeouts}
	}
	if v.Corrected.Grew(was.Corrected) {
		r.correctedAt = dated[port.Count]{at, true, v.Corrected}
	}
	r.signals = dated[port.Signals]{at, true, v}
}

func (r *record) takeSent(at time.Duration, handed uint64, left port.Count) {
	if left.Grew(r.sent.left) && handed > r.sent.before {
		r.leftAt = at
	}
	r.sent.take(at, handed, left)
}

// takeBus counts silences. One alone may be a card that is being reset.
func (r *record) takeBus(t port.Truth) {
	if t == port.No {
		r.silences++
	} else {
		r.silences = 0
	}
}

// takeLink works in what the driver says of the link. A device that is missing once may be one whose driver is
// just setting it up anew.
func (r *record) takeLink(at time.Duration, l ethtool.Link, err error) {
	switch {
	case err == nil:
		r.link = dated[ethtool.Link]{at, true, l}
		r.detached = 0
	case ethtool.IsDetached(err):
		r.detached++
	default:
		r.detached = 0
	}
}

func (r *record) takeMode(at time.Duration, m ethtool.Mode, err error) {
	if err != nil {
		return
	}
	r.mode = dated[ethtool.Mode]{at, true, m}
	if r.state.Carrier == port.CarrierUp && r.heard > r.since && at >= r.since {
		r.voiceSpeed = cmp.Or(m.SpeedMbit, r.voiceSpeed)
	}
}

// takeMII works in the registers of a copper PHY. Reading them clears the mark that a page of the partner
// has come, so the first reading after a loss may tell of before.
func (r *record) takeMII(at time.Duration, m ethtool.MII, err error) {
	if err != nil || at < r.since {
		return
	}
	r.pages++
	r.page = dated[bool]{at, r.pages > 1 && m.PageReceived.Known, m.PageReceived.V}
}

func (r *record) takeModule(at time.Duration, m ethtool.Module, err error) {
	switch {
	case err == nil:
		r.module = dated[ethtool.Module]{at, true, m}
		r.modules, r.missing = true, false
	case errors.Is(err, ethtool.ErrModuleSilent):
		r.module = dated[ethtool.Module]{at: at}
		r.missing = r.modules
	}
}

// takeDriver fills in what /sys does not say: the driver of a port without hardware.
func (r *record) takeDriver(d ethtool.Driver, err error) {
	if err != nil {
		return
	}
	r.identity.Driver = cmp.Or(r.identity.Driver, d.Name)
	if d.Firmware != "N/A" {
		r.firmware = d.Firmware
	}
}

// takeRecovery works in what the kernel said of a PCIe error.
func (r *record) takeRecovery(at time.Duration, v port.Recovery) {
	r.recovery, r.recoveredAt = v, at
	if v == port.RecoveryDone {
		r.recovery = port.RecoveryNone
	}
}

// forgive drops what is held against a card that has shown since to be well: the word of the end of a
// recovery may be lost, and one that failed may have been that of another function.
func (r *record) forgive(now time.Duration) {
	overdue := r.recovery == port.RecoveryBegun && now-r.recoveredAt >= recoveryHeld
	sends := r.leftAt > r.recoveredAt && r.silences == 0 && r.detached == 0
	if overdue || r.recovery == port.RecoveryFailed && sends {
		r.recovery = port.RecoveryNone
	}
}

// reading is what holds of the port now.
func (r *record) reading(now time.Duration, alone bool) reading {
	v, s := r.signals.v, r.state
	is := reading{
		present:   s.Present,
		held:      s.Present && (s.ProtoDown || v.ProtoDown == port.Yes),
		testing:   s.Present && (s.OperState == port.OperTesting || v.Testing == port.Yes),
		unplugged: !s.Present && v.Plugged == port.No && alone,
		unbound:   v.Plugged == port.Yes && v.Bound == port.No,
		detached:  s.Present && (r.detached > 1 || s.OperState == port.OperNotPresent),
		mute:      r.silences > 1,
		recovery:  r.recovery,
		hung:      r.hungAt.known && now-r.hungAt.at < hungHeld,
		stalled:   s.Present && s.AdminUp && s.Carrier == port.CarrierUp && r.sent.stalled,
		corrected: r.correctedAt.known && now-r.correctedAt.at < correctedHeld,
		slowdown:  r.slowdown(now),
	}
	if s.Present && s.AdminUp && r.module.known {
		is.module = r.module.v
	}
	if r.dark() {
		is.missing = r.missing
		r.readDark(&is)
	}
	return is
}

// readDark adds what was read since the link was lost.
func (r *record) readDark(is *reading) {
	if r.link.known && r.link.at >= r.since {
		is.reason, is.reasoned = r.link.v.Reason()
	}
	// Other drivers repeat what they saw when the link was last up.
	if driverHas(r.identity.Driver, SignalAbilities) {
		is.partner = r.mode.known && r.mode.at >= r.since && !r.mode.v.Partner.IsEmpty()
	}
	is.page = r.page.known && r.page.at >= r.since && r.page.v
}

// slowdown says that the link came back slower than it was while adverts passed, and nobody speaks.
func (r *record) slowdown(now time.Duration) bool {
	up := r.state.Present && r.state.AdminUp && r.state.Carrier == port.CarrierUp
	speed := r.mode.v.SpeedMbit
	return up && r.mode.known && r.mode.at >= r.since && speed > 0 && speed < r.voiceSpeed &&
		r.heard < r.since && now-r.since >= asleepAfter
}

// describe is what is shown of the hardware.
func (r *record) describe() Hardware {
	is := r.identity
	h := Hardware{
		Driver: is.Driver, Firmware: r.firmware, Bus: is.Bus, Card: is.Card, Label: is.Label,
		Timeouts: r.signals.v.Timeouts, Corrected: r.signals.v.Corrected, Nonfatal: r.signals.v.Nonfatal, Fatal: r.signals.v.Fatal,
	}
	if !r.state.Present {
		return h
	}
	if m := r.mode.v; r.mode.known && r.mode.at >= r.since {
		h.SpeedMbit, h.Partner = m.SpeedMbit, m.Partner.Copper()
		if m.Duplex != ethtool.DuplexUnknown {
			h.Duplex = m.Duplex.String()
		}
	}
	if reason, ok := r.link.v.Reason(); ok && r.dark() && r.link.at >= r.since {
		h.Reason = reason.String()
	}
	if r.module.known {
		h.Module = r.module.v
	}
	return h
}

// beneath are the facts of a port that hold of whatever lives on it. That nothing leaves is found of each by itself.
func beneath(facts verdict.Facts) (all verdict.Facts) {
	for f := range facts.All() {
		if f != verdict.FactTransmitStalled {
			all = all.With(f)
		}
	}
	return all
}

// blamed names the port as the one by which something is wrong with what lives on it.
func (r *record) blamed(f finding) string {
	fact := cmp.Or(f.facts.Broken(), f.facts.First(verdict.ProvesLocal))
	switch {
	case r.state.Present && !r.state.AdminUp:
		return r.state.Name + " is administratively down"
	case f.culprit != "":
		return r.state.Name + ": " + f.culprit
	case fact != verdict.FactNone && fact != verdict.FactTransmitStalled:
		return r.state.Name + ": " + fact.Text()
	}
	return ""
}

// togetherWithin is how far apart ports lose their link that lose it for one reason. The kernel may hold
// one of two reports back for a second.
const togetherWithin = 1500 * time.Millisecond

// culprit names what is broken better than the facts of one port do; empty where they say it all.
func (r *record) culprit(facts verdict.Facts, siblings []*record, factsOf func(*record) verdict.Facts) string {
	if r.state.Present && !r.state.AdminUp {
		return ""
	}
	fact := cmp.Or(facts.Broken(), facts.First(verdict.ProvesLocal))
	if what := cardWords(fact); what != "" {
		with := having(siblings, func(o *record) bool { return factsOf(o).Has(fact) || fact == verdict.FactCardGone })
		if len(with) > 1 || fact == verdict.FactCardGone {
			return fmt.Sprintf("card %s %s with %s", r.identity.Card, what, strings.Join(with, " "))
		}
	}
	switch {
	case fact == verdict.FactRefused:
		reason, _ := r.link.v.Reason()
		return reason.String()
	case fact != verdict.FactNone:
		return ""
	case !r.state.Present && r.signals.v.Plugged == port.No:
		return fmt.Sprintf("device %s is gone from the bus", r.identity.Bus)
	case r.dark():
		return r.darkWords(facts, siblings)
	}
	return ""
}

// darkWords say more than "no carrier" where there is more to say.
func (r *record) darkWords(facts verdict.Facts, siblings []*record) string {
	with := having(siblings, func(o *record) bool {
		return o.dark() && max(o.since, r.since)-min(o.since, r.since) <= togetherWithin
	})
	switched := having(siblings, func(o *record) bool { return o.state.Present && o.state.AdminUp })
	told := cmp.Or(facts.First(verdict.ProvesPowered), facts.First(verdict.ProvesNothing))
	switch {
	case len(with) > 1 && len(with) == len(switched):
		return fmt.Sprintf("no carrier on any port of card %s: %s", r.identity.Card, strings.Join(with, " "))
	case told != verdict.FactNone && told != verdict.FactErrorsCorrected:
		return "no carrier: " + told.Text()
	}
	return ""
}

// having are the names of the records of which something is true, in order.
func having(all []*record, true func(*record) bool) []string {
	var names []string
	for _, r := range all {
		if true(r) {
			names = append(names, r.state.Name)
		}
	}
	slices.Sort(names)
	return names
}

// cardWords complete "card 0000:03:00 … with p4p1 p4p2" for the facts that a card has as a whole.
func cardWords(f verdict.Fact) string {
	switch f {
	case verdict.FactCardGone:
		return "gone"
	case verdict.FactCardSilent:
		return "silent on the PCI bus"
	case verdict.FactDetached:
		return "lost to its driver"
	case verdict.FactUnbound:
		return "without a driver"
	case verdict.FactRecovering:
		return "recovering from a PCIe error"
	case verdict.FactRecoveryFailed:
		return "not recovered from a PCIe error"
	default:
		return ""
	}
}
