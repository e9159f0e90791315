package world

import (
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// judge holds the world against its invariants after every event.
//
//	I1  Never do two routers serve the same address on a segment that carries frames between
//	    them, both able to act, for longer than one advert interval and a round trip.
//	I2  Nobody leaves MASTER because of a heartbeat port alone.
//	I3  Whenever a healthy router can serve, one serves within its bound.
//	I4  After the last fault has healed there is one MASTER within its bound, after four
//	    transitions at most, and then nothing moves.
//	I5  Every address in a kernel belongs to a live lease: of a process that is MASTER, or
//	    one that ended or froze no longer ago than its lease lasts.
//	I6  A reload moves no state.
//	I7  Proof of life is not followed by peer-dead within its window.
//	I8  A router resigns because of its storage only when that has failed, to a router that
//	    lives, and once: again only after it was healthy, or after another served for a minute.
type judge struct {
	w    *World
	both [maxVIPs][maxRouters][maxRouters]vrrp.Instant // since when two serve; 0: they don't
	none [maxVirtuals]vrrp.Instant                     // since when a router could serve and none does
	held [maxVirtuals][maxRouters]vrrp.Instant         // when a router last held an address

	strangers vrrp.Instant // when several at once last claimed addresses

	hostile int          // somebody forges adverts
	forged  vrrp.Instant // and did until then

	moves  [maxVirtuals]int // transitions since the heal
	calm   bool             // nothing may move
	healed vrrp.Instant     // when everything did; 0: something may still go wrong
}

// seen is what the world knows of a router that the invariants need.
type seen struct {
	started, ran, stalled vrrp.Instant
	stopping              bool
	dark                  vrrp.Instant // its brain was last told that the heartbeat port is dark
	shaken                vrrp.Instant // a serving port of it was last not in order
	obeyed                [maxVirtuals]vrrp.Instant
	heard                 [maxVirtuals]vrrp.Instant // an advert, of whatever priority
	fit                   [maxVirtuals]vrrp.Instant // since when it could serve; 0: it could not
	left                  [maxVirtuals]vrrp.Instant // when it left MASTER
	took                  [maxVirtuals]vrrp.Instant // when it became MASTER
	recanted              [maxVirtuals]vrrp.Instant // when it last recanted,
	recants               [maxVirtuals]int          // and how often within a minute
	resigned              [maxVirtuals]vrrp.Instant // when it resigned for the present failure of its storage; 0: it did not
}

func newJudge(w *World) judge { return judge{w: w} }

// interval, skew and masterDown are those of the slowest router.
func (s Scene) skew() time.Duration       { return s.Interval }
func (s Scene) masterDown() time.Duration { return 3*s.Interval + s.skew() }

// boundBoth is I1's: an interval, a round trip, and the kernel's time. Where adverts are faster
// than twelve questions a second allow to notice each other, it is three seconds.
func (s Scene) boundBoth() time.Duration {
	if s.Interval < time.Second {
		return 3 * time.Second
	}
	return s.Interval + 100*time.Millisecond
}

// boundBoth is that of two routers. The first advert that comes in begins an exchange of two intervals, and if
// they pass one way only, or are forged, or the other is plain VRRP and heeds nothing else, it decides nothing.
func (j *judge) boundBoth(n int, x, y *router) time.Duration {
	w := j.w
	d := w.scene.boundBoth()
	hears := func(r *router) bool { return r.seen.heard[n] != 0 && w.now.Sub(r.seen.heard[n]) <= 4*w.scene.Interval }
	forged := j.hostile > 0 || j.forged != 0 && w.now.Sub(j.forged) <= 4*w.scene.Interval
	if x.plain || y.plain || forged || hears(x) != hears(y) {
		d += 3 * w.scene.Interval
	}
	return d
}

// boundNone is I3's: five seconds to wait for a first carrier, a master-down interval to
// listen, another in which the ruling may be held back, and the questions.
func (s Scene) boundNone() time.Duration { return 5*time.Second + 2*s.masterDown() + time.Second }

// touched is told of every change of the physical world: what moves is counted from the
// last one.
func (j *judge) touched() { clear(j.moves[:]) }

// look checks what must hold at every moment.
func (j *judge) look() {
	if j.claimed() > 1 {
		j.strangers = j.w.now
	}
	for _, r := range j.w.routers {
		j.lookAtLeases(r)
		j.lookAtFitness(r)
	}
	for v := range j.w.vips {
		j.lookAtAddress(v)
	}
	for n := range j.w.virtuals {
		j.lookAtService(n)
	}
}

// lookAtAddress is I1.
func (j *judge) lookAtAddress(v int) {
	w := j.w
	for k, x := range w.routers {
		for _, y := range w.routers[k+1:] {
			since := &j.both[v][x.number][y.number]
			if !x.kernel.has(v) || !y.kernel.has(v) || !j.canSettle(v, x, y) {
				*since = 0
				continue
			}
			if *since == 0 {
				*since = w.now
			}
			*since = max(*since, w.segments[w.vips[v].segment].lost[x.number][y.number])
			took := w.now.Sub(*since)
			bound := j.boundBoth(w.vips[v].virtual, x, y)
			w.result.Worst.Both.see(took, bound)
			if took > bound {
				w.violated("I1", "%s and %s both serve %v for %v", x.name, y.name, w.vips[v].prefix.Addr(), took)
			}
		}
	}
}

// canSettle says that two routers can notice each other and act on it.
func (j *judge) canSettle(v int, x, y *router) bool {
	s := j.w.segments[j.w.vips[v].segment]
	able := x.runs() && y.runs() && x.kernel.sound() && y.kernel.sound() && s.between(x, y) && !j.w.scene.Take
	switch {
	case !able || !j.canAsk(v, x, y):
		return false
	case x.plain || y.plain:
		// between plain VRRP and ours, ours has to find out alone: it can where it has the questions,
		// and where nobody else is a stranger to it
		return x.plain != y.plain && j.meet(v, x, y) && j.w.scene.Routers == 2 && j.w.scene.Interval >= time.Second
	}
	both := x.seen.old(j.w, j.w.vips[v].virtual) && y.seen.old(j.w, j.w.vips[v].virtual)
	return (j.w.scene.Routers == 2 && s.claims == 0 || j.contacts(x, y) > 1) && (!both || j.meet(v, x, y))
}

// canAsk says that questions cross the segment, or adverts another one. A fabric that swallows
// questions without a sender makes a segment blind, and a blind segment and a cut cable
// together cannot be told from a dead peer.
func (j *judge) canAsk(v int, x, y *router) bool {
	return !j.blind(v) || j.w.segments[j.w.scene.heart()].between(x, y)
}

// blind says that questions for an address are swallowed.
func (j *judge) blind(v int) bool {
	x := j.w.vips[v]
	return j.w.segments[x.segment].hides > 0 && !j.w.scene.Owned && x.prefix.Addr().Is4()
}

// old says that a router has been MASTER for long enough to defend it. Where two such don't meet on every
// segment the view is split, and neither gives way.
func (s *seen) old(w *World, n int) bool { return w.now.Sub(s.took[n]) > w.scene.masterDown() }

// contacts counts the segments on which two routers meet over an address. One of three that was
// always BACKUP is known to nobody, and where it meets another on one segment only it may be a
// printer with a wrong address, as there was one.
func (j *judge) contacts(x, y *router) int {
	var met [numSegments]bool
	total := 0
	for v, o := range j.w.vips {
		if !met[o.segment] && x.kernel.has(v) && y.kernel.has(v) && j.w.segments[o.segment].between(x, y) {
			met[o.segment] = true
			total++
		}
	}
	return total
}

// meet says that two routers meet over every address of a virtual router, and over more than one.
// One address claimed by a station never seen before may be a printer's, and where the other
// does not answer everywhere the view is split: both are defended, and one of the two being
// plain VRRP, nobody gives way.
func (j *judge) meet(v int, x, y *router) bool {
	addresses := 0
	for o, other := range j.w.vips {
		if other.virtual != j.w.vips[v].virtual {
			continue
		}
		addresses++
		segment := j.w.segments[other.segment]
		if !x.kernel.has(o) || !y.kernel.has(o) || !segment.between(x, y) || segment.caching > 0 || j.blind(o) {
			return false
		}
	}
	return addresses > 1 || !x.plain && !y.plain
}

// lookAtFitness follows since when a router could serve each virtual router.
func (j *judge) lookAtFitness(r *router) {
	for n := range j.w.virtuals {
		if !j.fit(r, n) {
			r.seen.fit[n] = 0
		} else if r.seen.fit[n] == 0 {
			r.seen.fit[n] = j.w.now
		}
	}
	for _, p := range r.nics {
		if p.segment.number != heartbeat && !p.passes() {
			r.seen.shaken = j.w.now
		}
	}
}

// fit says that a router could serve now: it runs, its kernel does as it is told, and every port
// that serves forwards. A group stands or falls together.
func (j *judge) fit(r *router, n int) bool {
	w := j.w
	if w.scene.Prior != 0 {
		return false // it is the operator's wish that nobody serves where nothing is proved
	}
	if r.plain || !r.runs() || !r.kernel.sound() || r.kernel.troubled != 0 && w.now.Sub(r.kernel.troubled) < 35*time.Second || j.hostile > 0 {
		return false
	}
	for _, x := range w.vips {
		if x.virtual != n && w.scene.Shape != Grouped {
			continue
		}
		if !r.nics[x.segment].passes() || w.segments[x.segment].claimed > 0 {
			return false
		}
	}
	return true
}

// lookAtService is I3.
func (j *judge) lookAtService(n int) {
	w := j.w
	served := true
	for v, x := range w.vips {
		if x.virtual != n {
			continue
		}
		some := false
		for _, r := range w.routers {
			if r.kernel.has(v) && !r.dead() && r.nics[x.segment].carrier {
				some = true // what does not forward behind a live carrier cannot be known
			}
			if r.kernel.has(v) {
				j.held[n][r.number] = w.now
			}
			if r.plain && r.runs() && r.state[n] == vrrp.Master {
				some = true // it keeps the others away, whatever it does with the addresses
			}
		}
		served = served && some
	}
	since := &j.none[n]
	if served {
		*since = 0
		return
	}
	if *since == 0 {
		*since = w.now
	}
	for _, r := range w.routers {
		if r.seen.fit[n] == 0 {
			continue
		}
		took := w.now.Sub(max(*since, r.seen.fit[n], r.seen.stalled)) - r.seen.penance(n, w)
		w.result.Worst.None.see(took, w.scene.boundNone())
		if took > w.scene.boundNone() {
			w.violated("I3", "nobody serves %s for %v, and %s could", w.routers[0].config.Instances[n].Name, took, r.name)
		}
	}
}

// recantMemory is how long a recant counts.
const recantMemory = time.Minute

// penance is how long a router that recanted waits before it claims again: twice as long for
// each time within a minute, 30 s at most.
func (s *seen) penance(n int, w *World) time.Duration {
	if s.recants[n] == 0 || w.now.Sub(s.recanted[n]) > recantMemory+30*time.Second {
		return 0
	}
	return min(w.scene.skew()<<min(s.recants[n], 10), 30*time.Second)
}

// lookAtLeases is I5.
func (j *judge) lookAtLeases(r *router) {
	w := j.w
	if r.plain || r.dead() || r.kernel.held > 0 {
		return
	}
	for v, x := range w.vips {
		if !r.kernel.has(v) {
			continue
		}
		switch lease := w.scene.longestLease(); {
		case !r.runs() && w.now.Sub(max(r.seen.ran, r.kernel.troubled, r.seen.stalled)) > lease:
			w.violated("I5", "%s has %v although its process has not run for %v", r.name, x.prefix.Addr(), w.now.Sub(r.seen.ran))
		case r.runs() && r.state[x.virtual] != vrrp.Master && r.kernel.sound() &&
			w.now.Sub(max(r.seen.left[x.virtual], r.kernel.troubled, r.seen.stalled, r.seen.started)) > 100*time.Millisecond:
			w.violated("I5", "%s has %v and is %s", r.name, x.prefix.Addr(), r.state[x.virtual])
		}
	}
}

// longestLease is how long an address may outlive its process: three intervals in whole
// seconds, one to fourteen, and the kernel's timer may be late.
func (s Scene) longestLease() time.Duration {
	l := (3*s.Interval + time.Second - 1) / time.Second * time.Second
	l = min(max(l, time.Second), 14*time.Second)
	return l + lateness(l)
}

// before looks at what a brain is about to be told.
func (j *judge) before(r *router, e node.Event) {
	switch e := e.(type) {
	case node.CarrierLost:
		if e.Port == portNames[j.w.scene.heart()] {
			r.seen.dark = j.w.now
		}
	case node.PortsRead:
		for _, p := range e.Ports {
			if p.Port == portNames[j.w.scene.heart()] && p.Carrier != node.CarrierUp {
				r.seen.dark = j.w.now
			}
		}
	case node.Frame:
		j.beforeFrame(r, e)
	}
}

func (j *judge) beforeFrame(r *router, e node.Frame) {
	for n, i := range r.config.Instances {
		if i.Port != e.Port || (i.VRRP.Family == vrrp.IPv4) != e.Src.Is4() {
			continue
		}
		a, check, _ := vrrp.Receive(vrrp.Packet{Src: e.Src, Dst: e.Dst, TTL: e.TTL, Payload: e.Payload}, i.VRRP)
		if check != vrrp.Accepted {
			continue
		}
		r.seen.heard[n] = j.w.now
		if a.Priority == 0 {
			r.seen.obeyed[n] = 0 // who says goodbye takes back what it said
		}
		if a.Priority > 0 && (a.Priority >= i.VRRP.Priority || !i.VRRP.Preempt && a.Priority > 1) && r.state[n] == vrrp.Backup {
			r.seen.obeyed[n] = j.w.now
		}
	}
}

// stepped looks at what a brain answered: I6.
func (j *judge) stepped(r *router, e node.Event, actions []node.Action) {
	if _, reload := e.(node.Reload); !reload {
		return
	}
	for _, a := range actions {
		switch a := a.(type) {
		case node.Transition:
			j.w.violated("I6", "a reload moves %s of %s from %s to %s", a.Name, r.name, a.From, a.To)
		case node.Install, node.Withdraw:
			j.w.violated("I6", "a reload that changes nothing touches the addresses of %s", r.name)
		}
	}
}

// moved looks at a transition: I2, I4 and I7.
func (j *judge) moved(r *router, n int, t node.Transition) {
	w := j.w
	switch {
	case t.From == vrrp.Fault:
		j.moves[n] = 0 // another fault has healed
	case t.From == vrrp.Backup || t.From == vrrp.Master:
		j.moves[n]++
		if j.healed != 0 {
			w.result.Worst.Settled.see(w.now.Sub(j.healed), w.scene.settle())
		}
		if j.calm {
			w.violated("I4", "%s moves %s from %s to %s after all was calm", r.name, t.Name, t.From, t.To)
		}
	}
	if t.To == vrrp.Master {
		r.seen.took[n] = w.now
	}
	if r.plain {
		return
	}
	if t.From == vrrp.Master {
		r.seen.left[n] = w.now
		r.seen.recant(n, t, w.now)
		if t.Verdict.Act == verdict.Resign {
			j.resigned(r, n, t)
		}
		if !j.mayLeave(r, n, t.Verdict) {
			w.violated("I2", "%s leaves MASTER of %s although nothing but its heartbeat port was touched: %s", r.name, t.Name, t.Reason)
		}
	}
	if t.To == vrrp.Master && t.Verdict.Finding == verdict.PeerDead {
		window := w.scene.Interval * 3 / 2
		if at := r.seen.obeyed[n]; at > r.seen.dark && at > 0 && w.now.Sub(at) < window {
			w.violated("I7", "%s calls the peer dead %v after an advert that it obeys", r.name, w.now.Sub(at))
		}
	}
}

func (s *seen) recant(n int, t node.Transition, now vrrp.Instant) {
	if t.Verdict.Act != verdict.Recant {
		return
	}
	if now.Sub(s.recanted[n]) > recantMemory {
		s.recants[n] = 0
	}
	s.recants[n]++
	s.recanted[n] = now
}

// mayLeave says that a MASTER had another reason to leave than its heartbeat port: it was told to, a
// port that serves or the kernel was in trouble, it had slept, an advert came, or another serves.
func (j *judge) mayLeave(r *router, n int, v verdict.Verdict) bool {
	w := j.w
	lately := func(at vrrp.Instant, d time.Duration) bool { return at != 0 && w.now.Sub(at) <= d }
	memory := 4*w.scene.Interval + 2*time.Second
	if r.seen.stopping || v.Act == verdict.Resign || lately(r.seen.shaken, memory) || lately(r.seen.stalled, memory) || !r.kernel.sound() || lately(r.kernel.troubled, memory+35*time.Second) {
		return true
	}
	if j.claimed() > 1 || lately(j.strangers, time.Minute) || j.claimedAgain() || j.claimed() == 1 && v.Rule == verdict.MasterYoung {
		return true // several at once look like a router, and one that was there before may be taken for the peer
	}
	for m := range w.virtuals {
		if m != n && w.scene.Shape != Grouped {
			continue
		}
		if lately(r.seen.heard[m], memory) {
			return true
		}
		for _, x := range w.routers {
			if x != r && lately(j.held[m][x.number], memory) {
				return true
			}
		}
	}
	return false
}

// claimedAgain says that somebody claims a virtual address who did so before, when a router that heard
// its MASTER may have taken him for it.
func (j *judge) claimedAgain() bool {
	for _, s := range j.w.segments {
		if s.claimed > 0 && s.claims > 1 {
			return true
		}
	}
	return false
}

// claimed counts the segments on which somebody else claims a virtual address.
func (j *judge) claimed() int {
	total := 0
	for _, s := range j.w.segments {
		total += min(s.claimed, 1)
	}
	return total
}
