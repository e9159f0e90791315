package vrrp

import (
	"cmp"
	"net/netip"
)

// inMaster is RFC 9568 §6.4.3: speak every interval, and yield to a better MASTER.
func (m *Machine) inMaster(now Instant, e Event) []Action {
	switch e := e.(type) {
	case Heard:
		return m.masterHeard(now, e)
	case Expired:
		return m.masterExpired(now)
	case Ruled:
		return m.masterRuled(now, e)
	case Reprioritized:
		m.reweigh(e.Priority)
	case Reconfigured:
		m.masterReconfigured(now, e.Params)
	case Failed:
		return m.leave(now, Fault, CauseFailed)
	case Stop:
		return m.leave(now, Initialize, CauseStopped)
	case Addressed:
		m.readdress(e.Source)
	case Start, Repaired:
		// Started already, and nothing is broken.
	}
	return nil
}

func (m *Machine) masterHeard(now Instant, e Heard) []Action {
	if e.Advert.Priority == goodbyePriority {
		// Another MASTER leaves: its BACKUPs must hear of us before their skew is over.
		m.arm(advertising, now.Add(m.params.Interval))
		return []Action{Send{Priority: m.priority}}
	}
	switch rank := m.rank(e.Advert.Priority, e.From); {
	case rank > 0:
		actions := m.enterBackup(now, CauseOutranked)
		m.obey(now, e.Advert, e.From)
		return actions
	case rank < 0:
		// Assert ourselves at once, in version 2 too. The timer is left alone, so that
		// the beat which other BACKUPs count on stays what it was.
		return []Action{Send{Priority: m.priority}, Reannounce{}}
	}
	return nil // our own advert, come back
}

// rank compares a sender with ourselves: positive if it is the better MASTER, by
// priority and then by address in network order.
func (m *Machine) rank(priority uint8, from netip.Addr) int {
	return cmp.Or(cmp.Compare(priority, m.priority), plain(from).Compare(m.source))
}

// masterExpired speaks. A beat that comes late does not shift the next one, unless
// that one is due as well: then it is counted from now, since a burst tells nobody
// anything.
func (m *Machine) masterExpired(now Instant) []Action {
	if !m.due(now) {
		return nil
	}
	next := m.timer.at.Add(m.params.Interval)
	if next <= now {
		next = now.Add(m.params.Interval)
	}
	m.arm(advertising, next)
	return []Action{Send{Priority: m.priority}}
}

// masterRuled steps down without a goodbye: the judge says so because another MASTER
// serves, or because nothing of ours gets out, and neither needs to be told.
func (m *Machine) masterRuled(now Instant, e Ruled) []Action {
	if e.Ruling != StepDown {
		return nil
	}
	actions := m.enterBackup(now, CauseRuling)
	m.hold(now, e.For)
	return actions
}

// masterReconfigured keeps the beat, or hastens it: BACKUPs learn of a longer interval
// before they miss an advert of the shorter one.
func (m *Machine) masterReconfigured(now Instant, p Params) {
	m.adopt(p)
	m.arm(advertising, min(m.timer.at, now.Add(p.Interval)))
}
