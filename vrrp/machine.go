package vrrp

import (
	"net/netip"
	"time"
)

// State of a [Machine]; the zero value is Initialize.
type State uint8

// The states. RFC 9568 calls MASTER Active; FAULT is its Initialize while the
// router is configured but cannot do the job.
const (
	Initialize State = iota
	Backup
	Master
	Fault
)

// String returns the word that operators know: INIT, BACKUP, MASTER or FAULT.
func (s State) String() string {
	switch s {
	case Initialize:
		return "INIT"
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	}
	return "UNKNOWN"
}

// Status is what can be seen of a [Machine] from outside.
type Status struct {
	State State
	// Priority is the effective one.
	Priority uint8
	// Since is when State was entered, the zero instant before the first transition.
	Since Instant
	// Heard says whether any advert was ever obeyed. Master, MasterPriority and
	// LastHeard are its sender, its priority and when it was heard.
	Heard          bool
	Master         netip.Addr
	MasterPriority uint8
	LastHeard      Instant
	// MasterInterval is the advert interval of the MASTER: our own in version 2, as
	// MASTER, and until one was learned. Skew and MasterDown follow from it.
	MasterInterval time.Duration
	Skew           time.Duration
	MasterDown     time.Duration
	// Consulting says that a Consult has not been answered yet.
	Consulting bool
}

// Machine is the state of one virtual router. Make it with [New].
type Machine struct {
	params   Params
	state    State
	since    Instant
	priority uint8      // effective
	source   netip.Addr // own primary address, unspecified if unknown
	timer    timer

	leader  leader
	learned time.Duration // interval of the MASTER that a BACKUP obeys; 0: not known
	lower   mark          // last lower advert that this BACKUP did not obey
	delay   mark          // end of the preemption delay
}

// leader is the sender of the last advert that was obeyed.
type leader struct {
	addr     netip.Addr
	priority uint8
	heard    mark
}

// mark is a moment that may not have come.
type mark struct {
	at  Instant
	set bool
}

// timer is the one deadline of a machine and what it is for.
type timer struct {
	at   Instant
	kind timing
	why  Why // what is asked while consulting
}

// timing is what a timer is for.
type timing uint8

const (
	idle        timing = iota // no deadline
	silence                   // master-down interval of a BACKUP
	farewell                  // skew of a BACKUP after a goodbye
	held                      // wait of a BACKUP given by a ruling
	consulting                // a ruling is awaited
	advertising               // next advert of a MASTER
)

// New returns a machine in INITIALIZE. p must have passed [Params.Validate].
func New(p Params) *Machine {
	return &Machine{params: p, priority: p.Priority, source: p.Family.unspecified()}
}

// Step tells the machine one event at the moment now and returns what is to be
// done, in order. An event that makes no sense in the present state returns nothing
// and changes nothing.
func (m *Machine) Step(now Instant, e Event) []Action {
	switch m.state {
	case Initialize:
		return m.inInitialize(now, e)
	case Backup:
		return m.inBackup(now, e)
	case Master:
		return m.inMaster(now, e)
	case Fault:
		return m.inFault(now, e)
	}
	return nil
}

// Deadline returns when the machine next wants [Expired]; false if never. It may lie
// in the past: then it is due.
func (m *Machine) Deadline() (Instant, bool) {
	return m.timer.at, m.timer.kind != idle
}

// Status returns what can be seen from outside.
func (m *Machine) Status() Status {
	return Status{
		State:          m.state,
		Priority:       m.priority,
		Since:          m.since,
		Heard:          m.leader.heard.set,
		Master:         m.leader.addr,
		MasterPriority: m.leader.priority,
		LastHeard:      m.leader.heard.at,
		MasterInterval: m.MasterInterval(),
		Skew:           m.Skew(),
		MasterDown:     m.MasterDown(),
		Consulting:     m.timer.kind == consulting,
	}
}

