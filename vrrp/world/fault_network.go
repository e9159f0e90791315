package world

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

func (w *World) cableCut(Fault) func() { return count(&w.segments[heartbeat].cut) }

// cableFlap cuts and joins the cable N times.
func (w *World) cableFlap(f Fault) func() {
	over, cut := false, false
	set := func(on bool) {
		if cut != on {
			cut = on
			if on {
				w.segments[heartbeat].cut++
			} else {
				w.segments[heartbeat].cut--
			}
			w.relink()
		}
	}
	var at time.Duration
	for k := range 2 * f.N {
		at += w.within(f.For / time.Duration(f.N))
		w.after(at, func() {
			if !over {
				set(k%2 == 0)
			}
		})
	}
	return func() {
		over = true
		set(false)
	}
}

// oneWay loses what a router sends to router N.
func (w *World) oneWay(f Fault) func() {
	return count(&w.segments[f.Segment].blocked[f.Router][f.N])
}

func (w *World) oneWayHeartbeat(f Fault) func() {
	f.Segment = w.scene.heart()
	return w.oneWay(f)
}

func (w *World) port(f Fault) *nic { return w.routers[f.Router].nics[f.Segment] }

func (w *World) adminDown(f Fault) func() {
	p := w.port(f)
	undo := count(&p.adminDown)
	p.flush()
	p.router.report(p, true)
	return func() {
		undo()
		p.router.report(p, true)
	}
}

func (w *World) nicGone(f Fault) func() {
	p := w.port(f)
	undo := count(&p.gone)
	p.flush()
	p.router.report(p, true)
	return func() {
		undo()
		p.router.report(p, true)
		p.router.missed(p)
	}
}

// missed tells a process, once the port is there again, of the addresses that went with it.
func (r *router) missed(p *nic) {
	r.soon(10*time.Millisecond, func() {
		if r.dead() {
			r.missed(p)
			return
		}
		for v, x := range r.world.vips {
			if x.segment == p.segment.number && !r.kernel.has(v) && r.state[x.virtual] == vrrp.Master {
				r.take(node.Deleted{Key: r.config.Instances[x.virtual].Key()})
			}
		}
	})
}

// flush drops the addresses of a port that went: the kernel does, of a port that is gone.
func (p *nic) flush() {
	if p.gone == 0 {
		return
	}
	for v, x := range p.router.world.vips {
		if x.segment == p.segment.number {
			p.router.kernel.drop(v)
		}
	}
}

func (w *World) unplugged(f Fault) func() { return count(&w.port(f).unplugged) }
func (w *World) eventLoss(f Fault) func() { return count(&w.routers[f.Router].deafened) }

// switchReboot takes the power from a switch; when it is back its ports do not forward for
// N seconds more.
func (w *World) switchReboot(f Fault) func() {
	s := w.segments[f.Segment]
	undo := count(&s.off)
	return func() {
		undo()
		for _, r := range w.routers {
			p := r.nics[s.number]
			p.mute++
			w.after(time.Duration(f.N)*time.Second, func() {
				p.mute--
				w.judge.touched()
			})
		}
	}
}

// lanSplit puts a router on the far side of a segment, and with N the gateway as well.
func (w *World) lanSplit(f Fault) func() {
	s := w.segments[f.Segment]
	router := count(&s.island[f.Router])
	if f.N == 0 {
		return router
	}
	gateway := count(&s.stations[0].island)
	return func() {
		router()
		gateway()
	}
}

func (w *World) isolation(f Fault) func()    { return count(&w.segments[f.Segment].isolated) }
func (w *World) spanningTree(f Fault) func() { return count(&w.port(f).mute) }

func (w *World) witnessDead(f Fault) func() { return count(&w.segments[f.Segment].stations[0].quiet) }

// witnessSlow makes a witness answer N ms later.
func (w *World) witnessSlow(f Fault) func() {
	t := w.segments[f.Segment].stations[0]
	t.slow = time.Duration(f.N) * time.Millisecond
	return func() { t.slow = 0 }
}

func (w *World) witnessLies(f Fault) func() {
	s := w.segments[f.Segment]
	t := s.stations[0]
	a, ok := w.someVIP(f)
	if !ok {
		return nil
	}
	t.owns = append(t.owns, a)
	s.claims++
	undo := count(&s.claimed)
	return func() {
		t.owns = t.owns[:len(t.owns)-1]
		undo()
	}
}

