package node

import (
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
)

const (
	// budgetPerSecond frames may be asked on a port in the long run, over all
	// instances: switches that inspect ARP disable a port above 15 a second.
	budgetPerSecond = 12
	// budgetBorrow is how far a burst may go ahead of that: one second.
	budgetBorrow = 12

	waitMin     = 2 * time.Millisecond
	waitMax     = 50 * time.Millisecond
	waitUnknown = 20 * time.Millisecond
	// answerWindow is how long an answer may be on its way; later ones answer
	// nothing.
	answerWindow = 100 * time.Millisecond
	// calibrationAge is how long an answer makes a later silence count.
	calibrationAge = time.Minute

	calibrateEvery = 5 * time.Second
	calibrateFast  = 200 * time.Millisecond
	fastQuestions  = 15
	blindMisses    = 3
)

// form is how a question is put. Silence to one form says nothing about the
// other: a fabric's ARP cache answers broadcasts for the dead, and hides the
// living from sender 0.0.0.0.
type form uint8

const (
	broadcast form = iota
	unicast
	forms
)

// target is one address that is asked on a port.
type target struct {
	addr     netip.Addr
	mac      MAC          // that last answered
	answered [forms]stamp // the last answer to each form
	pending  []pending    // questions that an answer may belong to, oldest first
	lastAsk  stamp
	missed   bool // a question was not answered since the last answer
}

// pending is a question that may still be answered, by several.
type pending struct {
	form form
	to   MAC // of a unicast
	at   vrrp.Instant
	by   []MAC // who answered already
}

// calibrated says that a silence to this form counts.
func (t *target) calibrated(f form, now vrrp.Instant) bool {
	return t.answered[f].within(now, calibrationAge)
}

// answers says that a silence to some form counts.
func (t *target) answers(now vrrp.Instant) bool {
	return t.calibrated(broadcast, now) || t.calibrated(unicast, now)
}

func (p *port) target(a netip.Addr) *target {
	t := p.targets[a]
	if t == nil {
		if len(p.targets) >= maxTargets {
			p.forgetTarget()
		}
		t = &target{addr: a}
		p.targets[a] = t
	}
	return t
}

// forgetTarget makes room: the address asked longest ago goes. Ties go to the
// lower address, since map order must not decide anything.
func (p *port) forgetTarget() {
	var oldest *target
	for _, t := range p.targets {
		if oldest == nil || t.lastAsk.at < oldest.lastAsk.at ||
			t.lastAsk.at == oldest.lastAsk.at && t.addr.Less(oldest.addr) {
			oldest = t
		}
	}
	if oldest != nil {
		delete(p.targets, oldest.addr)
	}
}

// fill lets the budget grow with time.
func (p *port) fill(now vrrp.Instant) {
	p.tokens = min(budgetPerSecond, p.tokens+now.Sub(p.filled).Seconds()*budgetPerSecond)
	p.filled = now
}

// affords says that so many frames of a burst may be asked now.
func (p *port) affords(now vrrp.Instant, frames int) bool {
	p.fill(now)
	return p.tokens-float64(frames) >= -budgetBorrow
}

// spend takes one frame from the budget. A burst may borrow.
func (p *port) spend(now vrrp.Instant, burst bool) bool {
	p.fill(now)
	floor := 1.0
	if burst {
		floor = 1 - budgetBorrow
	}
	if p.tokens < floor {
		return false
	}
	p.tokens--
	return true
}

// question puts one question, if the budget allows.
func (n *Node) question(p *port, t *target, f form, burst bool) bool {
	sender, ok := n.asker(p, t.addr)
	switch {
	case !ok, f == unicast && n.addressee(p, t) == (MAC{}):
		return false
	case f == unicast:
		return n.put(p, t, n.addressee(p, t), sender, burst)
	}
	return n.put(p, t, MAC{}, sender, burst)
}

