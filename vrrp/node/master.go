package node

import (
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

const (
	// unsureFor is how long a MASTER that took over from a silence keeps
	// asking although its heartbeat has carrier.
	unsureFor = time.Minute
	// recantMemory is how long a recant makes the next one wait longer.
	recantMemory = time.Minute
	recantMax    = 30 * time.Second
	// defendEvery is how often a claim of somebody else's is answered at most: two
	// that defend an address against each other must not flood the segment.
	defendEvery = time.Second
	// rivalPause is the shortest time between two questions of a MASTER for one
	// that serves as well: a third of the budget.
	rivalPause = time.Second / 4
	maxRivals  = 8
)

// mastery is what a MASTER keeps of its own service and of a rival's.
type mastery struct {
	since       vrrp.Instant
	unsureUntil vrrp.Instant
	alone       vrrp.Instant // until then the last MASTER may still be letting go
	nextAsk     vrrp.Instant
	announce2   stamp // second announcement
	refresh     stamp

	rivals   []rivalry
	rivalled stamp // the last answer of any rival
	heard    stamp // first advert of a running exchange
	heardEnd stamp // its last

	insists   bool // by policy: the VIP was known to be served by another
	contested bool
	askAt     vrrp.Instant // when the contest asks its full burst
	asked     bool
	defended  stamp
	told      map[verdict.Rule]vrrp.Instant // when a rule was last spoken of
}

// rivalry is one station that answered or announced one of our VIPs.
type rivalry struct {
	port *port
	mac  MAC
	vips []netip.Addr // that it claims, two at most: more prove no more
	at   vrrp.Instant
}

// recanting is what a router that gave way remembers.
type recanting struct {
	count    int
	last     stamp
	answered stamp         // the VIP was last seen answered by another
	wait     time.Duration // no claim before so much time after that
	barred   bool          // no preemption until the heartbeat changed or the other fell silent
	preempt  bool          // this mastership began as a preemption
}

func (n *Node) enterMaster(i *instance, c vrrp.Cause) {
	i.mastery = mastery{since: n.now, nextAsk: n.now}
	i.wasMaster = true
	i.followed = netip.Addr{} // whoever serves after us is to be learnt again
	i.recant.preempt = c == vrrp.CausePreempt || n.lowerHeard(i)
	if !i.recant.preempt {
		i.mastery.unsureUntil = n.now.Add(unsureFor)
	}
	for _, s := range i.serving {
		s.witnessed = stamp{}
		s.port.nextAsk = min(s.port.nextAsk, n.now.Add(calibrateFast))
	}
	if n.handedOver(i) || n.overslept.within(n.now, answerWindow) {
		i.mastery.alone = n.now.Add(answerWindow)
	}
	n.install(i)
}

// handedOver says that the last MASTER was heard until now, so that it is about
// to give its addresses back, or just did: what answers for some milliseconds
// more is no rival.
func (n *Node) handedOver(i *instance) bool {
	w := i.window()
	return i.heart.up() && (i.goodbye.within(n.now, w) || i.obeyed.within(n.now, w) || i.lower.within(n.now, w))
}

func (n *Node) lowerHeard(i *instance) bool { return i.lower.within(n.now, i.window()) }

func (n *Node) settleMaster(i *instance) {
	m := &i.mastery
	if n.masterDoubts(i) && n.now >= m.nextAsk {
		n.askForRivals(i)
	}
	if m.announce2.ok && n.now >= m.announce2.at {
		m.announce2 = stamp{}
		n.announce(i, i.cfg.Announce.Repeat)
	}
	if m.refresh.ok && n.now >= m.refresh.at {
		m.refresh.set(n.now.Add(i.cfg.Announce.Refresh))
		n.announce(i, max(i.cfg.Announce.RefreshRepeat, 1))
	}
	if m.contested && !m.asked && n.now >= m.askAt {
		n.contest(i)
	}
	n.settleRival(i)
	n.settleStorage(i)
}

// contest asks the full burst of a contest, as soon as the budget allows one on every
// port: what is asked on some says nothing of the others.
func (n *Node) contest(i *instance) {
	m, q := &i.mastery, n.inquire(i)
	for _, s := range i.serving {
		if s.vips > 0 && !s.port.down() && !s.port.affords(n.now, i.rounds()+1) {
			m.askAt = n.now.Add(refill)
			return
		}
	}
	n.startBurst(q, i)
	m.asked, m.rivals = true, nil
}

// masterDoubts says that the heartbeat cannot show another MASTER, or shows one that
// does not hear this one. A contest asks in its own time.
func (n *Node) masterDoubts(i *instance) bool {
	m := &i.mastery
	unheard := m.heardEnd.within(n.now, 2*i.interval()) && !n.exchanging(i)
	return !m.contested && (!i.heart.up() || unheard || n.now < m.unsureUntil)
}

// askForRivals puts one question for one VIP on each serving port. A witness is
// asked beside it until one has answered, which is what makes a MASTER old. Where
// adverts are fast the budget is left to those that want to claim.
func (n *Node) askForRivals(i *instance) {
	m := &i.mastery
	pause := max(i.interval()/4, rivalPause)
	turn := int(n.now.Sub(m.since) / pause)
	for _, s := range i.serving {
		if s.vips == 0 || !s.port.up() {
			continue
		}
		t := n.pickVIP(i, s.port, turn)
		n.question(s.port, t, broadcast, true)
		if s.witnessed.ok {
			continue
		}
		for _, w := range s.port.bestWitnesses(t.addr.Is6(), broadcast, n.now, 1) {
			n.question(s.port, w, broadcast, false)
		}
	}
	m.nextAsk = n.now.Add(pause)
}

// youth says whether this router has served before witnesses for long enough
// to insist on it.
func (n *Node) youth(i *instance, s *service) verdict.Youth {
	if !s.witnessed.ok || n.now.Sub(s.witnessed.at) < i.masterDown() {
		return verdict.YouthYoung
	}
	return verdict.YouthOld
}

// exchange follows the adverts of another MASTER.
func (n *Node) exchange(i *instance, a vrrp.Advert) {
	if a.Priority == 0 {
		return
	}
	m := &i.mastery
	if !m.heardEnd.within(n.now, 2*i.interval()) {
		m.heard.set(n.now)
	}
	m.heardEnd.set(n.now)
}

// exchanging says that adverts of another MASTER are heard, for no longer than
// the protocol needs to decide.
func (n *Node) exchanging(i *instance) bool {
	m := &i.mastery
	return m.heard.within(n.now, 2*i.interval())
}

func (n *Node) allMute(i *instance) bool {
	for _, s := range i.serving {
		if !s.port.mute(n.now) {
			return false
		}
	}
	return len(i.serving) > 0
}

// rivalAnswered follows an answer for a VIP of ours. One to a broadcast may
// come from a cache that answers for the dead, so the station is asked itself.
func (n *Node) rivalAnswered(i *instance, p *port, t *target, f form, mac MAC) {
	if i.state() != vrrp.Master {
		return
	}
	if f == unicast || virtual(mac) {
		n.rival(i, p, t.addr, mac)
		return
	}
	n.confirm(p, t, mac)
}

// rival records that somebody else serves a VIP or announces it.
func (n *Node) rival(i *instance, p *port, vip netip.Addr, mac MAC) {
	m := &i.mastery
	if i.state() != vrrp.Master || n.own(mac) || p.isProxy(mac) {
		return
	}
	if n.now < m.alone { // the last of the old MASTER; whether it was, is asked then
		m.unsureUntil, m.nextAsk = max(m.unsureUntil, m.alone.Add(i.masterDown())), m.alone
		return
	}
	m.rivalled.set(n.now)
	for k := range m.rivals {
		if r := &m.rivals[k]; r.port == p && r.mac == mac {
			r.at = n.now
			r.vips = remember(r.vips, vip, 2)
			return
		}
	}
	if len(m.rivals) < maxRivals {
		m.rivals = append(m.rivals, rivalry{port: p, mac: mac, vips: []netip.Addr{vip}, at: n.now})
	}
}

// settleRival judges whoever else serves.
func (n *Node) settleRival(i *instance) {
	m := &i.mastery
	n.forgetRivals(i)
	nobody := len(m.rivals) == 0 && !m.contested && !n.exchanging(i)
	switch {
	case m.insists && !n.exchanging(i), m.asked && !n.burstDone(i):
		return
	case nobody && m.rivalled.within(n.now, i.rivalMemory()):
		return // what was said of the rival stands until it is forgotten
	case nobody && i.verdict.Finding != verdict.Contested:
		n.settleDark(i)
		return
	}
	r, s := n.rivalry(i)
	v := verdict.Settle(r)
	if v.Rule != i.verdict.Rule {
		n.tellRivalry(i, v)
	}
	over := i.verdict.Finding == verdict.Contested && v.Finding == verdict.None
	i.verdict = v
	n.settled(i, v, s)
	if over {
		n.announce(i, i.cfg.Announce.Repeat) // the rival's announcements were the last that were heard
	}
}

// tellRivalry says how a rivalry stands. One that lasts goes back and forth between
// asking and defending several times a second; each is said once in a while.
func (n *Node) tellRivalry(i *instance, v verdict.Verdict) {
	m := &i.mastery
	if at, ok := m.told[v.Rule]; ok && n.now.Sub(at) < unsureFor {
		return
	}
	if m.told == nil {
		m.told = map[verdict.Rule]vrrp.Instant{}
	}
	m.told[v.Rule] = n.now
	level := Alarm
	if v.Finding == verdict.None {
		level = Info
	}
	n.note(i, level, "verdict "+v.Finding.String()+" ["+v.Rule.String()+"]: "+v.Why())
}

// settleDark says what a MASTER goes by whose heartbeat went dark: that nobody
// else answers for its addresses. It can say so once the first questions after
// the loss had their time. One that took over since the loss has said why.
func (n *Node) settleDark(i *instance) {
	lost := i.heart.lostAt
	if !i.heart.down() || i.mastery.since >= lost.at || lost.within(n.now, answerWindow) {
		return
	}
	r, _ := n.rivalry(i)
	v := verdict.Settle(r)
	if v.Rule != i.verdict.Rule {
		n.note(i, Info, "the heartbeat port is dark, this router serves on: "+v.Why())
	}
	i.verdict = v
}

func (n *Node) settled(i *instance, v verdict.Verdict, s *service) {
	m := &i.mastery
	switch v.Act {
	case verdict.Recant:
		n.recantMastery(i, v)
	case verdict.Obey:
		i.reason = v.Why()
		n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown})
	case verdict.Ask:
		if m.contested {
			return
		}
		m.contested, m.asked = true, false
		h := i.heart.fraction()
		if s != nil {
			h = s.port.fraction()
		}
		share := 0.125 + float64(i.machine.Status().Priority)/512 + h/8
		m.askAt = n.now.Add(time.Duration(share * float64(i.interval())))
		n.announce(i, i.cfg.Announce.Repeat)
	case verdict.Defend:
		if m.contested {
			n.endContest(i) // else what is known of the rival may still grow
		}
		if !m.defended.within(n.now, max(i.masterDown(), defendEvery)) {
			m.defended.set(n.now)
			n.announce(i, i.cfg.Announce.Repeat)
		}
	case verdict.ActNone, verdict.Stay, verdict.TakeOver, verdict.AtDeadline, verdict.ByPrior,
		verdict.ByContested, verdict.Listen, verdict.Release, verdict.Resign:
		if m.asked {
			n.endContest(i)
		}
	}
}

