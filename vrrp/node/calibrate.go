package node

import (
	"net/netip"

	"standfast/vrrp"
)

// The questions of a calibration, in turn. The control comes first: who answers
// it is a proxy, and what a proxy says about the VIP must not be learnt.
const (
	turnControl = iota
	turnVIPBroadcast
	turnVIPUnicast
	turnWitnessBroadcast
	turnWitnessUnicast
	turns
)

// calibrate asks in peacetime what will be asked in doubt, so that a silence
// counts: one question per port every five seconds, and a few quick ones after
// the port came up.
func (n *Node) calibrate(p *port) {
	if !p.serving || !p.up() || n.now < p.nextAsk {
		return
	}
	if n.asking(p) {
		p.nextAsk = n.now.Add(calibrateFast)
		return
	}
	pause := calibrateEvery
	for range turns {
		turn := p.turn % turns
		p.turn++
		if n.calibrationQuestion(p, turn) {
			if p.fast > 0 {
				p.fast--
				pause = calibrateFast
			}
			break
		}
	}
	p.nextAsk = n.now.Add(pause)
}

func (n *Node) calibrationQuestion(p *port, turn int) bool {
	v := n.calibrationVIP(p)
	switch turn {
	case turnControl:
		return n.askControl(p)
	case turnVIPBroadcast, turnVIPUnicast:
		if v == nil {
			return false
		}
		n.countMiss(p, v)
		f := broadcast
		if turn == turnVIPUnicast {
			f = unicast
		}
		return n.question(p, v, f, false)
	case turnWitnessBroadcast:
		return n.askWitness(p, broadcast)
	default:
		return n.askWitness(p, unicast)
	}
}

// calibrationVIP is the VIP on this port whose answers are oldest, of those
// whose peer is heard and answers for it now.
func (n *Node) calibrationVIP(p *port) *target {
	var best *target
	for _, i := range n.instances {
		if !i.peerFresh(n.now) || i.doubt.on {
			continue
		}
		for _, v := range i.cfg.VIPs {
			if v.Port != p.name {
				continue
			}
			t := p.target(v.Prefix.Addr())
			if best == nil || older(t, best) {
				best = t
			}
		}
	}
	return best
}

// older prefers the VIP that was asked longest ago, but lets both forms of one
// VIP be asked before the next: a calibration is a pair.
func older(t, than *target) bool {
	half := func(t *target) bool { return t.answered[broadcast].ok != t.answered[unicast].ok }
	if half(t) != half(than) {
		return half(t)
	}
	return !t.lastAsk.ok && than.lastAsk.ok || t.lastAsk.at < than.lastAsk.at
}

// countMiss looks whether the last question for the VIP was answered. Silence
// while the peer's adverts are fresh is blindness: worth nothing in doubt.
func (n *Node) countMiss(p *port, t *target) {
	if !t.lastAsk.ok {
		return
	}
	last := t.answered[broadcast]
	if u := t.answered[unicast]; u.ok && (!last.ok || u.at > last.at) {
		last = u
	}
	if last.ok && last.at >= t.lastAsk.at {
		p.misses = 0
		return
	}
	p.misses++
	if p.misses != blindMisses {
		return
	}
	p.blind = true
	t.answered = [forms]stamp{}
	n.note(nil, Warning, string(p.name)+" is blind: the virtual address is silent there while the peer advertises; its silence will prove nothing")
}

// askControl asks for an address that nobody but us may own: our own in the
// VIP's subnet, else the subnet's network address. Whoever answers is a proxy.
func (n *Node) askControl(p *port) bool {
	a, ok := n.controlAddress(p)
	if !ok {
		return false
	}
	return n.put(p, p.target(a), MAC{}, netip.IPv4Unspecified(), false)
}

func (n *Node) controlAddress(p *port) (netip.Addr, bool) {
	for _, i := range n.instances {
		for _, v := range i.cfg.VIPs {
			if v.Port != p.name || !v.Prefix.Addr().Is4() || v.Prefix.Bits() > 30 {
				continue
			}
			if own, ok := n.ownAddress(p, v.Prefix.Addr()); ok {
				return own, true
			}
			return v.Prefix.Masked().Addr(), true
		}
	}
	return netip.Addr{}, false
}

func (n *Node) isControl(p *port, a netip.Addr) bool {
	c, ok := n.controlAddress(p)
	return ok && c == a
}

// askWitness asks the candidates in turn, so that one that went silent is
// noticed before it is needed.
func (n *Node) askWitness(p *port, f form) bool {
	const asked = 3 // of the candidates, the best few; the rest are reserves
	v6 := n.asksIPv6(p)
	list := p.bestWitnesses(v6, f, n.now, asked)
	var best *target
	for _, t := range list {
		if best == nil || !t.lastAsk.ok && best.lastAsk.ok || t.lastAsk.at < best.lastAsk.at {
			best = t
		}
	}
	if best == nil {
		return false
	}
	return n.question(p, best, f, false)
}

// asksIPv6 alternates families where a port serves both.
func (n *Node) asksIPv6(p *port) bool {
	var v4, v6 bool
	for _, i := range n.instances {
		for _, v := range i.cfg.VIPs {
			if v.Port == p.name {
				v4 = v4 || v.Prefix.Addr().Is4()
				v6 = v6 || v.Prefix.Addr().Is6()
			}
		}
	}
	if v4 && v6 {
		return p.turn/turns%2 == 1
	}
	return v6
}

func (p *port) deadlines(now vrrp.Instant, d *deadline) {
	if p.serving && p.up() {
		d.want(max(p.nextAsk, now))
	}
}
