package world

import (
	"net/netip"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// Kind is one thing that goes wrong.
type Kind uint8

// The menu.
const (
	PowerOff Kind = iota
	DyingPorts
	Hang
	Panic
	Stopped
	Suspended
	Killed
	Restarted
	Busy
	CableCut
	CableFlap
	OneWay
	OneWayHeartbeat
	AdminDown
	NICGone
	Unplugged
	EventLoss
	SwitchReboot
	SwitchDead
	LANSplit
	Isolation
	SpanningTree
	WitnessDead
	WitnessSlow
	WitnessLies
	Stranger
	ProxyARP
	FabricCache
	FabricInspection
	FrameLoss
	FrameDouble
	FrameLate
	FrameCorrupt
	HostileAdverts
	StorageFails
	StorageSlow
	Reloaded
	RTNLHeld
	KernelSlow
	KernelRefuses
	AddressesDeleted
	NumKinds
)

// Fault is one entry of a plan: what goes wrong, when, where, and for how long.
type Fault struct {
	At      time.Duration // since the world began
	Kind    Kind
	Router  int           // which router, where it is about one
	Segment int           // which port or segment, where it is about one
	For     time.Duration // until it is over by itself
	N       int           // how often, how many, or how bad: see the kind
}

// menu says of every kind what it is called in a story, and what it does. What it
// returns undoes it.
var menu = [NumKinds]struct {
	name string
	pull func(*World, Fault) func()
}{
	PowerOff:         {"power-off", (*World).powerOff},
	DyingPorts:       {"dying-ports", (*World).dyingPorts},
	Hang:             {"hang", (*World).hang},
	Panic:            {"panic", (*World).hang},
	Stopped:          {"sigstop", (*World).sigstop},
	Suspended:        {"suspend", (*World).suspend},
	Killed:           {"sigkill", (*World).sigkill},
	Restarted:        {"restart", (*World).restart},
	Busy:             {"busy", (*World).busy},
	CableCut:         {"cable-cut", (*World).cableCut},
	CableFlap:        {"cable-flap", (*World).cableFlap},
	OneWay:           {"one-way", (*World).oneWay},
	OneWayHeartbeat:  {"one-way-heartbeat", (*World).oneWay},
	AdminDown:        {"admin-down", (*World).adminDown},
	NICGone:          {"nic-gone", (*World).nicGone},
	Unplugged:        {"unplugged", (*World).unplugged},
	EventLoss:        {"event-loss", (*World).eventLoss},
	SwitchReboot:     {"switch-reboot", (*World).switchReboot},
	SwitchDead:       {"switch-dead", (*World).switchReboot},
	LANSplit:         {"lan-split", (*World).lanSplit},
	Isolation:        {"isolation", (*World).isolation},
	SpanningTree:     {"spanning-tree", (*World).spanningTree},
	WitnessDead:      {"witness-dead", (*World).witnessDead},
	WitnessSlow:      {"witness-slow", (*World).witnessSlow},
	WitnessLies:      {"witness-lies", (*World).witnessLies},
	Stranger:         {"stranger", (*World).stranger},
	ProxyARP:         {"proxy-arp", (*World).proxyARP},
	FabricCache:      {"fabric-cache", (*World).fabricCache},
	FabricInspection: {"fabric-inspection", (*World).fabricInspection},
	FrameLoss:        {"frame-loss", (*World).frameLoss},
	FrameDouble:      {"frame-double", (*World).frameDouble},
	FrameLate:        {"frame-late", (*World).frameLate},
	FrameCorrupt:     {"frame-corrupt", (*World).frameCorrupt},
	HostileAdverts:   {"hostile-adverts", (*World).hostileAdverts},
	StorageFails:     {"storage-fails", (*World).storageFails},
	StorageSlow:      {"storage-slow", (*World).storageSlow},
	Reloaded:         {"reload", (*World).reload},
	RTNLHeld:         {"rtnl-held", (*World).rtnlHeld},
	KernelSlow:       {"kernel-slow", (*World).kernelSlow},
	KernelRefuses:    {"kernel-refuses", (*World).kernelRefuses},
	AddressesDeleted: {"addresses-deleted", (*World).addressesDeleted},
}

// String is the word of a story file.
func (k Kind) String() string {
	if k < NumKinds {
		return menu[k].name
	}
	return "unknown"
}

// pulled is a fault that is not over.
type pulled struct {
	fault Fault
	undo  func()
}

// inject lets a fault begin, and plans its end.
func (w *World) inject(f Fault) {
	w.result.Episodes[f.Kind]++
	w.say("FAULT %s", f.words())
	p := &pulled{fault: f}
	p.undo = menu[f.Kind].pull(w, f)
	w.relink()
	if p.undo == nil {
		return
	}
	w.active = append(w.active, p)
	w.after(f.For, func() { w.end(p) })
}

// end undoes a fault once.
func (w *World) end(p *pulled) {
	if p.undo == nil {
		return
	}
	undo := p.undo
	p.undo = nil
	for k, x := range w.active {
		if x == p {
			w.active = append(w.active[:k:k], w.active[k+1:]...)
			break
		}
	}
	w.say("ends  %s", p.fault.words())
	undo()
	w.relink()
}

// heal ends everything that is not over.
func (w *World) heal() {
	w.say("HEAL  everything")
	for len(w.active) > 0 {
		w.end(w.active[0])
	}
	for _, r := range w.routers {
		r.comeUp()
	}
	w.relink()
}

// count pulls a string and says how to let go of it.
func count(n *int) func() {
	*n++
	return func() { *n-- }
}

func (w *World) powerOff(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.off)
	r.end()
	r.kernel.reset()
	return func() {
		undo()
		w.after(r.bootTime(), r.comeUp)
	}
}

