package node

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

const (
	// muteLimit is how long a mute port may delay a preemption.
	muteLimit = 60 * time.Second
	// flapLosses carrier losses within flapWindow make a port flapping, until
	// it was quiet for as long.
	flapLosses = 3
	flapWindow = 10 * time.Second

	maxPeers     = 4  // hardware addresses of the peer remembered on a port
	maxProxies   = 4  // proxies remembered on a port
	maxStrangers = 4  // strangers remembered on a port
	maxRouters   = 8  // other routers remembered on a heartbeat port
	maxTargets   = 64 // addresses asked on a port
	maxWitnesses = 8  // third parties kept as candidates on a port
)

// port is what the brain knows about one interface.
type port struct {
	name    Port
	state   PortState
	known   bool         // state was read at least once
	heart   bool         // some instance's `interface`
	serving bool         // carries a VIP or a route of some instance, or is tracked by it
	upSince vrrp.Instant // when carrier was first seen up, this time
	asked   stamp        // of a heartbeat port: when a peer of its instances last asked for one of their VIPs
	probers []prober     // who asked from no address, lately
	heard   bool         // an ARP or ND frame of another station arrived since
	lostAt  stamp        // the last carrier loss
	losses  []vrrp.Instant
	flaps   vrrp.Instant // until when carrier is no evidence
	routers []netip.Addr // other routers ever heard in adverts on this port

	peers     []MAC // the peer's, most recent first: sent adverts, or answered for the VIP
	askers    []MAC // the peer's as well: asked our question for our VIP
	learned   bool  // a peer answered for the VIP since carrier came up or the MASTER changed
	proxies   []MAC // answered the control question
	strangers []MAC // answered for the VIP and were never tied to the peer
	newcomer  newcomer

	targets   map[netip.Addr]*target
	witnesses []netip.Addr // candidates, best first
	ranks     map[netip.Addr]rank

	tokens  float64 // frames that may be asked now; see spend
	filled  vrrp.Instant
	rtt     time.Duration // slow-moving upper estimate of a round trip
	nextAsk vrrp.Instant  // of the calibration
	fast    int           // calibration questions that may follow each other quickly
	turn    int
	misses  int  // VIP questions unanswered in a row, in peacetime
	blind   bool // the VIP is silent here while the peer's adverts are fresh
	draws   uint64
}

// newcomer is the last stranger that answered for a VIP, or announced one, while no
// MASTER was heard.
type newcomer struct {
	mac MAC
	vip netip.Addr
	at  vrrp.Instant
}

// stamp is a moment that may not have been.
type stamp struct {
	at vrrp.Instant
	ok bool
}

func (s *stamp) set(now vrrp.Instant) { s.at, s.ok = now, true }

// within says whether the moment was, and at most d ago.
func (s stamp) within(now vrrp.Instant, d time.Duration) bool { return s.ok && now.Sub(s.at) <= d }

func newPort(name Port) *port {
	return &port{
		name:    name,
		targets: map[netip.Addr]*target{},
		ranks:   map[netip.Addr]rank{},
		tokens:  budgetPerSecond,
	}
}

func (p *port) up() bool { return p.link() == verdict.LinkUp }

// down is known not to be up; a port never read is neither.
func (p *port) down() bool {
	switch p.link() {
	case verdict.LinkDown, verdict.LinkAdminDown, verdict.LinkGone, verdict.LinkBroken:
		return true
	case verdict.LinkUnknown, verdict.LinkUp:
	}
	return false
}

// broken says that a fact of this router's keeps the port from working: no frame
// leaves it, or it has no carrier for a reason on this side. A dead card may keep its
// carrier for ever.
func (p *port) broken() bool {
	facts := p.state.Facts
	return facts.Broken() != verdict.FactNone ||
		p.state.Carrier == CarrierDown && facts.First(verdict.ProvesLocal) != verdict.FactNone
}

// powered says that the port at the other end of a dark cable has power. One that is
// asleep was shut down, and serves nobody.
func (p *port) powered() bool {
	facts := p.state.Facts
	return p.link() == verdict.LinkDown && !facts.Has(verdict.FactPartnerAsleep) &&
		facts.First(verdict.ProvesPowered) != verdict.FactNone
}

// culprit says in words what is wrong with the port; empty where nothing is.
func (p *port) culprit() string {
	var what string
	switch p.link() {
	case verdict.LinkGone:
		what = "interface does not exist"
	case verdict.LinkAdminDown:
		what = "administratively down"
	case verdict.LinkBroken:
		f := p.state.Facts.Broken()
		if f == verdict.FactNone {
			f = p.state.Facts.First(verdict.ProvesLocal)
		}
		what = f.Text()
	case verdict.LinkDown:
		what = "no carrier"
	case verdict.LinkUnknown, verdict.LinkUp:
		return ""
	}
	return string(p.name) + ": " + cmp.Or(p.state.Culprit, what)
}

// mute says that carrier is up but nobody was heard since it came up.
func (p *port) mute(now vrrp.Instant) bool {
	return p.up() && !p.heard && now.Sub(p.upSince) < muteLimit
}

// flapping says that carrier is no evidence at present.
func (p *port) flapping(now vrrp.Instant) bool { return now < p.flaps }

// fraction draws the next h in [0,1): hashed from the port's hardware address
// and a count, so that two routers never move in step and a seed reproduces.
func (p *port) fraction() float64 {
	const offset, prime = 14695981039346656037, 1099511628211
	p.draws++
	h := uint64(offset)
	for _, b := range p.state.MAC {
		h = (h ^ uint64(b)) * prime
	}
	for shift := 0; shift < 64; shift += 8 {
		h = (h ^ (p.draws >> shift & 0xff)) * prime
	}
	return float64(h>>11) / (1 << 53)
}

