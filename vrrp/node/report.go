package node

import (
	"net/netip"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// note says something to the operator. A nil instance means the router.
func (n *Node) note(i *instance, l Level, text string) {
	a := Note{Level: l, Text: text}
	if i != nil {
		a.Key = i.cfg.Key()
	}
	n.emit(a)
}

// instanceDeadlines collects every moment at which an instance has to be
// looked at again.
func (n *Node) instanceDeadlines(i *instance, d *deadline) {
	if !i.running {
		d.want(i.born.Add(bootWait))
		return
	}
	if at, ok := i.machine.Deadline(); ok {
		d.want(at)
	}
	k := &i.kernel
	if at := k.pending.at.Add(i.patience()); k.pending.ok && at > n.now {
		d.want(at)
	}
	if k.failed.ok && !k.pending.ok {
		d.want(k.failed.at.Add(failureRest + 1))
	}
	if l := i.lease(); k.installed && l > 0 {
		d.want(k.renewed.at.Add(l / 2))
	}
	switch i.state() {
	case vrrp.Initialize:
		n.doubtDeadlines(i, d)
	case vrrp.Backup:
		n.doubtDeadlines(i, d)
	case vrrp.Master:
		n.masterDeadlines(i, d)
	case vrrp.Fault:
		if n.mayBePartial(i) {
			d.want(i.doubt.next)
		}
	}
}

func (n *Node) doubtDeadlines(i *instance, d *deadline) {
	if i.doubt.on {
		d.want(i.doubt.next)
		if i.doubt.listen.ok && i.doubt.listen.at > n.now {
			d.want(i.doubt.listen.at)
		}
		return
	}
	heard := later(i.obeyed, i.lower)
	if at := heard.at.Add(i.window() + 1); heard.ok && i.interval()*3/2 >= minSilence && at > n.now {
		d.want(at)
	}
}

func (n *Node) masterDeadlines(i *instance, d *deadline) {
	m := &i.mastery
	if n.masterDoubts(i) {
		d.want(m.nextAsk)
	}
	if m.contested && !m.asked {
		d.want(m.askAt)
	}
	if at := m.rivalled.at.Add(i.rivalMemory() + 1); i.verdict.Finding == verdict.Contested && at > n.now {
		d.want(at)
	}
	for _, s := range []stamp{m.announce2, m.refresh} {
		if s.ok {
			d.want(s.at)
		}
	}
}

// Status returns a copy of the present state.
func (n *Node) Status() Status {
	s := Status{Now: n.now, Unclaimed: n.unclaimed, Storage: n.storageStatus()}
	for _, i := range n.instances {
		s.Instances = append(s.Instances, n.instanceStatus(i))
	}
	for _, p := range n.ports {
		s.Ports = append(s.Ports, n.portStatus(p))
	}
	return s
}

func (n *Node) instanceStatus(i *instance) InstanceStatus {
	m := i.machine.Status()
	s := InstanceStatus{
		Key: i.cfg.Key(), Name: i.cfg.Name, State: m.State, Since: m.Since,
		Priority: i.cfg.VRRP.Priority, Effective: m.Priority, Partial: i.partial,
		Holding: i.kernel.holding, Installed: i.kernel.installed, Lease: i.lease(),
		Verdict: i.verdict, Reason: i.reason,
		Faults: append([]Fault(nil), i.faults...),
		Master: m.Master, Counters: i.counters, Sent: i.sent,
		VIPs: append([]VIP(nil), i.cfg.VIPs...),
	}
	switch {
	case i.doubt.on:
		s.Doubt = i.doubt.cause.String()
	case m.State == vrrp.Master && i.heart.down():
		s.Doubt = doubtCarrier.String()
	}
	return s
}

func (n *Node) portStatus(p *port) PortStatus {
	s := PortStatus{
		Port: p.name, Present: p.state.Present, AdminUp: p.state.AdminUp,
		Carrier: p.state.Carrier, Driver: p.state.Driver, Facts: p.state.Facts, Culprit: p.culprit(), Mute: p.serving && p.mute(n.now),
		Blind: p.blind, Flapping: p.flapping(n.now), Peers: p.allPeers(),
		Calibrated: n.portCalibrated(p), Witnesses: n.provenWitnesses(p),
	}
	if p.heart {
		s.Roles = append(s.Roles, RoleHeartbeat)
	}
	if p.serving {
		s.Roles = append(s.Roles, RoleServing)
	}
	return s
}

// portCalibrated says that a silence of some VIP on this port would count now.
func (n *Node) portCalibrated(p *port) bool {
	for _, i := range n.instances {
		for _, v := range i.cfg.VIPs {
			t := p.targets[v.Prefix.Addr()]
			if v.Port == p.name && t != nil && !p.blind && t.answers(n.now) {
				return true
			}
		}
	}
	return false
}

// provenWitnesses are those that answered some form lately.
func (n *Node) provenWitnesses(p *port) []netip.Addr {
	var list []netip.Addr
	for _, a := range p.witnesses {
		t := p.targets[a]
		if t != nil && t.answers(n.now) {
			list = append(list, a)
		}
	}
	return list
}