// someVIP is a virtual address on the segment of a fault.
func (w *World) someVIP(f Fault) (netip.Addr, bool) {
	for _, x := range w.vips {
		if x.segment == f.Segment {
			return x.prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// stranger is a station that has a virtual address as its own, and says so when it comes.
func (w *World) stranger(f Fault) func() {
	s := w.segments[f.Segment]
	a, ok := w.someVIP(f)
	if !ok {
		return nil
	}
	t := newStranger(s, a)
	s.stations = append(s.stations, t)
	s.claims++
	undo := count(&s.claimed)
	for _, r := range w.routers {
		if s.reaches(r, t) {
			r.take(node.Heard{Port: portNames[f.Segment], Op: node.Gratuitous, Sender: a, MAC: t.mac, Target: a})
		}
	}
	return func() {
		undo()
		for k, x := range s.stations {
			if x == t {
				s.stations = append(s.stations[:k:k], s.stations[k+1:]...)
				break
			}
		}
	}
}

func (w *World) proxyARP(f Fault) func() {
	s := w.segments[f.Segment]
	s.claims++
	proxy, claimed := count(&s.stations[0].proxy), count(&s.claimed)
	return func() {
		proxy()
		claimed()
	}
}

// fabricCache is a switch that answers broadcasts by itself, for the dead as well.
func (w *World) fabricCache(f Fault) func() {
	s := w.segments[f.Segment]
	undo := count(&s.caching)
	for v, x := range w.vips {
		for _, r := range w.routers {
			if x.segment == f.Segment && r.kernel.has(v) {
				s.cache[x.prefix.Addr()] = r.nics[f.Segment].mac
			}
		}
	}
	return func() {
		undo()
		if s.caching == 0 {
			clear(s.cache)
		}
	}
}

func (w *World) fabricInspection(f Fault) func() { return count(&w.segments[f.Segment].hides) }

func (w *World) frameLoss(f Fault) func() {
	had := w.weather.loss
	w.weather.loss = float64(f.N) / 100
	return func() { w.weather.loss = min(had, w.scene.Loss) }
}

func (w *World) frameDouble(f Fault) func() {
	w.weather.double = float64(f.N) / 100
	return func() { w.weather.double = 0 }
}

func (w *World) frameLate(f Fault) func() {
	w.weather.late = time.Duration(f.N) * time.Millisecond
	return func() { w.weather.late = 0 }
}

func (w *World) frameCorrupt(f Fault) func() {
	w.weather.corrupt = float64(f.N) / 100
	return func() { w.weather.corrupt = 0 }
}

// hostileAdverts forges N adverts to one router: lower, higher, goodbyes, broken ones.
func (w *World) hostileAdverts(f Fault) func() {
	r := w.routers[f.Router]
	over := false
	for range f.N {
		w.after(w.within(f.For), func() {
			if !over {
				w.forge(r)
			}
		})
	}
	undo := count(&w.judge.hostile)
	return func() {
		over = true
		undo()
		w.judge.forged = w.now
	}
}

func (w *World) forge(r *router) {
	i := r.config.Instances[w.luck.IntN(len(r.config.Instances))]
	src := netip.AddrFrom4([4]byte{10, 255, 0, 6})
	if i.VRRP.Family == vrrp.IPv6 {
		src = netip.MustParseAddr("fe80::99")
	}
	dst := i.VRRP.Family.Group()
	priorities := [...]uint8{0, 0, 1, 1, 254, 255}
	payload, err := i.VRRP.Advert(priorities[w.luck.IntN(len(priorities))]).Append(nil, src, dst)
	if err != nil || !r.nics[w.scene.heart()].passes() {
		return
	}
	ttl := 255
	switch w.luck.IntN(4) {
	case 0:
		payload[w.luck.IntN(len(payload))] ^= 1 << w.luck.IntN(8)
	case 1:
		ttl = 64
	}
	r.take(node.Frame{Port: i.Port, MAC: node.MAC{2, 0xbb, 0, 0, 0, 1}, Src: src, Dst: dst, TTL: ttl, Payload: payload})
}
