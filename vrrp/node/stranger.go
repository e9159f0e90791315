package node

import (
	"fmt"
	"net/netip"
	"slices"
)

// meet makes a peer of a stranger that serves on two ports at once: a printer with a
// wrong address has one, a router that was never met, because it was always BACKUP,
// has them all. Who answers beside a MASTER that is heard stays what he is.
func (n *Node) meet(p *port, vip netip.Addr, mac MAC, fresh bool) {
	if fresh || p.isProxy(mac) {
		p.newcomer = newcomer{}
		return
	}
	p.newcomer = newcomer{mac: mac, vip: vip, at: n.now}
	for _, q := range n.ports {
		if c := q.newcomer; q != p && c.mac != (MAC{}) && n.now.Sub(c.at) <= answerWindow && n.servedTogether(p, vip, q, c.vip) {
			p.addPeer(mac)
			q.addPeer(c.mac)
		}
	}
}

// servedTogether says that one instance, or one group, serves both addresses.
func (n *Node) servedTogether(p *port, a netip.Addr, q *port, b netip.Addr) bool {
	for _, i := range n.instances {
		if !i.serves(p, a) {
			continue
		}
		for _, j := range n.instances {
			if j.serves(q, b) && (j == i || j.group != nil && j.group == i.group) {
				return true
			}
		}
	}
	return false
}

// noteStranger tells once of a station that claims a VIP and is nobody's peer.
func (n *Node) noteStranger(p *port, vip netip.Addr, mac MAC) {
	if slices.Contains(p.strangers, mac) {
		return
	}
	p.strangers = remember(p.strangers, mac, maxStrangers)
	n.note(nil, Alarm, fmt.Sprintf("%s: a stranger (%v) answers for the virtual address %v", p.name, mac, vip))
	n.askControl(p) // is it one that answers for everything?
}
