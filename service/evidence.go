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
	s := b.find(name)
	if !s.Present {
		return node.PortState{Port: name}
	}
	return node.PortState{
		Port:      name,
		Present:   true,
		AdminUp:   s.AdminUp,
		Carrier:   b.carrier(name, s),
		MAC:       s.MAC,
		Addresses: s.Addresses,
		Driver:    b.hardware[name].Driver,
		Culprit:   culprit(s, b.hardware[name]),
	}
}

// carrier trusts the kernel's report, unless the device has left its driver: no
// frame goes through that, whatever the last report says of its link.
func (b *book) carrier(name node.Port, s port.State) node.Carrier {
	if b.hardware[name].Detached {
		return node.CarrierDown
	}
	return carrier(s.Carrier)
}

// anyDetached says whether a device was last seen detached.
func (b *book) anyDetached() bool {
	for _, h := range b.hardware {
		if h.Detached {
			return true
		}
	}
	return false
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

// culprit words what only the kernel's own report shows of a port.
func culprit(s port.State, h Hardware) string {
	switch {
	case h.Detached:
		return "the device has left its driver: reset, or the card is gone"
	case s.ProtoDown:
		return s.Name + ": held down by another protocol of this host (proto_down)"
	case s.OperState == port.OperNotPresent:
		return s.Name + ": the hardware is missing"
	default:
		return ""
	}
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

// Hardware is what carries a port, and what its driver says of the link.
type Hardware struct {
	Driver    string
	Bus       string // address of the device, such as 0000:03:00.1
	SpeedMbit int    // 0 where the driver does not say
	Duplex    string // full or half, empty where the driver does not say
	Detached  bool   // the device has left its driver while the interface is still there
}

// survey is what is found out about a port besides its state: none of it is
// urgent, all of it may wait in the kernel.
type survey struct {
	port       node.Port
	hardware   Hardware
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
