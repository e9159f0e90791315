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
	pending  []pending    // questions not answered yet, oldest first
	lastAsk  stamp
}

type pending struct {
	form form
	at   vrrp.Instant
}

// calibrated says that a silence to this form counts.
func (t *target) calibrated(f form, now vrrp.Instant) bool {
	return t.answered[f].within(now, calibrationAge)
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

// spend takes one frame from the budget. A burst may borrow.
func (p *port) spend(now vrrp.Instant, burst bool) bool {
	p.tokens = min(budgetPerSecond, p.tokens+now.Sub(p.filled).Seconds()*budgetPerSecond)
	p.filled = now
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

// question puts one question, if the budget allows. Its sender is the port's
// own address in that subnet, 0.0.0.0 where there is none; a neighbour
// solicitation needs the port's link-local address, since one from :: would
// make an address under duplicate detection fail.
func (n *Node) question(p *port, t *target, f form, burst bool) bool {
	sender := netip.IPv4Unspecified()
	if t.addr.Is4() {
		if own, ok := n.ownAddress(p, t.addr); ok {
			sender = own
		}
	} else {
		own, ok := p.linkLocal()
		if !ok {
			return false
		}
		sender = own
	}
	return n.questionFrom(p, t, f, sender, burst)
}

func (n *Node) questionFrom(p *port, t *target, f form, sender netip.Addr, burst bool) bool {
	ask := Ask{Port: p.name, Target: t.addr, Sender: sender}
	if f == unicast {
		if t.mac == (MAC{}) {
			return false
		}
		ask.To = t.mac
	}
	if !p.spend(n.now, burst) {
		return false
	}
	t.expire(n.now)
	t.pending = append(t.pending, pending{f, n.now})
	t.lastAsk.set(n.now)
	n.emit(ask)
	return true
}

func (t *target) expire(now vrrp.Instant) {
	t.pending = slices.DeleteFunc(t.pending, func(q pending) bool { return now.Sub(q.at) > answerWindow })
}

// match attributes an answer to the oldest question that has none. Answers
// carry no mark of what they answer; in doubt they are taken for the weaker
// proof: a living host that missed the broadcast is confirmed one round late,
// while a cache that answered the broadcast is never taken for a host.
func (t *target) match(now vrrp.Instant) (q pending, ok bool) {
	t.expire(now)
	if len(t.pending) == 0 {
		return pending{}, false
	}
	q = t.pending[0]
	t.pending = t.pending[1:]
	return q, true
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
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || n.isVIP(a) || n.ownIP(p, a) || n.isRouter(a) {
		return
	}
	if mac != (MAC{}) && (n.own(mac) || p.isPeer(mac)) {
		return
	}
	if old, ok := p.ranks[a]; ok {
		if r >= old {
			return
		}
		p.dropWitness(a)
	}
	if len(p.witnesses) >= maxWitnesses {
		worst := p.witnesses[len(p.witnesses)-1]
		if p.ranks[worst] <= r {
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

// bestWitnesses are the third parties to ask in one family: those that
// answered this form lately first, otherwise the best candidate.
func (p *port) bestWitnesses(v6 bool, f form, now vrrp.Instant, limit int) []*target {
	var proven, rest []*target
	for _, a := range p.witnesses {
		if a.Is6() != v6 {
			continue
		}
		t := p.target(a)
		if p.isPeer(t.mac) && t.mac != (MAC{}) {
			continue
		}
		if t.calibrated(f, now) {
			proven = append(proven, t)
		} else {
			rest = append(rest, t)
		}
	}
	all := append(proven, rest...)
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
	if e.Sender.IsValid() && !e.Sender.IsUnspecified() {
		n.addWitness(p, e.Sender, rankOverheard, e.MAC)
	}
}

// takeReply counts an answer to a question of ours.
func (n *Node) takeReply(p *port, e Heard) {
	t := p.targets[e.Sender]
	if t == nil {
		return
	}
	q, ok := t.match(n.now)
	if !ok {
		return
	}
	f := q.form
	p.learn(n.now.Sub(q.at))
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
	if p.isPeer(mac) || len(p.peers) == 0 {
		t.mac = mac
		if fresh {
			t.answered[f].set(n.now)
		}
	}
	for _, q := range n.inquiries {
		q.vipAnswered(p, t, f, mac)
	}
	for _, i := range n.instances {
		if i.serves(p, t.addr) && asked.at >= i.mastery.since {
			n.rival(i, p, t.addr, mac) // an answer to an older question is about an older time
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
	if e.Op == Request && e.Sender.IsUnspecified() && n.isVIP(e.Target) && e.Target.Is4() {
		p.addPeer(e.MAC)
	}
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
	for _, i := range n.instances {
		if i.serves(p, e.Sender) {
			n.rival(i, p, e.Sender, e.MAC)
		}
	}
}
