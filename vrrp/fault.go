package vrrp

// inFault waits for repair. Nothing is sent and no advert is obeyed, but what is
// learned about ourselves is kept for the way out, which is always through BACKUP:
// even the owner listens first, since somebody else has served meanwhile.
func (m *Machine) inFault(now Instant, e Event) []Action {
	switch e := e.(type) {
	case Repaired:
		return m.enterBackup(now, CauseRepaired)
	case Stop:
		return m.leave(now, Initialize, CauseStopped)
	case Start:
		m.readdress(e.Source)
	case Addressed:
		m.readdress(e.Source)
	case Reprioritized:
		m.reweigh(e.Priority)
	case Reconfigured:
		m.adopt(e.Params)
	case Heard, Expired, Ruled, Failed:
		// No part in the election, no timer, and no worse than before.
	}
	return nil
}
