package node

import (
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// afterLoss is when the segments are asked again after a carrier loss: a
// machine that is being switched off answers for some milliseconds more.
var afterLoss = [...]time.Duration{
	20 * time.Millisecond, 60 * time.Millisecond, 140 * time.Millisecond,
	300 * time.Millisecond, 620 * time.Millisecond,
}

// minSilence is the shortest silence that is worth a doubt of its own; with
// faster adverts the deadline is nearer than the answers.
const minSilence = 150 * time.Millisecond

// doubtCause is why the peer is in doubt.
type doubtCause uint8

const (
	doubtNone doubtCause = iota
	doubtCarrier
	doubtSilence
	doubtGoodbye
	doubtDeadline // nothing was heard, and the machine wants to act
)

func (c doubtCause) String() string {
	return [...]string{"", "carrier lost on the heartbeat port", "adverts stopped", "the MASTER said goodbye", "no MASTER is heard"}[c]
}

// doubt exists for as long as its cause does.
type doubt struct {
	on       bool
	cause    doubtCause
	since    vrrp.Instant
	next     vrrp.Instant // when to ask again
	step     int
	late     time.Duration // how late our own loop was, at worst
	lateAt   vrrp.Instant
	listen   stamp // until when we listen because of that
	listened bool
	served   bool  // the VIP was answered since this doubt began
	silent   stamp // and then fell silent in the burst begun at that moment
	starved  stamp // since when a claim waits because the budget left no question for it
}

func (n *Node) settleBackup(i *instance) {
	n.settleRecant(i)
	n.settleDoubt(i)
	if !i.doubt.on {
		i.verdict = verdict.Verdict{}
		n.ruleUndoubted(i)
		return
	}
	n.pursue(i)
	v := verdict.Judge(verdict.Observe(n.readings(i), verdict.Thresholds{Window: i.window()}))
	n.judged(i, v)
	n.rule(i, v)
}

// settleDoubt begins and ends the doubt with its cause.
func (n *Node) settleDoubt(i *instance) {
	cause := n.doubtCause(i)
	switch {
	case cause == doubtNone:
		if i.doubt.on {
			n.note(i, Info, "the peer is heard again, no doubt is left")
		}
		if i.doubt.on || n.now.Sub(i.doubt.lateAt) > i.masterDown() {
			i.doubt = doubt{}
		}
	case !i.doubt.on:
		late, lateAt := i.doubt.late, i.doubt.lateAt
		i.doubt = doubt{on: true, cause: cause, since: n.now, next: n.now, late: late, lateAt: lateAt}
		if cause == doubtCarrier {
			n.emit(ReadPorts{}) // the kernel batches: every port is read now
		}
		n.note(i, Warning, "peer in doubt: "+cause.String())
	case cause == doubtCarrier && i.doubt.cause != doubtCarrier:
		i.doubt.cause, i.doubt.since, i.doubt.next, i.doubt.step = cause, n.now, n.now, 0
	}
}

func (n *Node) doubtCause(i *instance) doubtCause {
	h := i.heart
	heard := later(i.obeyed, i.lower)
	dark := h.down() || h.lostAt.ok && (!heard.ok || h.lostAt.at >= heard.at)
	switch {
	case dark && !h.flapping(n.now):
		return doubtCarrier
	case i.goodbye.ok && (!heard.ok || i.goodbye.at >= heard.at):
		return doubtGoodbye
	case i.interval()*3/2 >= minSilence && heard.ok && n.now.Sub(heard.at) > i.window():
		return doubtSilence
	case i.consult != nil && !n.preempting(i),
		i.doubt.cause == doubtDeadline && (!heard.ok || heard.at < i.doubt.since):
		return doubtDeadline
	}
	return doubtNone
}

func later(a, b stamp) stamp {
	if !a.ok || b.ok && b.at > a.at {
		return b
	}
	return a
}

// preempting says that the machine wants to act because it outranks a MASTER
// that it hears now.
func (n *Node) preempting(i *instance) bool {
	return i.consult != nil && i.consult.why == vrrp.WhyPreempt &&
		i.lower.within(n.now, i.window()) && !i.heart.down()
}

// pursue asks the segments: at once, then by the schedule of the cause, and
// whenever the machine waits for a ruling that has no fresh burst yet.
func (n *Node) pursue(i *instance) {
	q := n.inquire(i)
	switch running := q.burst != nil && !q.burst.done; {
	case n.ruleDue(i) && !n.fresh(i, q):
		n.startBurst(q, i) // instead of a running one: rivals must not fall into step
	case n.now < i.doubt.next:
		// not yet
	case running && q.burst.began >= i.doubt.since, q.burst != nil && q.burst.began == n.now:
		// shared with another instance
	default:
		n.startBurst(q, i)
	}
	if n.now >= i.doubt.next {
		i.doubt.next = n.nextBurst(i)
	}
}

func (n *Node) nextBurst(i *instance) vrrp.Instant {
	d := &i.doubt
	switch {
	case d.cause == doubtCarrier && d.step < len(afterLoss):
		d.step++
		return max(d.since.Add(afterLoss[d.step-1]), n.now+1)
	case d.cause == doubtGoodbye && d.step == 0:
		d.step++
		return n.now.Add(max(i.skew()/2, waitMin))
	}
	return n.now.Add(i.cadence())
}

// ruleDue says that the machine waits for a ruling on a silence.
func (n *Node) ruleDue(i *instance) bool { return i.consult != nil && !n.preempting(i) }

// fresh says that a burst was begun for the ruling that is due.
func (n *Node) fresh(i *instance, q *inquiry) bool {
	return q.burst != nil && q.burst.began >= i.consult.since && q.burst.began >= i.doubt.since
}

// readings is what the judge is given.
func (n *Node) readings(i *instance) verdict.Readings {
	r := verdict.Readings{
		Doubting:  true,
		Doubt:     n.now.Sub(i.doubt.since),
		Carrier:   i.doubt.cause == doubtCarrier,
		Served:    n.age(i.obeyed),
		Lived:     n.age(i.lived),
		Late:      i.doubt.late,
		Listened:  i.doubt.listened,
		Routers:   i.heart.routersOf(i.cfg.VRRP.Family),
		Heartbeat: i.heart.link(),
		Powered:   i.heart.powered(),
		Storage:   n.storage.state.evidence(),
	}
	q := n.inquire(i)
	for _, s := range i.serving {
		r.Ports = append(r.Ports, n.portReading(i, s, q))
	}
	return r
}

// portReading is what the segment said since the doubt began: the last burst
// that is over, and an answer to a running one. An answer counts at once, a
// silence only at the end.
func (n *Node) portReading(i *instance, s *service, q *inquiry) verdict.PortReading {
	r := verdict.PortReading{
		Link: s.port.link(), NoVIP: s.vips == 0,
		Blind: s.port.blind, Mute: s.port.mute(n.now),
	}
	if a := q.last.on(i, s.port); a != nil {
		r = a.reading(r)
	}
	if a := q.burst.on(i, s.port); a != nil && a.reply() == verdict.ReplyPeer {
		r.VIP = verdict.ReplyPeer
	}
	return r
}

// on is what a burst of this doubt asked on a port: for a VIP of the instance,
// or else, where the budget did not allow that, for one of another instance
// that has the same peer.
func (b *burst) on(i *instance, p *port) *asking {
	if b == nil {
		return nil
	}
	var other *asking
	for _, a := range slices.Concat(b.asks, b.kept) {
		switch {
		case a.port != p || a.unasked() || a.began < i.doubt.since:
		case i.serves(p, a.vip.addr):
			return a
		case other == nil:
			other = a
		}
	}
	return other
}

func (n *Node) age(s stamp) verdict.Age {
	return verdict.Age{Known: s.ok, D: n.now.Sub(s.at)}
}

func (p *port) link() verdict.Link {
	switch {
	case !p.known:
	case !p.state.Present:
		return verdict.LinkGone
	case !p.state.AdminUp:
		return verdict.LinkAdminDown
	case p.broken():
		return verdict.LinkBroken
	case p.state.Carrier == CarrierDown:
		return verdict.LinkDown
	case p.state.Carrier == CarrierUp:
		return verdict.LinkUp
	}
	return verdict.LinkUnknown
}

// judged keeps the verdict and says so when it is another.
func (n *Node) judged(i *instance, v verdict.Verdict) {
	if v.Finding == verdict.Contested {
		i.otherMaster = true
		i.recant.answered.set(n.now)
		i.doubt.served, i.doubt.silent = true, stamp{}
	}
	if i.verdict.Rule == v.Rule {
		i.verdict = v
		return
	}
	if q := n.inquire(i); v.Act == verdict.ByPrior && (q.last == nil || q.last.began < i.doubt.since) {
		return // the first burst still runs: this is no verdict to speak of
	}
	i.verdict = v
	level := Warning
	if v.Finding == verdict.Contested {
		level = Alarm
	}
	n.note(i, level, "verdict "+v.Finding.String()+" ["+v.Rule.String()+"]: "+v.Why())
}

// rule turns the verdict into a ruling.
func (n *Node) rule(i *instance, v verdict.Verdict) {
	switch {
	case n.preempting(i):
		n.rulePreemption(i)
	case i.doubt.listen.ok && n.now < i.doubt.listen.at:
		n.hold(i, i.doubt.listen.at.Sub(n.now))
	case v.Act == verdict.Listen:
		i.doubt.listen = stamp{at: n.now.Add(i.interval() + i.skew()), ok: true}
		i.doubt.listened = true
		n.hold(i, i.interval()+i.skew())
	case v.Act == verdict.TakeOver && !n.overdue(i) && !n.silenceLasts(i):
	case v.Act == verdict.TakeOver:
		n.claim(i, v)
	case n.ruleDue(i):
		n.ruleDeadline(i, v)
	}
}

// silenceLasts wants the silence of a VIP that was answered in this doubt to be
// seen by a second burst: a peer that served a moment ago may only have
// stumbled, and there is time to look again.
func (n *Node) silenceLasts(i *instance) bool {
	d, q := &i.doubt, n.inquire(i)
	switch {
	case !d.served || q.last == nil:
		return true
	case !d.silent.ok:
		d.silent = stamp{at: q.last.began, ok: true}
		d.next = min(d.next, n.now.Add(afterLoss[0]))
		return false
	}
	return q.last.began > d.silent.at
}

// overdue says that the machine waits no longer. It never decides by itself:
// what is known by then is judged, and a silent judge is unproven.
func (n *Node) overdue(i *instance) bool { return n.ruleDue(i) && n.now >= i.consult.until }

// ruleDeadline rules on a silence once its fresh burst is over.
func (n *Node) ruleDeadline(i *instance, v verdict.Verdict) {
	q := n.inquire(i)
	if (!n.fresh(i, q) || !q.burst.done) && !n.overdue(i) {
		return
	}
	switch v.Act {
	case verdict.AtDeadline, verdict.TakeOver:
		n.claimSilence(i, v)
	case verdict.ByPrior:
		if i.priorHolds() {
			n.hold(i, 0)
			return
		}
		n.claimSilence(i, v)
	case verdict.ByContested:
		if i.cfg.Contested == ContestedHold {
			n.hold(i, 0)
			return
		}
		n.claim(i, v)
		i.mastery.insists = i.state() == vrrp.Master
	case verdict.ActNone, verdict.Stay, verdict.Listen, verdict.Release,
		verdict.Recant, verdict.Defend, verdict.Obey, verdict.Ask, verdict.Resign:
		n.hold(i, 0)
	}
}

// claimSilence claims at the deadline. A silence that has not yet lasted is
// looked at again first: a deadline may fall into a stumble, too.
func (n *Node) claimSilence(i *instance, v verdict.Verdict) {
	switch {
	case !n.overdue(i) && !n.silenceLasts(i):
		n.hold(i, afterLoss[0])
	case n.unasked(i):
		n.hold(i, refill)
	default:
		i.doubt.starved = stamp{}
		n.claim(i, v)
	}
}

// unasked says that the budget left no question for this claim. What was not asked
// is no silence, so the claim waits for the budget, though not for long: many
// instances may live on one port.
func (n *Node) unasked(i *instance) bool {
	d := &i.doubt
	if n.begunAfter(i, i.consult.since.Add(-keepAsking)) {
		return false
	}
	if !d.starved.ok {
		d.starved.set(n.now)
	}
	return d.starved.within(n.now, max(i.masterDown(), keepAsking))
}

// priorHolds is fault_prior: yield leaves an unproven silence to whoever was
// MASTER, incumbent to the last one, and a router that never knew another
// MASTER serves in any case.
func (i *instance) priorHolds() bool {
	if i.retiring.spent && i.wasMaster {
		return false // it resigned to somebody who did not come
	}
	switch i.cfg.Prior {
	case PriorYield:
		return i.otherMaster
	case PriorIncumbent:
		return i.otherMaster && !i.wasMaster
	case PriorServe:
	}
	return false
}

// ruleUndoubted rules where nothing is in doubt: a preemption.
func (n *Node) ruleUndoubted(i *instance) {
	if n.preempting(i) {
		n.rulePreemption(i)
	}
}

// rulePreemption follows the RFC's timer. It waits only for a mute port, a
// stuck actor and a recant.
func (n *Node) rulePreemption(i *instance) {
	switch {
	case n.anyMute(i):
		n.wait(i, Info, "preemption waits: a serving port has carrier but has not heard anybody yet")
	case i.recant.barred, n.storage.state == StorageFailed && !i.displaces:
		n.hold(i, 0)
	default:
		i.reason = causeText(vrrp.CausePreempt)
		n.become(i)
	}
}

func (n *Node) anyMute(i *instance) bool {
	for _, s := range i.serving {
		if s.port.mute(n.now) {
			return true
		}
	}
	return false
}

// claim makes the instance MASTER on a verdict, unless something else forbids.
func (n *Node) claim(i *instance, v verdict.Verdict) {
	if at, ok := i.recant.claimAt(n.now); ok && !n.begunAfter(i, at) {
		if at <= n.now || n.inquire(i).starved() {
			at = max(at, n.now.Add(refill)) // the last burst was too early, or more than the budget allowed
		}
		i.doubt.next = min(i.doubt.next, at)
		n.hold(i, max(at.Sub(n.now), i.skew()))
		return
	}
	i.reason = v.Why()
	n.become(i)
}

// begunAfter says that the segments were asked after that moment, as far as
// there is anybody to ask.
func (n *Node) begunAfter(i *instance, at vrrp.Instant) bool {
	q := n.inquiryOf(i)
	if q == nil || q.burst == nil || q.burst.began < at {
		return false
	}
	asked := slices.ContainsFunc(slices.Concat(q.burst.asks, q.burst.kept), func(a *asking) bool {
		return i.serves(a.port, a.vip.addr) && a.began >= at
	})
	return asked || !slices.ContainsFunc(i.serving, func(s *service) bool { return s.vips > 0 && s.port.up() })
}

// become hands the takeover to the machine, if the group may move along and the
// kernel can follow.
func (n *Node) become(i *instance) {
	if i.group != nil && n.groupHolds(i.group) {
		n.hold(i, 0)
		return
	}
	if n.stuck() {
		n.wait(i, Warning, "takeover waits: a change of addresses is stuck in the kernel")
		return
	}
	n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
}

// wait holds for an interval, and says why where it was not said before.
func (n *Node) wait(i *instance, l Level, why string) {
	if i.waits != why {
		i.waits = why
		n.note(i, l, why)
	}
	n.hold(i, i.interval())
}

// hold answers the machine if it asked.
func (n *Node) hold(i *instance, d time.Duration) {
	if i.consult == nil {
		return
	}
	n.drive(i, vrrp.Ruled{Ruling: vrrp.Hold, For: d})
}

// settleOwner asks once before the first advert of an owner: where another
// answers for its address it holds back, unless the address is its own for
// good, as RFC 9568 has it.
func (n *Node) settleOwner(i *instance) {
	if i.consult == nil {
		return
	}
	if !i.doubt.on {
		i.doubt = doubt{on: true, cause: doubtDeadline, since: n.now, next: n.now}
	}
	q := n.inquire(i)
	if n.now >= i.doubt.next {
		n.startBurst(q, i)
		i.doubt.next = i.consult.until
	}
	if q.burst == nil || !q.burst.done {
		return
	}
	v := verdict.Judge(verdict.Observe(n.readings(i), verdict.Thresholds{Window: i.window()}))
	n.judged(i, v)
	if v.Finding == verdict.Contested && !n.ownsForGood(i) {
		n.hold(i, 0)
		return
	}
	n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
}

// ownsForGood says that every VIP was on its port before this router put it there.
func (n *Node) ownsForGood(i *instance) bool {
	for _, v := range i.cfg.VIPs {
		p := n.byName[v.Port]
		if p == nil || !n.ownIP(p, v.Prefix.Addr()) {
			return false
		}
	}
	return true
}
