// Package node is the brain of one router: it holds the protocol machines of
// all instances, watches the ports they live on, asks the segments who serves,
// and decides when a silence is a death, when a dark port is only a dark port,
// and when to let go.
//
// It is pure. The caller tells it what happened and when, performs the actions
// it returns in their order, and wakes it at its deadline:
//
//	actions := n.Step(now, event)
//	at, ok := n.Deadline()
//
// The same events at the same instants give the same actions, always, so that
// what is simulated is what ships. Nothing is latched: every step re-reads the
// whole state and re-judges it, and an event only changes what there is to
// read. A doubt, a fault or a verdict exists for as long as its cause does.
//
// The rules are those of package verdict; what is decided here is when to
// doubt, what to ask, what counts as calibrated, when a lease is renewed and
// when to yield.
//
// # Where to find what
//
// config.go, event.go, action.go and status.go are all that the outside sees.
// Step, in this file, takes an event and then settles everything there is:
//
//   - instance.go: one virtual router, its machine, and the adverts it hears
//   - port.go: one interface, what was read of it, and whether its carrier counts
//   - calibrate.go: what is asked in peacetime, so that a silence counts later
//   - ask.go: how one question is put and paid for, and whose answer an answer is
//   - stranger.go: who answers for a VIP and was never met
//   - inquiry.go: bursts, a few rounds of questions on all serving ports together
//   - backup.go: doubt, readings for the judge, and his verdict as a ruling
//   - master.go: another who serves as well, and giving way to him
//   - fault.go: causes of FAULT as a set, and serving only some ports
//   - kernel.go: installing, leases, and a kernel that is stuck or refuses
//   - storage.go: resigning because of this router's own storage
//   - group.go: sync groups
//   - reload.go: building all of this from a configuration, the first or another
//   - report.go: deadlines, status, and words for the operator
//
// The tests tell stories in a small world (pair_test.go): the crossover cable
// (story_test.go), single rules (rules_test.go), awkward cases by theme (the
// other files), and seeded faults on a clean network (storm_test.go) and on a
// bad one (gale_test.go).
package node

import (
	"cmp"
	"slices"
	"time"

	"standfast/vrrp"
)

// passes bounds how often one step looks at everything again because a state
// changed under it: a member moves its group, the group moves its members.
const passes = 4

// grain is the shortest time to the next deadline. What was due has been looked
// at in this step; looking again in the same moment would change nothing.
const grain = time.Millisecond

// Node is the brain of one router. It is not safe for concurrent use.
type Node struct {
	now vrrp.Instant
	out []Action

	instances []*instance // in the configuration's order
	byKey     map[Key]*instance
	ports     []*port // sorted by name, so that every walk is deterministic
	byName    map[Port]*port
	groups    []*group
	macs      []MAC // of every port of the host
	inquiries []*inquiry
	unclaimed uint64 // adverts for no instance of ours
	storage   storage

	due    vrrp.Instant // what Deadline promised after the last step
	hasDue bool
	// overslept is when it was last woken so late that what is heard next may be old.
	overslept stamp
	moved     bool // an instance changed its state in this pass
	stopping  bool
}

// New returns the brain for a configuration that has been validated. Nothing
// happens before the first Step; until a PortsRead names a port, the port is
// unknown, and unknown is no fault. The clock must have begun: what never was
// stands at zero, and no moment may be before that.
func New(now vrrp.Instant, c Config) *Node {
	n := &Node{now: now, byKey: map[Key]*instance{}, byName: map[Port]*port{}}
	n.configure(c)
	n.due, n.hasDue = n.nextDeadline()
	return n
}

// Step tells the brain of one event and returns what to do about it, in order.
// An instant before the last one is taken for the last one.
func (n *Node) Step(now vrrp.Instant, e Event) []Action {
	n.now = max(now, n.now)
	n.out = nil
	if !n.stopping {
		n.noticeLateness()
	}
	n.take(e)
	if !n.stopping {
		n.settle()
	}
	n.due, n.hasDue = n.nextDeadline()
	return n.out
}

// Deadline is when the brain wants to be woken with Expired, if at all.
func (n *Node) Deadline() (vrrp.Instant, bool) { return n.due, n.hasDue }