func (n *Node) endContest(i *instance) {
	i.mastery.contested, i.mastery.asked = false, false
	i.mastery.rivals = nil
}

// forgetRivals drops what is old: a rival is there as long as it answers.
func (n *Node) forgetRivals(i *instance) {
	i.mastery.rivals = slices.DeleteFunc(i.mastery.rivals, func(r rivalry) bool { return n.now.Sub(r.at) > i.rivalMemory() })
}

// rivalMemory is how long a rival that falls silent still counts as one.
func (i *instance) rivalMemory() time.Duration { return 2*i.interval() + time.Second }

func (n *Node) burstDone(i *instance) bool {
	q := n.inquiryOf(i)
	return q != nil && q.burst != nil && q.burst.done && q.burst.began >= i.mastery.askAt
}

// rivalry gathers the evidence for Settle, and the port it is about. One advert alone
// may be the last of one that has just given way.
func (n *Node) rivalry(i *instance) (verdict.Rivalry, *service) {
	m := &i.mastery
	r := verdict.Rivalry{
		Exchange: verdict.ExchangeNone, Rival: verdict.RivalNobody,
		Everywhere: verdict.TriUnknown, Asked: tri(m.asked), Mute: tri(n.allMute(i) && m.heardEnd.at > m.heard.at),
	}
	if n.exchanging(i) {
		r.Exchange = verdict.ExchangeOpen
	}
	var about *service
	for _, x := range m.rivals {
		s := i.service(x.port)
		if s == nil {
			continue
		}
		kind := n.kind(i, x.port, x.mac)
		if rivalWeight(kind) > rivalWeight(r.Rival) {
			r.Rival, about = kind, s
		}
	}
	if about != nil {
		r.Youth = n.youth(i, about)
	}
	if m.asked {
		r.Everywhere = n.everywhere(i)
	}
	return r, about
}

