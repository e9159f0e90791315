package world

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// plain is a peer that is plain keepalived: the protocol machine of the RFC without any
// judgement. A port without carrier is a fault, the heartbeat port's unless it is told otherwise;
// addresses have no lease.
type plain struct {
	config  node.Config
	heeds   bool // the heartbeat port's carrier is tracked
	members []*plainMember
	ports   map[node.Port]node.PortState
	out     []node.Action
}

type plainMember struct {
	config  node.Instance
	machine *vrrp.Machine
	started bool
	source  netip.Addr
	again   vrrp.Instant // second announcement; 0: none
}

func newPlain(now vrrp.Instant, c node.Config, heeds bool) *plain {
	b := &plain{config: c, heeds: heeds, ports: map[node.Port]node.PortState{}}
	for _, i := range c.Instances {
		b.members = append(b.members, &plainMember{config: i, machine: vrrp.New(i.VRRP)})
	}
	return b
}

// Deadline is when the first of its machines wants to be woken.
func (b *plain) Deadline() (vrrp.Instant, bool) {
	var first vrrp.Instant
	found := false
	want := func(at vrrp.Instant) {
		if !found || at < first {
			first, found = at, true
		}
	}
	for _, m := range b.members {
		if at, ok := m.machine.Deadline(); ok {
			want(at)
		}
		if m.again > 0 {
			want(m.again)
		}
	}
	return first, found
}

// Step takes one event.
func (b *plain) Step(now vrrp.Instant, e node.Event) []node.Action {
	b.out = nil
	switch e := e.(type) {
	case node.Frame:
		b.frame(now, e)
	case node.PortsRead:
		for _, p := range e.Ports {
			b.ports[p.Port] = p
		}
	case node.Installed:
		b.installed(e)
	case node.Deleted:
		b.again(e.Key)
	case node.Stop:
		for _, m := range b.members {
			b.drive(now, m, vrrp.Stop{})
		}
		return b.out
	}
	for _, m := range b.members {
		b.settle(now, m)
	}
	return b.out
}

// installed announces what the kernel took, and tries again what it did not.
func (b *plain) installed(e node.Installed) {
	if e.Serving {
		b.out = append(b.out, node.Announce{Key: e.Key, Repeat: 5})
		return
	}
	b.again(e.Key)
}

// again puts addresses back that are missing.
func (b *plain) again(k node.Key) {
	for _, m := range b.members {
		if m.config.Key() == k && m.machine.Status().State == vrrp.Master {
			b.out = append(b.out, node.Install{Key: k})
		}
	}
}

func (b *plain) frame(now vrrp.Instant, e node.Frame) {
	for _, m := range b.members {
		_, vrid, _ := vrrp.Peek(e.Payload)
		if m.config.Port != e.Port || vrid != m.config.VRRP.VRID || e.Src.Is4() != (m.config.VRRP.Family == vrrp.IPv4) || !m.started || e.Src == m.source {
			continue
		}
		p := vrrp.Packet{Src: e.Src, Dst: e.Dst, TTL: e.TTL, Payload: e.Payload}
		if a, check, _ := vrrp.Receive(p, m.config.VRRP); check == vrrp.Accepted {
			b.drive(now, m, vrrp.Heard{Advert: a, From: e.Src})
		}
	}
}

// settle re-reads what can be a fault, and lets the time do its part.
func (b *plain) settle(now vrrp.Instant, m *plainMember) {
	if len(b.ports) == 0 {
		return
	}
	if !m.started {
		m.started = true
		m.source = b.source(m)
		b.drive(now, m, vrrp.Start{Source: m.source})
	}
	if b.faulty(m) {
		b.drive(now, m, vrrp.Failed{})
	} else if m.machine.Status().State == vrrp.Fault {
		b.drive(now, m, vrrp.Repaired{})
	}
	if at, ok := m.machine.Deadline(); ok && at <= now {
		b.drive(now, m, vrrp.Expired{})
	}
	if m.again > 0 && m.again <= now {
		m.again = 0
		b.out = append(b.out, node.Announce{Key: m.config.Key(), Repeat: 5})
	}
}

func (b *plain) source(m *plainMember) netip.Addr {
	for _, p := range b.ports[m.config.Port].Addresses {
		if p.Addr().Is4() == (m.config.VRRP.Family == vrrp.IPv4) && (p.Addr().Is4() || p.Addr().IsLinkLocalUnicast()) {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

func (b *plain) faulty(m *plainMember) bool {
	dark := func(p node.Port) bool { return b.ports[p].Carrier != node.CarrierUp }
	if b.heeds && dark(m.config.Port) {
		return true
	}
	for _, v := range m.config.VIPs {
		if dark(v.Port) {
			return true
		}
	}
	return false
}

func (b *plain) drive(now vrrp.Instant, m *plainMember, e vrrp.Event) {
	for _, a := range m.machine.Step(now, e) {
		switch a := a.(type) {
		case vrrp.Send:
			b.send(m, a.Priority)
		case vrrp.Enter:
			b.enter(now, m, a)
		case vrrp.Reannounce:
			b.out = append(b.out, node.Announce{Key: m.config.Key(), Repeat: 5})
		case vrrp.Consult: // never: it has no patience
		}
	}
}

func (b *plain) send(m *plainMember, priority uint8) {
	dst := m.config.VRRP.Family.Group()
	if payload, err := m.config.VRRP.Advert(priority).Append(nil, m.source, dst); err == nil {
		b.out = append(b.out, node.SendAdvert{Key: m.config.Key(), Port: m.config.Port, Src: m.source, Dst: dst, Payload: payload})
	}
}

func (b *plain) enter(now vrrp.Instant, m *plainMember, e vrrp.Enter) {
	key := m.config.Key()
	switch {
	case e.To == vrrp.Master:
		m.again = now.Add(5 * time.Second)
		b.out = append(b.out, node.Install{Key: key})
	case e.From == vrrp.Master:
		m.again = 0
		b.out = append(b.out, node.Withdraw{Key: key})
	}
	b.out = append(b.out, node.Transition{Key: key, Name: m.config.Name, At: now, From: e.From, To: e.To, Reason: e.Cause.String()})
}