// bootTime is how long a machine takes from power to its first process.
func (r *router) bootTime() time.Duration {
	d := 2*time.Second + r.world.within(10*time.Second)
	if r.sluggish > 0 {
		d *= 3
	}
	return d
}

// comeUp starts the process of a machine that has none, if it can.
func (r *router) comeUp() {
	if r.brain == nil && !r.dead() && r.wornOut == 0 {
		r.start()
		r.world.relink()
	}
}

// dyingPorts lets the ports of a machine go one by one before the power goes: N is the
// time that takes in ms.
func (w *World) dyingPorts(f Fault) func() {
	r := w.routers[f.Router]
	var undo []func()
	over := false
	for _, p := range r.nics {
		w.after(w.within(time.Duration(f.N)*time.Millisecond), func() {
			if !over {
				undo = append(undo, count(&p.unplugged))
				w.relink()
			}
		})
	}
	w.after(time.Duration(f.N)*time.Millisecond, func() {
		if !over {
			undo = append(undo, w.powerOff(f))
			w.relink()
		}
	})
	return func() {
		over = true
		for _, u := range undo {
			u()
		}
	}
}

// hang stops a machine with its links up, until it is reset.
func (w *World) hang(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.hung)
	return func() {
		undo()
		if r.hung == 0 && r.off == 0 {
			w.powerOff(f)()
		}
	}
}

func (w *World) sigstop(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.paused)
	return func() {
		undo()
		r.seen.stalled = w.now
		r.wake()
	}
}

func (w *World) suspend(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.suspended)
	began := w.now
	return func() {
		undo()
		r.seen.stalled = w.now
		if r.suspended == 0 {
			r.kernel.resume(w.now.Sub(began))
		}
		r.wake()
	}
}

func (w *World) sigkill(f Fault) func() {
	r := w.routers[f.Router]
	r.end()
	return r.comeUp
}

func (w *World) restart(f Fault) func() {
	r := w.routers[f.Router]
	if !r.runs() {
		return nil
	}
	r.seen.stopping = true
	r.take(node.Stop{})
	boots := r.boots
	w.after(20*time.Millisecond, func() {
		if boots == r.boots {
			r.end()
			r.kernel.sweep()
		}
	})
	return r.comeUp
}

// busy makes a process run late by up to N ms, again and again.
func (w *World) busy(f Fault) func() {
	r := w.routers[f.Router]
	over, paused := false, false
	var next func()
	next = func() {
		w.after(w.within(500*time.Millisecond), func() {
			if over {
				return
			}
			paused = true
			r.paused++
			w.after(w.within(time.Duration(f.N)*time.Millisecond), func() {
				if paused {
					paused = false
					r.paused--
					r.seen.stalled = w.now
					r.wake()
				}
				if !over {
					next()
				}
			})
		})
	}
	next()
	return func() {
		over = true
		if paused {
			paused = false
			r.paused--
			r.wake()
		}
	}
}

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

func (w *World) oneWay(f Fault) func() {
	to := (f.Router + 1 + f.N) % len(w.routers)
	if to == f.Router {
		to = (to + 1) % len(w.routers)
	}
	return count(&w.segments[f.Segment].blocked[f.Router][to])
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
	}
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
			w.after(time.Duration(f.N)*time.Second, func() { p.mute-- })
		}
	}
}

func (w *World) lanSplit(f Fault) func() {
	s := w.segments[f.Segment]
	before := s.island[f.Router]
	s.island[f.Router] = 1
	gateway := s.stations[0].island
	if f.N > 0 {
		s.stations[0].island = 1
	}
	return func() { s.island[f.Router], s.stations[0].island = before, gateway }
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

func (w *World) storageFails(f Fault) func() {
	r := w.routers[f.Router]
	undo := count(&r.wornOut)
	return func() {
		undo()
		w.after(r.bootTime(), r.comeUp)
	}
}

func (w *World) storageSlow(f Fault) func() { return count(&w.routers[f.Router].sluggish) }

func (w *World) reload(f Fault) func() {
	r := w.routers[f.Router]
	if !r.plain {
		r.take(node.Reload{Config: r.config})
	}
	return nil
}

func (w *World) rtnlHeld(f Fault) func() {
	k := &w.routers[f.Router].kernel
	k.held++
	return k.release
}

// kernelSlow makes changes of addresses take N ms.
func (w *World) kernelSlow(f Fault) func() {
	k := &w.routers[f.Router].kernel
	had := k.time
	k.time = time.Duration(f.N) * time.Millisecond
	return func() {
		k.time = min(had, 300*time.Microsecond)
		k.troubled = w.now
	}
}

func (w *World) kernelRefuses(f Fault) func() {
	k := &w.routers[f.Router].kernel
	undo := count(&k.refuse)
	return func() {
		undo()
		k.troubled = w.now
	}
}

func (w *World) addressesDeleted(f Fault) func() {
	w.routers[f.Router].kernel.delete()
	return nil
}
