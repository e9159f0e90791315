package segment

import (
	"net/netip"
	"time"
)

const (
	silence       = time.Second // of a neighbour that is being sent to, after which the host asks for it again
	locktime      = time.Second // in which a mere answer does not move an address: of two who answer, the first has it (as in Linux)
	maxNeighbours = 256
	maxWaiting    = 16 // packets that wait for a neighbour's address
)

// neighbours is the ARP cache of a host. It is not safe for concurrent use.
type neighbours map[netip.Addr]*neighbour

// neighbour is one address that the host has sent to.
type neighbour struct {
	mac     MAC
	known   bool
	moved   time.Duration // when mac was learned or confirmed by ARP
	heard   time.Duration // when it was last heard
	asked   time.Duration
	waiting []ipv4
}

// send says what is to be done with a packet: sent to the neighbour, if found is true; and whether the neighbour is to be asked for,
// because it is not known or has been silent. A packet for an unknown neighbour waits.
func (t neighbours) send(now time.Duration, hop netip.Addr, p ipv4) (to MAC, found, ask bool) {
	n := t[hop]
	if n == nil {
		if len(t) >= maxNeighbours {
			return MAC{}, false, false
		}
		n = &neighbour{heard: now - silence, asked: now - silence}
		t[hop] = n
	}
	if now-max(n.heard, n.asked) >= silence {
		n.asked, ask = now, true
	}
	if !n.known && len(n.waiting) < maxWaiting {
		n.waiting = append(n.waiting, p)
	}
	return n.mac, n.known, ask
}

// learn applies an ARP message, as Linux does: an answer or a question to the host itself teaches it where a neighbour is; a
// gratuitous one only moves a neighbour that it knows, or has asked for. It returns the packets that have waited for that.
func (t neighbours) learn(now time.Duration, m arp, host netip.Addr) []ipv4 {
	n := t[m.sender]
	if n == nil || m.target != host && !m.gratuitous() {
		return nil
	}
	if n.known && n.mac != m.mac && !m.gratuitous() && now-n.moved < locktime {
		return nil
	}
	n.mac, n.known, n.moved, n.heard = m.mac, true, now, now
	waiting := n.waiting
	n.waiting = nil
	return waiting
}

// confirm notes that a packet came from a station: whoever of the neighbours is there is alive.
func (t neighbours) confirm(now time.Duration, mac MAC) {
	for _, n := range t {
		if n.known && n.mac == mac {
			n.heard = now
		}
	}
}
