package node

import (
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// Cause is why an instance cannot serve.
type Cause uint8

// The causes of FAULT. They form a set with a culprit each: leaving one port
// repaired and another broken leaves the instance in FAULT.
const (
	CauseCarrier   Cause = iota + 1 // a serving port has no carrier
	CauseAdminDown                  // a serving port is administratively down
	CauseGone                       // a serving port does not exist
	CauseMutation                   // the kernel does not take the addresses
	CauseGroup                      // another member of the sync group is in FAULT
	CauseHardware                   // a serving port or its card is broken
)

// partialPriority is what half a service is worth: less than any whole one.
const partialPriority = 1

// String is a stable word for logs and status.
func (c Cause) String() string {
	switch c {
	case CauseCarrier:
		return "no-carrier"
	case CauseAdminDown:
		return "admin-down"
	case CauseGone:
		return "gone"
	case CauseMutation:
		return "mutation"
	case CauseGroup:
		return "group"
	case CauseHardware:
		return "hardware"
	}
	return "unknown"
}

// portFault is the cause a serving port gives, if any. A port never read gives
// none: unknown is no fault.
func (p *port) fault() (Fault, bool) {
	f := Fault{Port: p.name, Culprit: p.culprit()}
	switch p.link() {
	case verdict.LinkGone:
		f.Cause = CauseGone
	case verdict.LinkAdminDown:
		f.Cause = CauseAdminDown
	case verdict.LinkBroken:
		f.Cause = CauseHardware
	case verdict.LinkDown:
		f.Cause = CauseCarrier
	case verdict.LinkUnknown, verdict.LinkUp:
		return f, false
	}
	return f, true
}

// settleFaults re-reads the set of causes and moves the machine when it became
// empty or ceased to be.
func (n *Node) settleFaults(i *instance) {
	n.readSource(i)
	n.weigh(i)
	faults := n.faultsOf(i)
	changed := !slices.Equal(faults, i.faults)
	if changed {
		n.sayFaults(i, faults)
	}
	i.faults = faults
	if !i.running {
		return
	}
	state := i.state()
	switch {
	case len(faults) > 0 && !i.partial:
		i.verdict = n.faultVerdict(i)
		i.reason = faults[0].Culprit
		n.drive(i, vrrp.Failed{}) // in FAULT already: nothing new
	case len(faults) == 0 && state == vrrp.Fault:
		i.verdict = verdict.Verdict{}
		n.drive(i, vrrp.Repaired{})
	case len(faults) == 0 && i.partial:
		n.endPartial(i, "every port that serves is in service again")
	case i.partial && !n.mayBePartial(i):
		n.endPartial(i, "no port is left to serve on")
	case i.partial && state == vrrp.Backup:
		n.endPartial(i, "another MASTER serves")
	case i.partial && changed:
		n.install(i) // on the ports that work now
	}
}

func (n *Node) faultsOf(i *instance) []Fault {
	var faults []Fault
	for _, s := range i.serving {
		if f, ok := s.port.fault(); ok {
			faults = append(faults, f)
		}
	}
	if i.kernel.failed.ok {
		faults = append(faults, Fault{Cause: CauseMutation, Culprit: "the kernel did not take the addresses: " + i.kernel.why})
	}
	if i.group != nil && i.group.faulty && len(faults) == 0 {
		faults = append(faults, Fault{Cause: CauseGroup, Culprit: "group " + i.group.cfg.Name + ": another member is in FAULT"})
	}
	return faults
}

func (n *Node) sayFaults(i *instance, faults []Fault) {
	for _, f := range faults {
		if !slices.Contains(i.faults, f) {
			n.note(i, Warning, "cannot serve: "+f.Culprit)
		}
	}
	for _, f := range i.faults {
		if !slices.Contains(faults, f) {
			n.note(i, Info, "no longer a hindrance: "+f.Culprit)
		}
	}
}

// faultVerdict names a fault of one's own: isolated where nothing is left to
// serve on.
func (n *Node) faultVerdict(i *instance) verdict.Verdict {
	r := verdict.Readings{Doubting: true, Heartbeat: i.heart.link()}
	for _, s := range i.serving {
		r.Ports = append(r.Ports, verdict.PortReading{Link: s.port.link()})
	}
	return verdict.Fail(verdict.Evidence{Serving: verdict.Observe(r, verdict.Thresholds{}).Serving, Heartbeat: r.Heartbeat})
}

// mayBePartial says that the only causes are serving ports, and not all of
// them: others could still be served.
func (n *Node) mayBePartial(i *instance) bool {
	up := 0
	for _, s := range i.serving {
		if s.vips > 0 && s.port.up() {
			up++
		}
	}
	ports := !slices.ContainsFunc(i.faults, func(f Fault) bool { return f.Cause == CauseMutation || f.Cause == CauseGroup })
	return up > 0 && ports
}

// settlePartial watches, in FAULT, the ports that still work: when nobody has
// answered there for a master-down interval while a witness does, half a
// service is better than none. One dead access switch must not take both
// routers off every other segment.
func (n *Node) settlePartial(i *instance) {
	if !n.mayBePartial(i) {
		i.quiet = stamp{}
		return
	}
	q := n.inquire(i)
	if n.now >= i.doubt.next {
		i.doubt.next = n.now.Add(i.cadence())
		n.startBurst(q, i)
	}
	if q.burst == nil || !q.burst.done {
		return
	}
	if !n.unserved(q.burst) || i.obeyed.within(n.now, i.window()) {
		i.quiet = stamp{}
		return
	}
	if !i.quiet.ok {
		i.quiet = stamp{at: q.burst.began, ok: true}
	}
	if !n.halfIsDue(i) || n.stuck() || n.hindered(i) {
		return
	}
	n.beginPartial(i)
	if i.group == nil {
		return
	}
	for _, j := range i.group.members { // together, or the group would take this one back
		if n.halfIsDue(j) {
			n.beginPartial(j)
		}
	}
}

// halfIsDue says that an instance in FAULT has ports left on which nobody has
// answered for long enough.
func (n *Node) halfIsDue(i *instance) bool {
	return i.state() == vrrp.Fault && n.mayBePartial(i) && i.quiet.ok && n.now.Sub(i.quiet.at) >= i.halfWait()
}

// halfWait is how long nobody may answer before half a service begins: the master-down
// interval of its priority, which is the longest there is, and what a better router's
// ruling may take. Half a service that answers first would hold him back for as long as the
// cable is cut.
func (i *instance) halfWait() time.Duration {
	return i.masterDown() - i.skew() + i.interval() + patience(i.cfg)
}

// hindered says that the group would take this member back into FAULT at once:
// another one has a fault of its own that cannot be waived now, or is served by
// the peer.
func (n *Node) hindered(i *instance) bool {
	return i.group != nil && slices.ContainsFunc(i.group.members, func(j *instance) bool {
		own := slices.ContainsFunc(j.faults, func(f Fault) bool { return f.Cause != CauseGroup })
		lost := own && !j.partial && !n.halfIsDue(j)
		served := j.obeyed.within(n.now, 3*j.interval()) // at the priority of half a service, the window is wider than it is now
		return j != i && (lost || served)
	})
}

// unserved says that nobody answered on any port and a witness did on one.
func (n *Node) unserved(b *burst) bool {
	witness := false
	for _, a := range b.asks {
		if r := a.reply(); r == verdict.ReplyPeer || r == verdict.ReplyStranger {
			return false
		}
		witness = witness || a.witnessAny
	}
	return witness
}

func (n *Node) beginPartial(i *instance) {
	i.partial = true
	i.quiet = stamp{}
	n.note(i, Alarm, "partial service at priority 1: "+i.faults[0].Culprit+", and nobody answers on the other ports")
	n.weigh(i)
	n.drive(i, vrrp.Repaired{})
	i.reason = "partial: nobody answers on the ports that still work"
	n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
}

// weigh sets the effective priority: half a service, and a group with a member
// that offers no more, is worth less than any whole one.
func (n *Node) weigh(i *instance) {
	want := i.cfg.VRRP.Priority
	if i.partial || i.group != nil && i.group.partial {
		want = partialPriority
	}
	if i.machine.Status().Priority != want {
		n.drive(i, vrrp.Reprioritized{Priority: want})
	}
}

func (n *Node) endPartial(i *instance, why string) {
	i.partial, n.moved = false, true
	n.note(i, Info, "partial service ends: "+why)
	n.weigh(i)
	if i.state() == vrrp.Master && len(i.faults) == 0 {
		n.install(i) // the ports left out so far
	}
}
