package vrrp

// inInitialize is RFC 9568 §6.4.1: nothing happens until Start. The owner of the
// addresses may be consulting, since it would be MASTER at once; that is the only
// timer of this state.
func (m *Machine) inInitialize(now Instant, e Event) []Action {
	switch e := e.(type) {
	case Start:
		m.readdress(e.Source)
		return m.start(now)
	case Expired:
		if m.due(now) {
			return m.enterMaster(now, CauseOwner)
		}
	case Ruled:
		return m.initializeRuled(now, e)
	case Reprioritized:
		m.reweigh(e.Priority)
		return m.disown(now)
	case Reconfigured:
		m.adopt(e.Params)
		return m.disown(now)
	case Failed:
		return m.leave(now, Fault, CauseFailed)
	case Addressed:
		m.readdress(e.Source)
	case Stop:
		m.timer = timer{}
	case Heard, Repaired:
		// Not taking part: an advert is not for us and there is nothing to repair.
	}
	return nil
}

// start begins the election. Only the owner may skip the wait for others.
func (m *Machine) start(now Instant) []Action {
	switch {
	case m.timer.kind == consulting:
		return nil // started already
	case m.priority == ownerPriority:
		return m.claim(now, WhyOwner)
	}
	return m.enterBackup(now, CauseStarted)
}

// initializeRuled answers an owner that asked. If somebody else serves its addresses
// it becomes a BACKUP, a deviation from the RFC that prevents two who serve.
func (m *Machine) initializeRuled(now Instant, e Ruled) []Action {
	if m.timer.kind != consulting {
		return nil
	}
	switch e.Ruling {
	case TakeOver:
		return m.enterMaster(now, CauseRuling)
	case Hold:
		actions := m.enterBackup(now, CauseRuling)
		m.hold(now, e.For)
		return actions
	case NoRuling, StepDown:
		// Nothing to decide, nothing to step down from.
	}
	return nil
}

// disown gives up the owner's privilege if the priority was changed while it was
// consulting: from here it is an ordinary start.
func (m *Machine) disown(now Instant) []Action {
	if m.timer.kind != consulting || m.priority == ownerPriority {
		return nil
	}
	return m.enterBackup(now, CauseStarted)
}