// addressee is whom a unicast goes to: whoever answered last, and for a VIP for
// which nobody has answered, the peer as it was last seen on this port.
func (n *Node) addressee(p *port, t *target) MAC {
	if peers := p.allPeers(); t.mac == (MAC{}) && len(peers) > 0 && n.isVIP(t.addr) {
		return peers[0]
	}
	return t.mac
}

// confirm asks a station that answered a broadcast whether it was itself,
// unless that is being asked already.
func (n *Node) confirm(p *port, t *target, mac MAC) {
	asked := slices.ContainsFunc(t.pending, func(q pending) bool { return q.to == mac })
	if sender, ok := n.asker(p, t.addr); ok && !asked {
		n.put(p, t, mac, sender, true)
	}
}

// asker is the sender of a question: the port's own address in that subnet,
// 0.0.0.0 where there is none. A neighbour solicitation needs the port's
// link-local address, since one from :: would make an address under duplicate
// detection fail.
func (n *Node) asker(p *port, a netip.Addr) (netip.Addr, bool) {
	if !a.Is4() {
		return n.linkLocal(p)
	}
	if own, ok := n.ownAddress(p, a); ok {
		return own, true
	}
	return netip.IPv4Unspecified(), true
}

func (n *Node) put(p *port, t *target, to MAC, sender netip.Addr, burst bool) bool {
	if !p.spend(n.now, burst) {
		return false
	}
	q := pending{to: to, at: n.now}
	if to != (MAC{}) {
		q.form = unicast
	}
	t.expire(n.now)
	t.missed = t.missed || t.unanswered(n.now)
	t.pending = append(t.pending, q)
	t.lastAsk.set(n.now)
	n.emit(Ask{Port: p.name, Target: t.addr, Sender: sender, To: to})
	return true
}

// unanswered says that the last question had its time and no answer.
func (t *target) unanswered(now vrrp.Instant) bool {
	last := later(t.answered[broadcast], t.answered[unicast])
	return t.lastAsk.ok && now.Sub(t.lastAsk.at) > answerWindow && (!last.ok || last.at < t.lastAsk.at)
}

func (t *target) expire(now vrrp.Instant) {
	t.pending = slices.DeleteFunc(t.pending, func(q pending) bool { return now.Sub(q.at) > answerWindow })
}

// match attributes an answer to a question that this station has not answered:
// a proxy or a stranger who was quicker does not answer for others. Answers
// carry no mark of what they answer; in doubt they are taken for the weaker
// proof, the oldest broadcast: a living host that missed the broadcast is
// confirmed one round late, while a cache that answered the broadcast is never
// taken for a host, not even after unicasts that found the host dead. The
// match is clear if there was no choice.
func (t *target) match(now vrrp.Instant, mac MAC) (q pending, clear, ok bool) {
	t.expire(now)
	at := -1
	for k := range t.pending {
		q := &t.pending[k]
		if q.form == unicast && q.to != mac || len(q.by) >= maxAnswers || slices.Contains(q.by, mac) {
			continue
		}
		clear = at < 0
		if at < 0 || q.form < t.pending[at].form {
			at = k
		}
	}
	if at < 0 {
		return pending{}, false, false
	}
	t.pending[at].by = append(t.pending[at].by, mac)
	return t.pending[at], clear, true
}

// wait is how long a round waits for its answers.
func (p *port) wait() time.Duration {
	if p.rtt == 0 {
		return waitUnknown
	}
	return min(max(2*p.rtt, waitMin), waitMax)
}

// learn follows round trips upwards at once and downwards slowly.
func (p *port) learn(rtt time.Duration) {
	if rtt > p.rtt {
		p.rtt = rtt
		return
	}
	p.rtt -= (p.rtt - rtt) / 8
}

// rank orders candidates for a witness.
type rank uint8

