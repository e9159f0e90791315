package world

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// The segments of every world, by index.
const (
	heartbeat = iota
	lan10
	lan20
	wan
	numSegments
)

var portNames = [numSegments]node.Port{"p4p1", "p3p1", "p3p2", "p1p1"}

var routerNames = [maxRouters]string{"A", "B", "C"}

// vip is one virtual address of the scene.
type vip struct {
	prefix  netip.Prefix
	segment int
	virtual int // which virtual router it belongs to
}

// addresses are the virtual addresses a segment can have, IPv4 first.
func virtualAddress(segment, turn int, six bool) netip.Prefix {
	if six {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 5: byte(segment), 15: byte(turn)}), 64)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(10 * segment), byte(turn)}), 24)
}

// hostAddress is the address of a station with that number on a segment.
func hostAddress(segment int, host byte, six bool) netip.Prefix {
	p := virtualAddress(segment, 1, six)
	if six {
		b := p.Addr().As16()
		b[15] = host
		return netip.PrefixFrom(netip.AddrFrom16(b), 64)
	}
	b := p.Addr().As4()
	b[3] = host
	return netip.PrefixFrom(netip.AddrFrom4(b), 24)
}

// gatewayHost is the station that is asked as a witness on every segment.
const gatewayHost = 254

// virtuals lists the virtual routers of a scene with their addresses, and how
// they are arranged.
func (s Scene) virtuals() (instances []node.Instance, groups []node.Group) {
	add := func(name string, vrid uint8, six bool, turn int, segments ...int) {
		i := node.Instance{Name: name, Port: portNames[s.heart()], Lease: node.LeaseAuto, Announce: node.Announcing{Repeat: 5, Delay: 5 * time.Second}}
		i.VRRP = vrrp.Params{VRID: vrid, Family: vrrp.IPv4, Version: vrrp.Version(s.Version), Interval: s.Interval, Preempt: !s.Nopreempt}
		if six {
			i.VRRP.Family = vrrp.IPv6
			i.VRRP.Addresses = append(i.VRRP.Addresses, netip.MustParseAddr("fe80::1:1"))
		}
		for _, segment := range segments {
			p := virtualAddress(segment, turn, six)
			i.VIPs = append(i.VIPs, node.VIP{Prefix: p, Port: portNames[segment]})
			i.VRRP.Addresses = append(i.VRRP.Addresses, p.Addr())
			i.Witnesses = append(i.Witnesses, node.Witness{Addr: hostAddress(segment, gatewayHost, six).Addr(), Port: portNames[segment]})
		}
		instances = append(instances, i)
	}
	switch s.Shape {
	case Single, OnLAN:
		add("VI_1", 50, false, 1, lan10, lan20, wan)
	case Dual:
		add("VI_4", 50, false, 1, lan10, lan20, wan)
		add("VI_6", 50, true, 1, lan10, lan20, wan)
	case Grouped:
		add("VI_IN", 51, false, 1, lan10, lan20)
		add("VI_OUT", 52, false, 1, wan)
		groups = []node.Group{{Name: "G", Members: []node.Key{instances[0].Key(), instances[1].Key()}}}
	case Neighbours:
		add("VI_1", 51, false, 1, lan10)
		add("VI_2", 52, false, 2, lan10, wan)
	default:
		add("VI_6", 60, true, 1, lan10, lan20, wan)
	}
	return instances, groups
}

// heart is the segment that carries the adverts.
func (s Scene) heart() int {
	if s.Shape == OnLAN {
		return lan10
	}
	return heartbeat
}

// config is what router k is configured with.
func (s Scene) config(k int) node.Config {
	var c node.Config
	c.Instances, c.Groups = s.virtuals()
	for n := range c.Instances {
		i := &c.Instances[n]
		i.VRRP.Priority = s.priority(k, n)
		if s.Take {
			i.Contested = node.ContestedTake
		}
		i.Prior = [...]node.Prior{node.PriorServe, node.PriorYield, node.PriorIncumbent}[s.Prior]
	}
	return c
}

// priority orders the routers; neighbours have one MASTER each.
func (s Scene) priority(k, instance int) uint8 {
	if s.Equal {
		return 100
	}
	if s.Shape == Neighbours && instance == 1 {
		k = s.Routers - 1 - k
	}
	return uint8(200 - 50*k)
}

// vips lists all virtual addresses of the scene.
func (s Scene) vips() []vip {
	var list []vip
	instances, _ := s.virtuals()
	for n, i := range instances {
		for _, v := range i.VIPs {
			list = append(list, vip{prefix: v.Prefix, segment: segmentOf(v.Port), virtual: n})
		}
	}
	return list
}

func segmentOf(p node.Port) int {
	for k, name := range portNames {
		if name == p {
			return k
		}
	}
	return -1
}
