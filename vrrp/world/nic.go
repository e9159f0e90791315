package world

import (
	"net/netip"
	"time"

	"standfast/vrrp/node"
)

// nic is one port of a router.
type nic struct {
	router  *router
	segment *segment
	mac     node.MAC

	adminDown, gone, unplugged int // how often each is wanted

	carrier bool // what the device says
	target  bool // what it will say once the PHY is through
	turn    int  // of what is to be said
	mute    int  // the switch does not forward here yet
	phy     time.Duration
}

// phyTimes are how long a 1000BASE-T link is held up after the signal is gone:
// maxwait_timer of a PHY that is clock slave or master (IEEE 802.3 clause 40).
var phyTimes = [2]time.Duration{350 * time.Millisecond, 750 * time.Millisecond}

func newNIC(r *router, s *segment) *nic {
	p := &nic{router: r, segment: s, mac: node.MAC{2, 0, 0, 0, byte(r.number + 1), byte(s.number)}, carrier: true, target: true}
	p.phy = phyTimes[(r.number+s.number)%2]
	if r.world.scene.Fibre {
		p.phy = 200 * time.Microsecond
	}
	return p
}

// lit says that the port sends light, or current.
func (p *nic) lit() bool { return p.router.powered() && p.adminDown == 0 && p.gone == 0 }

// signal says that something comes in from the other end.
func (p *nic) signal() bool {
	if !p.lit() || p.unplugged > 0 || p.segment.off > 0 || p.segment.cut > 0 {
		return false
	}
	return !p.segment.direct || p.router.world.otherEnd(p).lit() && p.router.world.otherEnd(p).unplugged == 0
}

// otherEnd is the far port of a crossover cable.
func (w *World) otherEnd(p *nic) *nic { return w.routers[1-p.router.number].nics[p.segment.number] }

// passes says that frames go in and out here, as far as the port is concerned.
func (p *nic) passes() bool { return p.carrier && p.mute == 0 && p.signal() && !p.router.dead() }

// relink derives every carrier anew. A link comes and goes with the delay of its PHY,
// and what changes back in the meantime did not happen.
func (w *World) relink() {
	for _, r := range w.routers {
		for _, p := range r.nics {
			if want := p.signal(); want != p.target {
				p.aim(want)
			}
		}
	}
}

func (p *nic) aim(want bool) {
	w := p.router.world
	p.target = want
	p.turn++
	turn := p.turn
	if want == p.carrier {
		return
	}
	var delay time.Duration
	switch {
	case !want && !p.lit():
	case !want:
		delay = p.phy
	case w.scene.Fibre:
		delay = 20*time.Millisecond + w.within(80*time.Millisecond)
	default:
		delay = time.Second + w.within(2*time.Second) // autonegotiation
	}
	w.after(delay, func() {
		if turn == p.turn {
			p.set(want)
		}
	})
}

func (p *nic) set(up bool) {
	if p.carrier == up {
		return
	}
	p.carrier = up
	p.router.world.say("%s %s carrier %s", p.router.name, portNames[p.segment.number], upText(up))
	p.router.linkChanged(p, up)
	p.router.world.judge.touched()
}

func upText(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// state is what the kernel tells of the port.
func (p *nic) state() node.PortState {
	s := node.PortState{Port: portNames[p.segment.number], Present: p.gone == 0, AdminUp: p.adminDown == 0, Carrier: node.CarrierDown, MAC: p.mac, Driver: "sim"}
	if !s.Present {
		return node.PortState{Port: s.Port}
	}
	if p.carrier && s.AdminUp {
		s.Carrier = node.CarrierUp
	}
	s.Addresses = p.addresses()
	return s
}

// addresses are the port's own: link-local everywhere, on the heartbeat an IPv4
// address, elsewhere as the scene has it.
func (p *nic) addresses() []netip.Prefix {
	s := p.router.world.scene
	local := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: byte(p.segment.number + 1), 15: byte(p.router.number + 1)})
	list := []netip.Prefix{netip.PrefixFrom(local, 64)}
	switch {
	case p.segment.number == heartbeat:
		list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, 0, byte(p.router.number + 1)}), 29))
	case s.Owned || p.segment.number == s.heart():
		list = append(list, hostAddress(p.segment.number, byte(p.router.number+10), false), hostAddress(p.segment.number, byte(p.router.number+10), true))
	}
	return list
}
