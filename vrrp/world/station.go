package world

import (
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp/node"
)

// station is somebody else on a segment: a gateway that serves as a witness, a
// printer with a wrong address, a proxy.
type station struct {
	mac    node.MAC
	owns   []netip.Addr
	quiet  int // answers nothing
	slow   time.Duration
	proxy  int // answers for every address
	island int
}

// newGateway is the third party that a segment has from the beginning.
func newGateway(s *segment) *station {
	return &station{
		mac:  node.MAC{2, 0xff, 0, 0, 0, byte(s.number)},
		owns: []netip.Addr{hostAddress(s.number, gatewayHost, false).Addr(), hostAddress(s.number, gatewayHost, true).Addr()},
	}
}

// newStranger is a station that claims an address which is not its own.
func newStranger(s *segment, a netip.Addr) *station {
	return &station{mac: node.MAC{2, 0xee, 0, 0, 0, byte(s.number)}, owns: []netip.Addr{a}}
}

// answers says whether the station answers a question, and from where.
func (t *station) answers(q node.Ask) (node.MAC, bool) {
	everybody := q.To == node.MAC{}
	if t.quiet > 0 || !everybody && q.To != t.mac {
		return node.MAC{}, false
	}
	return t.mac, slices.Contains(t.owns, q.Target) || t.proxy > 0 && q.Target.Is4()
}
