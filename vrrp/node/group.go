package node

import (
	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// group is one sync group: one verdict for all of its members.
type group struct {
	cfg     Group
	members []*instance
	state   vrrp.State
	faulty  bool // some member has a fault of its own, which is not waived
	partial bool // some member serves only some of its ports
}

// settleGroup moves the members together: a fault of one is a fault of all,
// one that steps down takes the others along, and one that took over does too.
func (n *Node) settleGroup(g *group) {
	if g.assess() {
		n.moved = true
		return // the members follow first
	}
	for _, i := range g.members {
		if !i.running {
			return
		}
	}
	n.alignGroup(g)
	n.sayGroup(g)
}

// assess looks at the members' own faults, and says whether that changed
// anything for the group.
func (g *group) assess() bool {
	faulty, partial := false, false
	for _, i := range g.members {
		partial = partial || i.partial
		for _, f := range i.faults {
			faulty = faulty || f.Cause != CauseGroup && !i.partial
		}
	}
	changed := faulty != g.faulty || partial != g.partial
	g.faulty, g.partial = faulty, partial
	return changed
}

// alignGroup lets the last member that moved lead: the one whose state differs
// from the group's.
func (n *Node) alignGroup(g *group) {
	for _, i := range g.members {
		switch s := i.state(); {
		case s == g.state:
		case s == vrrp.Backup && g.state == vrrp.Master:
			n.each(g, vrrp.Master, vrrp.Ruled{Ruling: vrrp.StepDown}, i)
		case s == vrrp.Master && !n.groupHolds(g):
			n.each(g, vrrp.Backup, vrrp.Ruled{Ruling: vrrp.TakeOver}, i)
		case s == vrrp.Master:
			i.reason = "another member of group " + g.cfg.Name + " is served by the peer"
			n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown})
		}
	}
}

// each drives every member that is in one state, for the sake of a leader.
func (n *Node) each(g *group, in vrrp.State, e vrrp.Event, leader *instance) {
	for _, i := range g.members {
		if i.state() == in { // the leader is in another
			i.reason = "group " + g.cfg.Name + ": " + leader.reason
			i.verdict = leader.verdict
			n.drive(i, e)
			i.mastery.insists = leader.mastery.insists
		}
	}
}

// groupHolds says that some member may not be taken over: it is in FAULT, it is
// contested and waits for that, or its MASTER is heard.
func (n *Node) groupHolds(g *group) bool {
	for _, i := range g.members {
		contested := i.verdict.Finding == verdict.Contested && i.cfg.Contested == ContestedHold
		heard := i.obeyed.within(n.now, i.window()) && (!i.doubt.on || i.obeyed.at > i.doubt.since)
		if i.state() == vrrp.Fault || i.state() == vrrp.Backup && (contested || heard) {
			return true
		}
	}
	return false
}

// sayGroup reports the state that all members share.
func (n *Node) sayGroup(g *group) {
	if state, ok := g.shared(); ok && state != g.state {
		g.state = state
		n.emit(GroupTransition{Name: g.cfg.Name, To: state})
	}
}

// shared is the state of all members, if they have one and the same.
func (g *group) shared() (vrrp.State, bool) {
	state := g.members[0].state()
	for _, i := range g.members {
		if i.state() != state {
			return vrrp.Initialize, false
		}
	}
	return state, true
}
