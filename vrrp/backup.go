package vrrp

import "net/netip"

// inBackup is RFC 9568 §6.4.2: watch the MASTER and bear its silence for a
// master-down interval.
func (m *Machine) inBackup(now Instant, e Event) []Action {
	switch e := e.(type) {
	case Heard:
		m.backupHeard(now, e)
	case Expired:
		return m.backupExpired(now)
	case Ruled:
		return m.backupRuled(now, e)
	case Reprioritized:
		m.backupReprioritized(e.Priority)
	case Reconfigured:
		m.backupReconfigured(now, e.Params)
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

func (m *Machine) backupHeard(now Instant, e Heard) {
	switch {
	case e.Advert.Priority == goodbyePriority:
		m.dismiss(now)
	case m.mustObey(now, e.Advert.Priority):
		m.obey(now, e.Advert, e.From)
	default:
		// Discarded, and the timer runs on: this is how preemption comes about.
		m.lower = mark{at: now, set: true}
	}
}

// dismiss answers a goodbye: the best BACKUP moves first, after its skew. One that
// consults is past that wait already.
func (m *Machine) dismiss(now Instant) {
	if m.timer.kind == consulting {
		return
	}
	m.lower = mark{}
	m.arm(farewell, now.Add(m.Skew()))
}

// mustObey reports whether an advert of that priority, not 0, keeps this router a
// BACKUP. The preemption delay starts with the first lower advert and is forgotten
// when a better MASTER speaks.
func (m *Machine) mustObey(now Instant, priority uint8) bool {
	if priority >= m.priority {
		m.delay = mark{}
		return true
	}
	if !m.params.Preempt && m.priority != ownerPriority {
		return true
	}
	if m.params.PreemptDelay > 0 && !m.delay.set {
		m.delay = mark{at: now.Add(m.params.PreemptDelay), set: true}
	}
	return m.delay.set && now < m.delay.at
}

// obey takes the sender for the MASTER, learns its interval (which counts in version
// 3 only, RFC 9568 §6.4.2) and starts the timer again. A consultation is over.
func (m *Machine) obey(now Instant, a Advert, from netip.Addr) {
	m.leader = leader{addr: plain(from), priority: a.Priority, heard: mark{at: now, set: true}}
	m.learned = a.Interval
	m.lower = mark{}
	m.arm(silence, now.Add(m.MasterDown()))
}

func (m *Machine) backupExpired(now Instant) []Action {
	switch {
	case !m.due(now):
		return nil
	case m.timer.kind == consulting:
		return m.enterMaster(now, m.timer.why.cause())
	}
	return m.claim(now, m.occasion(now))
}

// occasion says what made the timer run out. A lower advert counts for a master-down
// interval, so that a Hold does not make a MASTER that speaks look silent.
func (m *Machine) occasion(now Instant) Why {
	switch {
	case m.timer.kind == farewell && !m.lower.set:
		return WhyGoodbye
	case m.lower.set && now.Sub(m.lower.at) <= m.MasterDown():
		return WhyPreempt
	}
	return WhySilence
}

func (m *Machine) backupRuled(now Instant, e Ruled) []Action {
	switch e.Ruling {
	case TakeOver:
		return m.enterMaster(now, CauseRuling)
	case Hold:
		m.hold(now, e.For)
	case NoRuling, StepDown:
		// Nothing to decide, nothing to step down from.
	}
	return nil
}

// backupReprioritized moves a running timer that contains a skew by the difference of
// the skews, so that tracking changes the order of the BACKUPs and not their patience.
func (m *Machine) backupReprioritized(priority uint8) {
	before := m.Skew()
	m.reweigh(priority)
	if m.timer.kind == silence || m.timer.kind == farewell {
		m.timer.at = m.timer.at.Add(m.Skew() - before)
	}
}

// backupReconfigured keeps a timer whose length did not change, and else waits for a
// full new interval: elapsed time says nothing about an interval it was not counted in.
func (m *Machine) backupReconfigured(now Instant, p Params) {
	before := m.MasterDown()
	m.adopt(p)
	if m.timer.kind == silence && m.MasterDown() != before {
		m.arm(silence, now.Add(m.MasterDown()))
	}
}