// kind is what a station is that answers for our VIPs. Where the peer was never
// met, a young MASTER takes whoever answers for it.
func (n *Node) kind(i *instance, p *port, mac MAC) verdict.Rival {
	switch {
	case p.isPeer(mac):
		return verdict.RivalPeer
	case n.vipsClaimed(i, mac) > 1:
		return verdict.RivalOneForTwo
	case p.maySpeak(mac) && n.youth(i, i.service(p)) == verdict.YouthYoung:
		return verdict.RivalPeer
	}
	return verdict.RivalStranger
}

func rivalWeight(r verdict.Rival) int {
	switch r {
	case verdict.RivalPeer:
		return 3
	case verdict.RivalOneForTwo:
		return 2
	case verdict.RivalStranger:
		return 1
	case verdict.RivalUnknown, verdict.RivalNobody:
	}
	return 0
}

// vipsClaimed counts the VIPs one station claims, over all ports.
func (n *Node) vipsClaimed(i *instance, mac MAC) int {
	total := 0
	for _, x := range i.mastery.rivals {
		if x.mac == mac {
			total += len(x.vips)
		}
	}
	return total
}

// everywhere says that the rival answered the full burst on every serving port
// on which a witness did. Where nobody was ever known on a port, whoever answers there
// counts for a rival that is known on another. Half a service gives way wherever it
// is answered.
func (n *Node) everywhere(i *instance) verdict.Tri {
	q := n.inquiryOf(i)
	if q == nil || q.burst == nil {
		return verdict.TriUnknown
	}
	known := false
	for _, a := range q.burst.asks {
		rival := slices.ContainsFunc(a.answers, func(x answer) bool {
			return x.confirmed() && n.kind(i, a.port, x.mac) != verdict.RivalStranger
		})
		perhaps := slices.ContainsFunc(a.answers, func(x answer) bool { return x.confirmed() && a.port.maySpeak(x.mac) })
		if !rival && !perhaps && a.witnessAny && !i.partial {
			return verdict.TriNo
		}
		known = known || rival
	}
	return tri(known)
}