const (
	rankConfigured rank = iota + 1 // fault_witness, via of a virtual route
	rankGateway                    // gateway of a kernel route
	rankNeighbour                  // resolved by the kernel
	rankOverheard                  // seen in somebody's ARP or ND
)

// addWitness takes a candidate: never an own address, a VIP, or the peer.
func (n *Node) addWitness(p *port, a netip.Addr, r rank, mac MAC) {
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || n.isVIP(a) || n.ownIP(p, a) || n.isRouter(a) || n.isControl(p, a) {
		return
	}
	if n.own(mac) || p.isPeer(mac) {
		return
	}
	if old, ok := p.ranks[a]; ok {
		if r >= old {
			return
		}
		p.dropWitness(a)
	}
	if len(p.witnesses) >= maxWitnesses {
		worst, ok := p.dispensable(r, n.now)
		if !ok {
			return
		}
		p.dropWitness(worst)
	}
	at := len(p.witnesses)
	for at > 0 && p.ranks[p.witnesses[at-1]] > r {
		at--
	}
	p.witnesses = slices.Insert(p.witnesses, at, a)
	p.ranks[a] = r
	if t := p.target(a); t.mac == (MAC{}) {
		t.mac = mac
	}
}

// dispensable is the candidate that gives way to one of that rank: the worst
// one if it is worse, or one no better that has not answered lately.
func (p *port) dispensable(r rank, now vrrp.Instant) (netip.Addr, bool) {
	worst := p.witnesses[len(p.witnesses)-1]
	if p.ranks[worst] > r {
		return worst, true
	}
	for _, a := range p.witnesses {
		t := p.targets[a]
		if p.ranks[a] == r && t != nil && t.lastAsk.ok && !t.answers(now) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func (p *port) dropWitness(a netip.Addr) {
	p.witnesses = slices.DeleteFunc(p.witnesses, func(w netip.Addr) bool { return w == a })
	delete(p.ranks, a)
}

func (n *Node) ownIP(p *port, a netip.Addr) bool {
	return slices.ContainsFunc(p.state.Addresses, func(x netip.Prefix) bool { return x.Addr() == a })
}

// isRouter says that adverts came from this address: it is the peer's.
func (n *Node) isRouter(a netip.Addr) bool {
	return slices.ContainsFunc(n.ports, func(p *port) bool { return slices.Contains(p.routers, a) })
}

// bestWitnesses are the third parties to ask in one family: first those that
// answered this form lately, then those that answered another, then those that
// were never asked.
func (p *port) bestWitnesses(v6 bool, f form, now vrrp.Instant, limit int) []*target {
	var proven, near, fresh, rest []*target
	for _, a := range p.witnesses {
		if a.Is6() != v6 {
			continue
		}
		t := p.target(a)
		if p.isPeer(t.mac) {
			continue
		}
		switch {
		case t.calibrated(f, now):
			proven = append(proven, t)
		case t.answers(now):
			near = append(near, t)
		case !t.lastAsk.ok:
			fresh = append(fresh, t)
		default:
			rest = append(rest, t)
		}
	}
	all := slices.Concat(proven, near, fresh, rest)
	return all[:min(len(all), limit)]
}

func (n *Node) takeHeard(e Heard) {
	p, ok := n.byName[e.Port]
	if !ok || n.own(e.MAC) || e.MAC == (MAC{}) {
		return // an answer that carries one of our own addresses is ours
	}
	p.heard = true
	if e.Op == Reply {
		n.takeReply(p, e)
	} else {
		n.takeOverheard(p, e)
	}
	n.addWitness(p, e.Sender, rankOverheard, e.MAC)
}

// takeReply counts an answer to a question of ours.
func (n *Node) takeReply(p *port, e Heard) {
	t := p.targets[e.Sender]
	if t == nil {
		return
	}
	q, clear, ok := t.match(n.now, e.MAC)
	if !ok {
		return
	}
	f := q.form
	if clear { // else it may have answered a later question, and sooner than it seems
		p.learn(n.now.Sub(q.at))
	}
	if n.isControl(p, e.Sender) {
		p.addProxy(e.MAC)
		return
	}
	if p.isProxy(e.MAC) && n.isVIP(e.Sender) {
		return // a proxy answers for everything, so for the VIP it says nothing
	}
	if !n.isVIP(e.Sender) {
		t.mac = e.MAC
		t.answered[f].set(n.now)
		n.witnessAnswered(p, t, f)
		n.witnessIsBack(p, t)
		return
	}
	n.served(p, t, q, e.MAC)
}

// served is told that somebody answered for a VIP. Whoever does so first while
// the peer advertises is the peer; another who does so later is a stranger.
func (n *Node) served(p *port, t *target, asked pending, mac MAC) {
	f := asked.form
	fresh := n.vipPeerFresh(t.addr)
	if fresh && (!p.learned || p.isPeer(mac)) {
		p.addPeer(mac)
		p.learned, p.misses, p.blind = true, 0, false
	}
	if p.maySpeak(mac) {
		t.mac = mac
		if fresh {
			t.answered[f].set(n.now)
		}
	} else {
		n.noteStranger(p, t.addr, mac)
	}
	if !p.isPeer(mac) {
		n.meet(p, t.addr, mac, fresh)
	}
	for _, q := range n.inquiries {
		q.vipAnswered(p, t, f, mac)
	}
	for _, i := range n.instances {
		if i.serves(p, t.addr) && asked.at >= i.mastery.since {
			n.rivalAnswered(i, p, t, f, mac) // an answer to an older question is about an older time
		}
	}
}

func (n *Node) witnessAnswered(p *port, t *target, f form) {
	for _, q := range n.inquiries {
		q.witnessAnswered(p, t, f)
	}
	for _, i := range n.instances {
		i.witnessed(p, n.now)
	}
}

// witnessIsBack lets a MASTER announce itself where a witness was silent and answers
// again: the segment may have been in two parts, and somebody else announced himself
// in the other.
func (n *Node) witnessIsBack(p *port, t *target) {
	if !t.missed {
		return
	}
	t.missed = false
	for _, i := range n.instances {
		if i.state() == vrrp.Master && i.onServing(p) {
			n.announce(i, i.cfg.Announce.Repeat)
		}
	}
}

// vipPeerFresh says that a BACKUP instance with this VIP hears its MASTER, so
// that whoever answers for the VIP is the peer.
func (n *Node) vipPeerFresh(a netip.Addr) bool {
	return slices.ContainsFunc(n.instances, func(i *instance) bool {
		return i.hasVIP(a) && i.peerFresh(n.now) && !i.doubt.on
	})
}

// takeOverheard reads what other stations ask and announce. A frame the peer
// sent by itself proves that its box lives. Somebody who asks for our VIP from
// no address at all asks our question: it is a router of this pair.
func (n *Node) takeOverheard(p *port, e Heard) {
	if e.Op == Request && e.Sender.IsUnspecified() && e.Target.Is4() && n.servesOn(p, e.Target) {
		p.addAsker(e.MAC)
	}
	n.noteAsker(p, e)
	if p.isPeer(e.MAC) {
		for _, i := range n.instances {
			if i.onServing(p) {
				i.lived.set(n.now)
			}
		}
	}
	if e.Op != Gratuitous || !n.isVIP(e.Sender) {
		return
	}
	switch fresh := n.vipPeerFresh(e.Sender); {
	case fresh && !p.learned:
		p.addAsker(e.MAC) // where a fabric keeps broadcasts from it, this says whom to ask
	case !p.isPeer(e.MAC):
		n.meet(p, e.Sender, e.MAC, fresh)
	}
	for _, i := range n.instances {
		if i.serves(p, e.Sender) {
			n.rival(i, p, e.Sender, e.MAC)
		}
	}
}