func (n *Node) take(e Event) {
	switch e := e.(type) {
	case Expired:
	case Frame:
		n.takeFrame(e)
	case Heard:
		n.takeHeard(e)
	case PortsRead:
		n.takePorts(e)
	case CarrierLost:
		n.takeCarrierLost(e)
	case Neighbours:
		n.takeNeighbours(e)
	case StorageRead:
		n.takeStorage(e)
	case Installed:
		n.takeInstalled(e)
	case Withdrawn:
		n.takeWithdrawn(e)
	case Renewed:
		n.takeRenewed(e)
	case Deleted:
		n.takeDeleted(e)
	case Reload:
		n.takeReload(e)
	case Stop:
		n.takeStop()
	}
}

// settle looks at everything there is, whatever the event was.
func (n *Node) settle() {
	for range passes {
		n.moved = false
		for _, q := range n.inquiries {
			n.advance(q)
		}
		for _, i := range n.instances {
			n.settleInstance(i)
		}
		for _, g := range n.groups {
			n.settleGroup(g)
		}
		if !n.moved {
			break
		}
	}
	n.settleFence()
	for _, p := range n.ports {
		n.calibrate(p)
	}
}

func (n *Node) settleInstance(i *instance) {
	n.settleFaults(i)
	if !n.started(i) {
		return
	}
	judging := i.state() == vrrp.Backup && i.consult != nil // settleBackup rules in time
	if at, ok := i.machine.Deadline(); ok && at <= n.now && !judging {
		n.drive(i, vrrp.Expired{})
	}
	switch i.state() {
	case vrrp.Initialize:
		n.settleOwner(i)
	case vrrp.Backup:
		n.settleBackup(i)
	case vrrp.Master:
		n.settleMaster(i)
	case vrrp.Fault:
		n.settlePartial(i)
	}
	n.settleKernel(i)
}

// noticeLateness compares the clock with the promise of the last step. Woken
// late, the router first suspects itself: what it did not hear while it slept
// is no silence.
func (n *Node) noticeLateness() {
	if !n.hasDue || n.now <= n.due {
		return
	}
	late := n.now.Sub(n.due)
	if late > answerWindow {
		n.overslept.set(n.now)
	}
	for _, i := range n.instances {
		n.late(i, late)
	}
}

func (n *Node) late(i *instance, late time.Duration) {
	if late > i.doubt.late {
		i.doubt.late = late
		i.doubt.lateAt = n.now
	}
	if i.state() != vrrp.Master {
		return
	}
	switch {
	case late > i.masterDown():
		n.note(i, Alarm, "woke "+late.Round(time.Millisecond).String()+" late: addresses off, listening before speaking")
		i.reason = "own loop was late by more than the master-down interval"
		n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown})
	case late > i.interval()*3/2:
		n.note(i, Warning, "woke "+late.Round(time.Millisecond).String()+" late: asking who serves, announcing again")
		i.mastery.unsureUntil = n.now.Add(i.masterDown())
		i.mastery.nextAsk = n.now
		n.announce(i, i.cfg.Announce.Repeat)
	}
}

func (n *Node) emit(a Action) { n.out = append(n.out, a) }

// nextDeadline is the earliest moment at which anything has to be looked at.
func (n *Node) nextDeadline() (vrrp.Instant, bool) {
	var d deadline
	if n.stopping {
		return d.at, d.ok
	}
	for _, i := range n.instances {
		n.instanceDeadlines(i, &d)
	}
	for _, q := range n.inquiries {
		if b := q.burst; b != nil && !b.done {
			d.want(b.next)
		}
	}
	for _, p := range n.ports {
		p.deadlines(n.now, &d)
	}
	n.fenceDeadline(&d)
	return max(d.at, n.now.Add(grain)), d.ok
}

// deadline collects the earliest of several moments.
type deadline struct {
	at vrrp.Instant
	ok bool
}

func (d *deadline) want(at vrrp.Instant) {
	if !d.ok || at < d.at {
		d.at, d.ok = at, true
	}
}

func (n *Node) port(name Port) *port {
	if p := n.byName[name]; p != nil {
		return p
	}
	p := newPort(name)
	n.byName[name] = p
	at, _ := slices.BinarySearchFunc(n.ports, name, func(p *port, name Port) int { return cmp.Compare(p.name, name) })
	n.ports = slices.Insert(n.ports, at, p)
	return p
}

// own says whether a hardware address is one of this router's.
func (n *Node) own(mac MAC) bool {
	return mac != MAC{} && (slices.Contains(n.macs, mac) ||
		slices.ContainsFunc(n.ports, func(p *port) bool { return p.state.MAC == mac }))
}