func tri(b bool) verdict.Tri {
	if b {
		return verdict.TriYes
	}
	return verdict.TriNo
}

// recantMastery gives way to another who serves. The next claim waits: for the
// time that orders routers by priority, since the VIP was last answered, and
// twice as long for each recant within a minute.
func (n *Node) recantMastery(i *instance, v verdict.Verdict) {
	r := &i.recant
	if !r.last.within(n.now, recantMemory) {
		r.count = 0
	}
	r.count++
	r.last.set(n.now)
	r.answered.set(n.now)
	wait := i.skew() + time.Duration(i.heart.fraction()*float64(i.interval())/8)
	for range min(r.count-1, 10) {
		wait *= 2
	}
	r.wait = min(wait, recantMax)
	r.barred = r.preempt
	i.reason = v.Why()
	i.otherMaster = true
	n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown, For: r.wait})
	i.wasMaster = false
}

// claimAt is when a router that gave way may claim again; a burst that was
// begun before then is not fresh enough for it.
func (r *recanting) claimAt(now vrrp.Instant) (vrrp.Instant, bool) {
	if r.wait == 0 || !r.last.within(now, recantMemory) {
		return 0, false
	}
	return r.answered.at.Add(r.wait), true
}

// settleRecant lifts the bar on preemption when the heartbeat's carrier has
// changed or the other has fallen silent.
func (n *Node) settleRecant(i *instance) {
	r, h := &i.recant, i.heart
	changed := h.lostAt.ok && h.lostAt.at > r.last.at || h.upSince > r.last.at
	silent := !n.lowerHeard(i) && !r.answered.within(n.now, i.masterDown())
	if changed || silent {
		r.barred = false
	}
}
