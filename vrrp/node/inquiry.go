package node

import (
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

const (
	defaultRounds = 3
	// confirmRounds follow when only a broadcast was answered: is it a host
	// that missed two unicasts, or a cache that answers for the dead?
	confirmRounds = 2
	maxAnswers    = 4           // stations remembered per port and burst
	keepAsking    = time.Second // how long an outcome stands while the budget allows no other
	// refill is when the budget allows another burst of the usual length.
	refill       = (defaultRounds + 1) * time.Second / budgetPerSecond
	burstWitness = 2 // third parties asked per port and burst
)

// watch names an inquiry. BACKUP instances with the same heartbeat port and
// the same peer, which ask in the same manner, share one; a MASTER, or a router
// in FAULT, asks for itself.
type watch struct {
	port   Port
	peer   netip.Addr
	own    Key
	rounds int
	wait   time.Duration // 0: adaptive
}

// inquiry is the questioning of all segments on which a peer may serve.
type inquiry struct {
	watch watch
	burst *burst // running, or the last one
	last  *burst // the last one that is over
	turn  int    // of the VIPs of a port
}

// burst is a few rounds of questions on every serving port together.
type burst struct {
	began  vrrp.Instant
	next   vrrp.Instant // end of the running round
	round  int
	rounds int
	wait   time.Duration
	done   bool
	asks   []*asking
	kept   []*asking // what the budget did not allow to ask again, and its outcome a moment ago
}

// asking is one burst on one port.
type asking struct {
	port       *port
	vip        *target
	began      vrrp.Instant
	sent       [forms]int
	counts     [forms]bool // an answer to this form was had lately, so its silence counts
	answers    []answer
	witnesses  []*target
	witness    [forms]bool // a witness answered this form in this burst
	witnessAny bool
	starved    bool // the budget did not allow a full burst
}

type answer struct {
	mac  MAC
	seen [forms]int
}

// virtual says that a MAC is VRRP's own (RFC 9568 §7.3): a switch drops a
// unicast to it on the way in, so a second broadcast has to confirm it.
func virtual(m MAC) bool {
	return m[0] == 0 && m[1] == 0 && m[2] == 0x5e && m[3] == 0 && (m[4] == 1 || m[4] == 2)
}

// watchOf is the inquiry an instance takes part in.
func (i *instance) watchOf() watch {
	w := watch{rounds: i.rounds(), wait: i.cfg.Wait}
	s := i.machine.Status()
	if s.State == vrrp.Backup || s.State == vrrp.Initialize {
		w.port, w.peer = i.heart.name, s.Master
	} else {
		w.own = i.cfg.Key()
	}
	return w
}

// rounds is how often a burst asks.
func (i *instance) rounds() int {
	if i.cfg.Rounds > 0 {
		return i.cfg.Rounds
	}
	return defaultRounds
}

// inquire finds or opens the inquiry of an instance. Those in which nobody
// takes part any more are forgotten: there may be ever new MASTERs.
func (n *Node) inquire(i *instance) *inquiry {
	if q := n.inquiryOf(i); q != nil {
		return q
	}
	n.inquiries = slices.DeleteFunc(n.inquiries, func(q *inquiry) bool {
		return !slices.ContainsFunc(n.instances, func(j *instance) bool { return j.watchOf() == q.watch })
	})
	q := &inquiry{watch: i.watchOf()}
	n.inquiries = append(n.inquiries, q)
	return q
}

// inquiryOf is the inquiry of an instance if one is open.
func (n *Node) inquiryOf(i *instance) *inquiry {
	w := i.watchOf()
	for _, q := range n.inquiries {
		if q.watch == w {
			return q
		}
	}
	return nil
}

// starved says that the budget left no question for the last burst, so that
// another one right away would not learn more.
func (q *inquiry) starved() bool {
	return q.burst != nil && q.burst.done && len(q.burst.asks) == 0
}

// asking says that a burst runs on the port.
func (n *Node) asking(p *port) bool {
	for _, q := range n.inquiries {
		if q.burst == nil || q.burst.done {
			continue
		}
		for _, a := range q.burst.asks {
			if a.port == p {
				return true
			}
		}
	}
	return false
}

// startBurst begins a burst for an instance; one that still runs is given up
// for it. Others that are in doubt of the same peer are asked for as well, but
// after it, lest their questions use up the budget.
func (n *Node) startBurst(q *inquiry, i *instance) {
	b := &burst{began: n.now, next: n.now, rounds: q.watch.rounds, wait: q.watch.wait}
	q.turn++
	n.addAskings(b, q, i)
	for _, j := range n.instances {
		if j != i && j.running && j.watchOf() == q.watch && n.doubtCause(j) != doubtNone {
			n.addAskings(b, q, j)
		}
	}
	if b.wait == 0 {
		b.wait = waitMin
		for _, a := range b.asks {
			b.wait = max(b.wait, a.port.wait())
		}
	}
	q.burst = b
	n.advance(q)
}

// addAskings picks one VIP of the instance per serving port: of those that are
// calibrated the next in turn, so that further VIPs come in later bursts.
func (n *Node) addAskings(b *burst, q *inquiry, i *instance) {
	for _, s := range i.serving {
		if s.vips == 0 || s.port.down() {
			continue
		}
		t := n.pickVIP(i, s.port, q.turn)
		if slices.ContainsFunc(b.asks, func(a *asking) bool { return a.vip == t }) {
			continue
		}
		if !s.port.affords(n.now, b.frames(s.port)) {
			b.keep(q.last, i, s.port, n.now)
			continue
		}
		a := &asking{port: s.port, vip: t, began: n.now}
		for f := range forms {
			a.counts[f] = t.calibrated(f, n.now) && !s.port.blind
		}
		f := a.witnessForm()
		a.witnesses = s.port.bestWitnesses(t.addr.Is6(), f, n.now, burstWitness)
		b.asks = append(b.asks, a)
	}
}

// keep lets an outcome of a moment ago stand for what the budget does not allow
// to be asked now: half a burst would take a host for a cache, and none would
// take service for silence.
func (b *burst) keep(last *burst, i *instance, p *port, now vrrp.Instant) {
	if last == nil {
		return
	}
	for _, a := range slices.Concat(last.asks, last.kept) {
		if a.port == p && i.serves(p, a.vip.addr) && now.Sub(a.began) <= keepAsking {
			b.kept = append(b.kept, a)
			return
		}
	}
}

// frames is what the burst takes on a port with one asking more: each has its
// rounds, and mostly one question for a witness.
func (b *burst) frames(p *port) int {
	askings := 1
	for _, a := range b.asks {
		if a.port == p {
			askings++
		}
	}
	return askings * (b.rounds + 1)
}

// pickVIP is the address to ask for on a port in that turn.
func (n *Node) pickVIP(i *instance, p *port, turn int) *target {
	var all, calibrated []*target
	for _, v := range i.cfg.VIPs {
		if v.Port != p.name {
			continue
		}
		t := p.target(v.Prefix.Addr())
		all = append(all, t)
		if t.answers(n.now) {
			calibrated = append(calibrated, t)
		}
	}
	if len(calibrated) > 0 {
		all = calibrated
	}
	return all[turn%len(all)]
}

// witnessForm is the form in which a witness must answer for the silence of
// the VIP to count: like against like.
func (a *asking) witnessForm() form {
	if a.counts[unicast] {
		return unicast
	}
	return broadcast
}

// advance runs the rounds of a burst.
func (n *Node) advance(q *inquiry) {
	b := q.burst
	for b != nil && !b.done && n.now >= b.next {
		if b.round >= b.rounds && !b.extend() || len(b.asks) == 0 {
			b.done, q.last, n.moved = true, b, true
			return
		}
		b.round++
		for _, a := range b.asks {
			n.askRound(a, b.round)
		}
		b.next = n.now.Add(b.wait)
	}
}

// extend asks for more rounds where a broadcast was answered and no unicast.
func (b *burst) extend() bool {
	if b.round >= b.rounds+confirmRounds {
		return false
	}
	return slices.ContainsFunc(b.asks, func(a *asking) bool { return a.reply() == verdict.ReplyUnconfirmed })
}

func (n *Node) askRound(a *asking, round int) {
	if a.reply() != verdict.ReplyPeer {
		f := broadcast
		if to := n.addressee(a.port, a.vip); round > 1 && to != (MAC{}) && !virtual(to) {
			f = unicast
		}
		if n.question(a.port, a.vip, f, true) {
			a.sent[f]++
		} else {
			a.starved = true
		}
	}
	if len(a.witnesses) == 0 || a.witness[a.witnessForm()] {
		return
	}
	w := a.witnesses[(round-1)%len(a.witnesses)]
	f := a.witnessForm()
	if w.mac == (MAC{}) {
		f = broadcast
	}
	if w.asked(f, n.now) {
		return // for another VIP on this port
	}
	n.question(a.port, w, f, true)
}

// asked says that this very question was put in this very moment.
func (t *target) asked(f form, now vrrp.Instant) bool {
	return slices.ContainsFunc(t.pending, func(q pending) bool { return q.form == f && q.at == now })
}

func (q *inquiry) vipAnswered(p *port, t *target, f form, mac MAC) {
	if q.burst == nil {
		return
	}
	for _, a := range q.burst.asks {
		if a.port == p && a.vip == t {
			a.count(mac, f)
		}
	}
}

func (a *asking) count(mac MAC, f form) {
	for k := range a.answers {
		if a.answers[k].mac == mac {
			a.answers[k].seen[f]++
			return
		}
	}
	if len(a.answers) < maxAnswers {
		x := answer{mac: mac}
		x.seen[f]++
		a.answers = append(a.answers, x)
	}
}

func (q *inquiry) witnessAnswered(p *port, t *target, f form) {
	if q.burst == nil {
		return
	}
	for _, a := range q.burst.asks {
		if a.port == p && slices.Contains(a.witnesses, t) {
			a.witness[f] = true
			a.witnessAny = true
		}
	}
}

// reply is what the answers so far amount to. On a port where the peer's
// address was never learnt, whoever answers and is no proxy is taken for it.
func (a *asking) reply() verdict.Reply {
	best := verdict.ReplySilent
	for _, x := range a.answers {
		r := verdict.ReplyStranger
		if a.port.maySpeak(x.mac) {
			r = verdict.ReplyUnconfirmed
			if x.confirmed() {
				r = verdict.ReplyPeer
			}
		}
		best = max(best, r)
	}
	return best
}

// confirmed says that the station itself answered, and no cache for it.
func (x answer) confirmed() bool {
	return x.seen[unicast] > 0 || virtual(x.mac) && x.seen[broadcast] > 1
}

// unasked says that the budget allowed no question at all.
func (a *asking) unasked() bool { return a.sent[broadcast]+a.sent[unicast] == 0 }

// silent says that this form was asked and not answered.
func (a *asking) silent(f form) bool {
	if a.sent[f] == 0 {
		return false
	}
	return !slices.ContainsFunc(a.answers, func(x answer) bool { return x.seen[f] > 0 })
}

// proves says that the silence of one form counts: the VIP answered to it
// lately, it was asked and stayed silent, and a witness answered the same.
func (a *asking) proves() (calibrated, witness bool) {
	for f := range forms {
		if !a.counts[f] || !a.silent(f) || a.starved {
			continue
		}
		calibrated = true
		witness = witness || a.witness[f]
	}
	return calibrated, witness
}

// hiddenFromBroadcast says that an answer counted for the broadcast may have
// been one to a unicast: here broadcasts were not answered in peacetime.
func (a *asking) hiddenFromBroadcast() bool {
	return a.reply() == verdict.ReplyUnconfirmed && !a.counts[broadcast]
}

// reading is what the burst says about the port, for the judge.
func (a *asking) reading(r verdict.PortReading) verdict.PortReading {
	r.VIP = a.reply()
	if r.VIP == verdict.ReplySilent && a.unasked() {
		r.VIP = verdict.ReplyUnknown
	}
	r.Calibrated, r.Witness = a.proves()
	if a.hiddenFromBroadcast() {
		r.Calibrated = false
	}
	return r
}
