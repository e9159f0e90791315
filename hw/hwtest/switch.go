package hwtest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ifaNoDAD is IFA_F_NODAD: an IPv6 address that serves at once.
const ifaNoDAD = unix.IFA_F_NODAD

// Names of the bridges in a switch's namespace.
const (
	bridgeName = "br0"
	islandName = "br1" // where [Switch.Split] puts ports
)

// A Switch is a LAN: a bridge without spanning tree or multicast snooping in a namespace of its own. Router ports reach it
// through a link whose far end is a tap in that bridge.
type Switch struct {
	lab    *Lab
	name   string
	room   *Namespace
	bridge *netlink.Bridge
	island *netlink.Bridge
	ports  int
}

// Switch makes a switch without ports.
func (l *Lab) Switch(name string) (*Switch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room, err := l.newRoom()
	if err != nil {
		return nil, fmt.Errorf("switch %s: %w", name, err)
	}
	s := &Switch{lab: l, name: name, room: room}
	if s.bridge, err = s.newBridge(bridgeName); err != nil {
		return nil, err
	}
	if s.island, err = s.newBridge(islandName); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Switch) newBridge(name string) (*netlink.Bridge, error) {
	snooping := false
	b := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &snooping}
	b.Name = name
	mac := s.lab.nextMAC()
	b.HardwareAddr = net.HardwareAddr(mac[:])
	if err := s.room.kernel.LinkAdd(b); err != nil {
		return nil, fmt.Errorf("switch %s: make the bridge: %w", s.name, err)
	}
	if err := s.room.kernel.LinkSetUp(b); err != nil {
		return nil, fmt.Errorf("switch %s: set up the bridge: %w", s.name, err)
	}
	return b, nil
}

// Namespace returns the switch's namespace, in which its gateway addresses live.
func (s *Switch) Namespace() *Namespace { return s.room }

// AddGateway gives the switch itself an address: a station that answers to ARP, ND and echo, as a LAN's gateway does.
func (s *Switch) AddGateway(prefix netip.Prefix) error {
	if err := addAddress(s.room.kernel, s.bridge.Attrs().Index, prefix); err != nil {
		return fmt.Errorf("switch %s: gateway %s: %w", s.name, prefix, err)
	}
	return nil
}

// RemoveGateway removes an address of AddGateway.
func (s *Switch) RemoveGateway(prefix netip.Prefix) error {
	ip := net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
	if err := s.room.kernel.AddrDel(s.bridge, &netlink.Addr{IPNet: &ip}); err != nil {
		return fmt.Errorf("switch %s: gateway %s: %w", s.name, prefix, err)
	}
	return nil
}

// GatewayMAC returns the hardware address of the gateway addresses.
func (s *Switch) GatewayMAC() [6]byte { return [6]byte(s.bridge.Attrs().HardwareAddr) }

// Connect gives a router a new port on the switch.
func (s *Switch) Connect(r *Router, name string) (*Port, error) {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	p, err := r.newPort(name)
	if err != nil {
		return nil, err
	}
	link := s.lab.newLink(p.end, &end{})
	s.ports++
	t, err := openTap(s.room, s.lab.node, fmt.Sprintf("port%d", s.ports), s.lab.nextMAC())
	if err != nil {
		return nil, fmt.Errorf("switch %s: %w", s.name, err)
	}
	if err := errors.Join(s.enslave(t.index, s.bridge), link.ends[1].plug(t), p.plug()); err != nil {
		return nil, fmt.Errorf("switch %s: %w", s.name, err)
	}
	return p, nil
}

func (s *Switch) enslave(index int, bridge *netlink.Bridge) error {
	port := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}
	if err := s.room.kernel.LinkSetMasterByIndex(port, bridge.Attrs().Index); err != nil {
		return fmt.Errorf("put port %d into the bridge: %w", index, err)
	}
	return nil
}

// far returns the switch's own device for a router port.
func (s *Switch) far(p *Port) (netlink.Link, error) {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	e := p.end.link.ends[1-p.end.side]
	if e.router != nil || e.tap == nil {
		return nil, fmt.Errorf("port %s of router %s is not on a switch", p.name, p.router.name)
	}
	return &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: e.tap.index, Name: e.tap.name}}, nil
}

