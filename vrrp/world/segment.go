package world

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// flight is how long a frame takes at least.
const flight = 40 * time.Microsecond

// segment is a cable or a switch with what hangs on it.
type segment struct {
	world  *World
	number int
	direct bool // a crossover cable

	off, cut int                         // without power; cut
	blocked  [maxRouters][maxRouters]int // frames from one to another are lost
	island   [maxRouters]int             // of a split segment: on its far side, so often
	isolated int                         // routers don't see each other, others do
	hides    int                         // questions from 0.0.0.0 are swallowed
	claims   int                         // how often somebody else ever claimed one
	claimed  int                         // somebody else claims a virtual address here
	caching  int                         // broadcasts are answered by the switch itself
	cache    map[netip.Addr]node.MAC
	stations []*station
	// believed is whom the first of them, the gateway, takes for the owner of each virtual
	// address: whoever announced it last. It asks nobody for hours.
	believed [maxVIPs]*router

	lost [maxRouters][maxRouters]vrrp.Instant // the last frame that was
}

func newSegment(w *World, number int) *segment {
	s := &segment{world: w, number: number, direct: number == heartbeat && !w.scene.Switched, cache: map[netip.Addr]node.MAC{}}
	if number != heartbeat {
		s.stations = append(s.stations, newGateway(s))
	}
	return s
}

// carries says that a frame sent now by one router arrives at another.
func (s *segment) carries(x, y *router) bool {
	p, q := x.nics[s.number], y.nics[s.number]
	return p.passes() && q.passes() && s.blocked[x.number][y.number] == 0 && (s.island[x.number] > 0) == (s.island[y.number] > 0) && s.isolated == 0
}

// between says that frames pass between two routers, both ways.
func (s *segment) between(x, y *router) bool { return s.carries(x, y) && s.carries(y, x) }

// reaches says that a station and a router hear each other.
func (s *segment) reaches(x *router, t *station) bool {
	return x.nics[s.number].passes() && (s.island[x.number] > 0) == (t.island > 0)
}

// fly lets something arrive after a flight: not at all, once or twice.
func (w *World) fly(extra time.Duration, lost func(), do func()) {
	copies := 1
	if w.weather.loss > 0 && w.luck.Float64() < w.weather.loss {
		if lost != nil {
			lost()
		}
		return
	}
	if w.weather.double > 0 && w.luck.Float64() < w.weather.double {
		copies = 2
	}
	for range copies {
		d := flight + extra + w.within(60*time.Microsecond)
		if w.weather.late > 0 && w.luck.IntN(8) == 0 {
			d += w.within(w.weather.late)
		}
		w.after(d, do)
	}
}

// toRouters hands a frame to every other router on the segment that it reaches.
func (s *segment) toRouters(from *router, do func(*router)) {
	for _, x := range s.world.routers {
		if x == from || !s.carries(from, x) {
			continue
		}
		lost := func() {
			s.lost[from.number][x.number] = s.world.now
			s.lost[x.number][from.number] = s.world.now
		}
		s.world.fly(0, lost, func() {
			if x.nics[s.number].passes() {
				do(x)
			}
		})
	}
}

// advert carries an advertisement, which bad weather may corrupt.
func (s *segment) advert(from *router, a node.SendAdvert) {
	payload := a.Payload
	if c := s.world.weather.corrupt; c > 0 && s.world.luck.Float64() < c {
		payload = append([]byte(nil), payload...)
		payload[s.world.luck.IntN(len(payload))] ^= 1 << s.world.luck.IntN(8)
	}
	mac := from.nics[s.number].mac
	s.toRouters(from, func(x *router) {
		x.take(node.Frame{Port: a.Port, MAC: mac, Src: a.Src, Dst: a.Dst, TTL: 255, Payload: payload})
	})
}

// ask carries one ARP or ND question and whatever answers it.
func (s *segment) ask(from *router, q node.Ask) {
	p := from.nics[s.number]
	if !p.passes() {
		return
	}
	everybody := q.To == node.MAC{}
	probe := q.Target.Is4() && q.Sender.IsUnspecified()
	if mac, ok := s.cache[q.Target]; ok && everybody && s.caching > 0 {
		s.answer(from, q, mac, 0, nil)
		return
	}
	for _, t := range s.stations {
		if mac, ok := t.answers(q); ok && s.reaches(from, t) {
			s.answer(from, q, mac, t.slow, nil)
		}
	}
	if probe && s.hides > 0 {
		return
	}
	s.toRouters(from, func(x *router) {
		port := x.nics[s.number]
		if !everybody && q.To != port.mac {
			return
		}
		if x.answers(port, q.Target) {
			s.answer(from, q, port.mac, x.answerTime(), x)
		}
		if everybody {
			x.take(node.Heard{Port: q.Port, Op: node.Request, Sender: q.Sender, MAC: p.mac, Target: q.Target})
		}
	})
}

// answer carries a reply back.
func (s *segment) answer(to *router, q node.Ask, mac node.MAC, slow time.Duration, by *router) {
	if by != nil && !s.carries(by, to) {
		return
	}
	var lost func()
	if by != nil {
		lost = func() {
			s.lost[to.number][by.number] = s.world.now
			s.lost[by.number][to.number] = s.world.now
		}
	}
	s.world.fly(slow, lost, func() {
		if to.nics[s.number].passes() {
			to.take(node.Heard{Port: q.Port, Op: node.Reply, Sender: q.Target, MAC: mac, Target: q.Sender})
		}
	})
}

// believe lets the gateway hear an announcement. Of one that does not reach it, or does not reach
// another who serves and would have to answer it, nothing follows.
func (s *segment) believe(from *router, v int) {
	forget := func() { s.believed[v] = nil }
	known := s.reaches(from, s.stations[0])
	for _, x := range s.world.routers {
		known = known && (x == from || !x.kernel.has(v) || s.between(from, x) && x.runs())
	}
	if !known {
		forget()
		return
	}
	s.world.fly(0, forget, func() { s.believed[v] = from })
}

// announce carries a gratuitous message for an address.
func (s *segment) announce(from *router, v int) {
	p, a := from.nics[s.number], s.world.vips[v].prefix.Addr()
	s.believe(from, v)
	if !p.passes() {
		return
	}
	if s.caching > 0 {
		s.cache[a] = p.mac
	}
	s.toRouters(from, func(x *router) {
		x.take(node.Heard{Port: portNames[s.number], Op: node.Gratuitous, Sender: a, MAC: p.mac, Target: a})
	})
}
