package service

import (
	"bytes"
	"net/netip"
	"slices"

	"standfast/hw/address"
	"standfast/hw/port"
	"standfast/hw/probe"
	"standfast/hw/wire"
	"standfast/vrrp/node"
)

// This file is the only one that knows both vocabularies: it turns what the
// edges report into events of the brain. It judges nothing.

// frameEvent is an advertisement as heard on a port.
func frameEvent(on node.Port, f wire.Frame) node.Frame {
	return node.Frame{
		Port: on, MAC: f.MAC, Src: f.Src, Dst: f.Dst, TTL: f.TTL, Payload: f.Payload,
	}
}

// heardEvent is an ARP or ND message as heard on a port; false if it is of a
// kind that the brain does not know.
func heardEvent(on node.Port, h probe.Heard) (node.Heard, bool) {
	e := node.Heard{Port: on, Sender: h.Sender, MAC: h.MAC, Target: h.Target}
	switch h.Op {
	case probe.Reply:
		e.Op = node.Reply
	case probe.Request:
		e.Op = node.Request
	case probe.Gratuitous:
		e.Op = node.Gratuitous
	case probe.Unknown:
	}
	return e, e.Op != 0
}

// portState is what the brain is told of the port of that name.
func (b *book) portState(name node.Port) node.PortState {
	s, t := b.find(name), b.testimony[name]
	if s.Present && t.index != s.Index {
		t = finding{} // of an interface that is gone
	}
	p := node.PortState{Port: name, Driver: t.hardware.Driver, Facts: t.facts, Culprit: t.culprit}
	if !s.Present {
		return p
	}
	p.Present, p.AdminUp, p.Carrier = true, s.AdminUp, carrier(s.Carrier)
	p.MAC, p.Addresses = s.MAC, s.Addresses
	return p
}

func carrier(c port.Carrier) node.Carrier {
	switch c {
	case port.CarrierDown:
		return node.CarrierDown
	case port.CarrierUp:
		return node.CarrierUp
	case port.CarrierUnknown:
	}
	return node.CarrierUnknown
}

// own are the hardware addresses of all interfaces of this host.
func (b *book) own() []node.MAC {
	macs := make([]node.MAC, 0, len(b.byIndex))
	for _, s := range b.byIndex {
		if s.MAC != ([6]byte{}) {
			macs = append(macs, s.MAC)
		}
	}
	slices.SortFunc(macs, func(a, b node.MAC) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(macs)
}

// portsRead tells the brain of all the named ports.
func (b *book) portsRead(names []node.Port) node.PortsRead {
	e := node.PortsRead{Own: b.own()}
	for _, name := range names {
		e.Ports = append(e.Ports, b.portState(name))
	}
	return e
}

// survey is what is found out about a port besides its state: none of it is
// urgent, all of it may wait in the kernel.
type survey struct {
	port       node.Port
	router     bool // it forwards IPv6
	gateways   []netip.Addr
	neighbours []port.Neighbour
}

func (v survey) event() node.Neighbours {
	e := node.Neighbours{Port: v.port, Gateways: v.gateways, Known: map[netip.Addr]node.MAC{}}
	for _, n := range v.neighbours {
		e.Known[n.Addr] = n.MAC
	}
	return e
}

// vips are the VIPs of the table on interfaces that are there.
func (b *book) vips(t table) []address.VIP {
	var all []address.VIP
	for _, line := range t.vips {
		if s := b.find(line.port); s.Present {
			line.vip.Index = s.Index
			all = append(all, line.vip)
		}
	}
	return all
}

// usableRoutes are the routes of the table on interfaces that are there and
// switched on: the kernel takes no others.
func (b *book) usableRoutes(t table) []address.Route {
	var all []address.Route
	for _, line := range t.routes {
		if line.port != "" {
			s := b.find(line.port)
			if !s.Present || !s.AdminUp {
				continue
			}
			line.route.Index = s.Index
		}
		all = append(all, line.route)
	}
	return all
}

// missed names the instances of which a route is gone that is meant to be in the
// kernel. A VIP that is reported gone is only suspected to be: the service itself takes one away and puts it
// back, to give it another label for instance.
func (b *book) missed(g address.Gone, tables map[node.Key]table) (gone []node.Key, suspects []suspect) {
	for key, t := range tables {
		if b.routeGone(g, t) {
			gone = append(gone, key)
			continue
		}
		for _, v := range b.vips(t) {
			if slices.ContainsFunc(g.VIPs, func(r address.VIP) bool { return identify(r) == identify(v) }) {
				suspects = append(suspects, suspect{key: key, vip: v})
			}
		}
	}
	slices.SortFunc(gone, compareKeys)
	return gone, suspects
}

func (b *book) routeGone(g address.Gone, t table) bool {
	return slices.ContainsFunc(b.usableRoutes(t), func(r address.Route) bool {
		return slices.ContainsFunc(g.Routes, func(gone address.Route) bool { return sameRoute(gone, r) })
	})
}

// sameRoute compares a route that the kernel reports with one of ours, which
// names no port where the kernel was to find it.
func sameRoute(reported, ours address.Route) bool {
	if ours.Index == 0 {
		reported.Index = 0
	}
	return reported == ours
}