// Split moves router ports to another LAN, where they find each other but nobody else; the carriers stay.
func (s *Switch) Split(ports ...*Port) error { return s.move(s.island, ports) }

// Join moves them back.
func (s *Switch) Join(ports ...*Port) error { return s.move(s.bridge, ports) }

func (s *Switch) move(to *netlink.Bridge, ports []*Port) error {
	for _, p := range ports {
		link, err := s.far(p)
		if err != nil {
			return err
		}
		if err := s.enslave(link.Attrs().Index, to); err != nil {
			return fmt.Errorf("switch %s: %w", s.name, err)
		}
	}
	return nil
}

// Suppress switches the suppression of ARP and ND on the switch's side of a router port (neigh_suppress), as a fabric does that
// answers from what it knows: questions towards that port are answered by the switch if it can, see [Switch.Remember].
func (s *Switch) Suppress(p *Port, on bool) error {
	link, err := s.far(p)
	if err != nil {
		return err
	}
	if err := s.room.kernel.LinkSetBrNeighSuppress(link, on); err != nil {
		return fmt.Errorf("switch %s: suppress ARP on port %s: %w", s.name, p.name, err)
	}
	return nil
}

// Remember makes the switch hold for ever that an address is at the given router port, whether or not the router still lives:
// where [Switch.Suppress] is on for that port, the switch answers questions for the address with the port's MAC.
func (s *Switch) Remember(addr netip.Addr, p *Port) error {
	link, err := s.far(p)
	if err != nil {
		return err
	}
	mac := net.HardwareAddr(p.mac[:])
	forwarding := &netlink.Neigh{LinkIndex: link.Attrs().Index, Family: unix.AF_BRIDGE, Flags: netlink.NTF_MASTER,
		State: netlink.NUD_NOARP, HardwareAddr: mac}
	neighbour := &netlink.Neigh{LinkIndex: s.bridge.Attrs().Index, State: netlink.NUD_PERMANENT, IP: addr.AsSlice(), HardwareAddr: mac}
	if err := errors.Join(s.room.kernel.NeighSet(forwarding), s.room.kernel.NeighSet(neighbour)); err != nil {
		return fmt.Errorf("switch %s: remember %s: %w", s.name, addr, err)
	}
	return nil
}

// A Host is a machine on a LAN that is neither router nor gateway.
type Host struct {
	name string
	room *Namespace
	mac  [6]byte
	link netlink.Link
	addr netip.Addr
}

// hostPort is the name of a host's only port.
const hostPort = "eth0"

// Host makes a host on the switch with the given address.
func (s *Switch) Host(name string, prefix netip.Prefix) (*Host, error) {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	room, err := s.lab.newRoom()
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	h := &Host{name: name, room: room, mac: s.lab.nextMAC(), addr: prefix.Addr()}
	s.ports++
	veth := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: hostPort, PeerNamespace: netlink.NsFd(room.fd),
		PeerHardwareAddr: h.mac[:]}
	veth.Name = fmt.Sprintf("port%d", s.ports)
	veth.MasterIndex = s.bridge.Attrs().Index
	if err := s.room.kernel.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("host %s: make the port: %w", name, err)
	}
	if err := s.room.kernel.LinkSetUp(veth); err != nil {
		return nil, fmt.Errorf("host %s: set up the port: %w", name, err)
	}
	if h.link, err = room.kernel.LinkByName(hostPort); err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	if err := room.kernel.LinkSetUp(h.link); err != nil {
		return nil, fmt.Errorf("host %s: set up: %w", name, err)
	}
	if err := addAddress(room.kernel, h.link.Attrs().Index, prefix); err != nil {
		return nil, fmt.Errorf("host %s: %s: %w", name, prefix, err)
	}
	return h, nil
}

// Namespace returns the host's namespace; its port is eth0.
func (h *Host) Namespace() *Namespace { return h.room }