func (p *port) isPeer(mac MAC) bool {
	return slices.Contains(p.peers, mac) || slices.Contains(p.askers, mac)
}
func (p *port) isProxy(mac MAC) bool { return slices.Contains(p.proxies, mac) }

// allPeers are the peer's addresses, however it became known.
func (p *port) allPeers() []MAC {
	list := slices.Clone(p.peers)
	for _, mac := range p.askers {
		if !slices.Contains(list, mac) {
			list = append(list, mac)
		}
	}
	return list
}

// maySpeak says that what this station answers is taken for the peer's answer:
// it is the peer's, or nobody has been the peer here yet.
func (p *port) maySpeak(mac MAC) bool {
	return p.isPeer(mac) || len(p.peers)+len(p.askers) == 0
}

func (p *port) addPeer(mac MAC) {
	if mac == (MAC{}) || p.isProxy(mac) {
		return
	}
	p.peers = remember(p.peers, mac, maxPeers)
}

// addAsker remembers who asks our question, or announces our address where
// nobody answers for it, apart from those who answer: a question costs nothing,
// and a hundred of them make nobody else a stranger.
func (p *port) addAsker(mac MAC) {
	if mac != (MAC{}) && !p.isProxy(mac) {
		p.askers = remember(p.askers, mac, maxPeers)
	}
}

func (p *port) addProxy(mac MAC) {
	p.proxies = remember(p.proxies, mac, maxProxies)
	proxy := func(m MAC) bool { return m == mac }
	p.peers = slices.DeleteFunc(p.peers, proxy)
	p.askers = slices.DeleteFunc(p.askers, proxy)
}

// routersOf counts the routers of one family that were heard: a peer that
// serves both has an address in each.
func (p *port) routersOf(f vrrp.Family) int {
	k := 0
	for _, a := range p.routers {
		if a.Is4() == (f == vrrp.IPv4) {
			k++
		}
	}
	return k
}

// remember puts v at the front of a bounded list without repeating it.
func remember[T comparable](list []T, v T, limit int) []T {
	if len(list) > 0 && list[0] == v {
		return list
	}
	list = slices.DeleteFunc(list, func(x T) bool { return x == v })
	list = slices.Insert(list, 0, v)
	return list[:min(len(list), limit)]
}

// ownAddress is the port's address in the subnet of a, VIPs excepted.
func (n *Node) ownAddress(p *port, a netip.Addr) (netip.Addr, bool) {
	for _, prefix := range p.state.Addresses {
		if prefix.Contains(a) && !n.isVIP(prefix.Addr()) {
			return prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// linkLocal is the port's IPv6 link-local address, VIPs excepted.
func (n *Node) linkLocal(p *port) (netip.Addr, bool) {
	for _, prefix := range p.state.Addresses {
		if a := prefix.Addr(); a.Is6() && a.IsLinkLocalUnicast() && !n.isVIP(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// servesOn says that some instance puts the address on that port.
func (n *Node) servesOn(p *port, a netip.Addr) bool {
	return slices.ContainsFunc(n.instances, func(i *instance) bool { return i.serves(p, a) })
}

func (n *Node) isVIP(a netip.Addr) bool {
	return slices.ContainsFunc(n.instances, func(i *instance) bool { return i.hasVIP(a) })
}

func (n *Node) takePorts(e PortsRead) {
	if e.Own != nil {
		n.macs = slices.Clone(e.Own)
	}
	for _, s := range e.Ports {
		p, ok := n.byName[s.Port]
		if !ok {
			continue
		}
		n.readPort(p, s)
	}
}

func (n *Node) readPort(p *port, s PortState) {
	wasUp := p.up()
	wasKnown := p.known
	p.state, p.known = s, true
	switch {
	case p.up() && !wasUp:
		p.upSince, p.heard, p.learned = n.now, false, false
		p.fast, p.nextAsk = fastQuestions, n.now
	case !p.up() && wasUp:
		n.lost(p)
	case !wasKnown && p.down():
		p.lostAt.set(n.now)
	}
}

func (n *Node) takeCarrierLost(e CarrierLost) {
	p, ok := n.byName[e.Port]
	if !ok {
		return
	}
	n.lost(p)
	n.emit(ReadPorts{})
}

// lost records one carrier loss. The kernel batches its notifications for up
// to a second, so a loss reported twice within that time is one loss.
func (n *Node) lost(p *port) {
	const batching = 50 * time.Millisecond
	if p.lostAt.within(n.now, batching) {
		return
	}
	p.lostAt.set(n.now)
	p.losses = slices.DeleteFunc(p.losses, func(at vrrp.Instant) bool { return n.now.Sub(at) > flapWindow })
	p.losses = append(p.losses, n.now)
	if len(p.losses) >= flapLosses || p.flapping(n.now) {
		p.flaps = n.now.Add(flapWindow)
	}
	n.emit(ReadPorts{})
}

func (n *Node) takeNeighbours(e Neighbours) {
	p, ok := n.byName[e.Port]
	if !ok {
		return
	}
	for _, a := range e.Gateways {
		n.addWitness(p, a, rankGateway, MAC{})
	}
	known := make([]netip.Addr, 0, len(e.Known))
	for a := range e.Known {
		known = append(known, a)
	}
	slices.SortFunc(known, netip.Addr.Compare) // map order must not decide anything
	for _, a := range known {
		n.addWitness(p, a, rankNeighbour, e.Known[a])
	}
}