// enter moves to another state and forgets what belonged to the old one.
func (m *Machine) enter(now Instant, to State, cause Cause) Enter {
	from := m.state
	m.state, m.since = to, now
	m.timer = timer{}
	m.learned, m.lower, m.delay = 0, mark{}, mark{}
	return Enter{From: from, To: to, Cause: cause}
}

// leave leaves the protocol for FAULT or INITIALIZE; a MASTER says goodbye first, so
// that the peer need not wait for the silence.
func (m *Machine) leave(now Instant, to State, cause Cause) []Action {
	if m.state == Master {
		return []Action{Send{Priority: goodbyePriority}, m.enter(now, to, cause)}
	}
	return []Action{m.enter(now, to, cause)}
}

// enterBackup becomes BACKUP and bears silence for a full master-down interval.
func (m *Machine) enterBackup(now Instant, cause Cause) []Action {
	entered := m.enter(now, Backup, cause)
	m.arm(silence, now.Add(m.MasterDown()))
	return []Action{entered}
}

// enterMaster becomes MASTER. The advert goes out before the addresses are served,
// so that a MASTER that lives hears of it first.
func (m *Machine) enterMaster(now Instant, cause Cause) []Action {
	entered := m.enter(now, Master, cause)
	m.arm(advertising, now.Add(m.params.Interval))
	return []Action{Send{Priority: m.priority}, entered}
}

// claim is called when the RFC says that this router becomes MASTER: it asks the
// judge first, if there is one.
func (m *Machine) claim(now Instant, why Why) []Action {
	if m.params.Patience == 0 {
		return m.enterMaster(now, why.cause())
	}
	until := now.Add(m.params.Patience)
	m.timer = timer{at: until, kind: consulting, why: why}
	return []Action{Consult{Why: why, Until: until}}
}

// hold waits as a ruling says: for d, or one master-down interval if d is not positive.
func (m *Machine) hold(now Instant, d time.Duration) {
	if d > 0 {
		m.arm(held, now.Add(d))
		return
	}
	m.arm(silence, now.Add(m.MasterDown()))
}

// due reports whether the timer has run out.
func (m *Machine) due(now Instant) bool {
	return m.timer.kind != idle && now >= m.timer.at
}

func (m *Machine) arm(kind timing, at Instant) { m.timer = timer{at: at, kind: kind} }

// reweigh sets the effective priority. Only the owner of the addresses may say 255,
// and 0 would be a goodbye.
func (m *Machine) reweigh(priority uint8) {
	if priority == goodbyePriority {
		return
	}
	if priority == ownerPriority && m.params.Priority != ownerPriority {
		priority = ownerPriority - 1
	}
	m.priority = priority
}

// adopt replaces the settings. An effective priority that differs from the configured
// one, because a tracked thing failed, survives a reload that is about something else.
func (m *Machine) adopt(p Params) {
	if p.Priority != m.params.Priority {
		m.priority = p.Priority
	}
	m.params = p
}

// readdress sets the own primary address in the form in which senders are compared. No
// address is the unspecified one, which is what adverts then come from and is lower than
// any other.
func (m *Machine) readdress(a netip.Addr) {
	m.source = plain(a)
	if !a.IsValid() {
		m.source = m.params.Family.unspecified()
	}
}

// plain removes what does not belong to an address on the wire.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// State is that of [Machine.Status], for those who ask often.
func (m *Machine) State() State { return m.state }

// MasterInterval is that of [Machine.Status]: skew and master-down interval count in it.
func (m *Machine) MasterInterval() time.Duration {
	if m.params.Version == V2 || m.learned == 0 {
		return m.params.Interval
	}
	return m.learned
}

// Skew is that of [Machine.Status].
func (m *Machine) Skew() time.Duration {
	return skew(m.params.Version, m.priority, m.MasterInterval())
}

// MasterDown is that of [Machine.Status].
func (m *Machine) MasterDown() time.Duration {
	return masterDown(&m.params, m.priority, m.MasterInterval())
}
