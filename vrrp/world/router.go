package world

import (
	"net/netip"
	"slices"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// brain is what decides in a router: ours, or a plain one.
type brain interface {
	Step(vrrp.Instant, node.Event) []node.Action
	Deadline() (vrrp.Instant, bool)
}

// maxQueued is how many frames wait in the sockets of a process that does not run.
const maxQueued = 128

// router is a machine: ports, a kernel, and a process with a brain.
type router struct {
	world  *World
	number int
	name   string
	config node.Config
	plain  bool // runs no brain of ours
	nics   [numSegments]*nic
	kernel kernel

	brain  brain // nil: no process
	turn   int   // of wake-ups
	boots  int   // of processes and machines, so that what a dead one planned is void
	queued []node.Event

	off, hung, paused, suspended int // how often each is wanted
	wornOut                      int // storage that fails: a process that ends does not come back
	sluggish                     int // storage that is slow: booting takes long
	told                         node.Storage

	lastLink vrrp.Instant // when the kernel last told of a link: it does so once a second
	deafened int          // events of links get lost

	state [maxVirtuals]vrrp.State
	seen  seen
}

// maxVirtuals is the most virtual routers a scene has.
const maxVirtuals = 2

func newRouter(w *World, k int) *router {
	r := &router{world: w, number: k, name: routerNames[k], config: w.scene.config(k)}
	r.plain = k == 1 && w.scene.Peer != Ours
	r.kernel = kernel{router: r, time: 300 * time.Microsecond}
	for n := range w.segments {
		r.nics[n] = newNIC(r, w.segments[n])
	}
	return r
}

func (r *router) powered() bool { return r.off == 0 }

// dead says that nothing runs at all: no kernel that answers, no process.
func (r *router) dead() bool { return r.off > 0 || r.hung > 0 || r.suspended > 0 }

// runs says that the process takes part.
func (r *router) runs() bool { return r.brain != nil && !r.dead() && r.paused == 0 }

// start begins a process. Addresses that an earlier one left behind are given back first.
func (r *router) start() {
	r.boots++
	r.queued = nil
	clear(r.state[:])
	r.kernel.sweep()
	if r.plain {
		r.brain = newPlain(r.world.now, r.config, r.world.scene.Peer == Keepalived)
	} else {
		r.brain = node.New(r.world.now, r.config)
	}
	r.seen = seen{started: r.world.now, ran: r.seen.ran}
	r.world.say("%s starts its process", r.name)
	r.world.judge.touched()
	r.take(r.read())
	r.told = node.StorageUnknown
	r.tellStorage(failureTime)
}

// failureTime and recoveryTime are how long the probes of storage may take to be sure.
const (
	failureTime  = 10 * time.Second
	recoveryTime = 30 * time.Second
)

// storage is the state of what the router runs from.
func (r *router) storage() node.Storage {
	switch {
	case r.wornOut > 0:
		return node.StorageFailed
	case r.sluggish > 0:
		return node.StorageSlow
	}
	return node.StorageHealthy
}

// tellStorage has the process learn of its storage as it is within that time. One that never
// heard of trouble is told nothing.
func (r *router) tellStorage(within time.Duration) {
	if r.plain || r.storage() == r.told || r.told == node.StorageUnknown && r.storage() == node.StorageHealthy {
		return
	}
	r.soon(r.world.within(within), func() {
		switch state := r.storage(); {
		case !r.runs():
			r.tellStorage(within) // then later
		case state != r.told:
			r.told = state
			r.world.judge.toldOfStorage(r)
			r.take(node.StorageRead{State: state, Culprit: state.String()})
		}
	})
}

// end takes the process away without a word.
func (r *router) end() {
	r.boots++
	r.brain, r.queued = nil, nil
	clear(r.state[:])
}

// read is the state of all ports.
func (r *router) read() node.PortsRead {
	var e node.PortsRead
	for _, p := range r.nics {
		e.Ports = append(e.Ports, p.state())
		e.Own = append(e.Own, p.mac)
	}
	return e
}

// take hands an event to the brain. Frames wait for a process that does not run.
func (r *router) take(e node.Event) {
	switch {
	case r.brain == nil || r.dead():
		return
	case r.paused > 0:
		if len(r.queued) < maxQueued {
			r.queued = append(r.queued, e)
		}
		return
	}
	r.seen.ran = r.world.now
	r.world.sayHeard(r, e)
	r.world.result.Steps++
	r.world.judge.before(r, e)
	actions := r.brain.Step(r.world.now, e)
	r.world.judge.stepped(r, e, actions)
	boots := r.boots
	for _, a := range actions {
		if boots == r.boots {
			r.world.sayWanted(r, a)
			r.perform(a)
		}
	}
	r.arm()
}

// wake lets a process run again: what waited in its sockets first, then the clock.
func (r *router) wake() {
	if !r.runs() {
		return
	}
	frames := r.queued
	r.queued = nil
	for _, e := range frames {
		if _, advert := e.(node.Frame); advert {
			r.take(e)
		}
	}
	r.take(node.Expired{})
	for _, e := range frames {
		if _, advert := e.(node.Frame); !advert {
			r.take(e)
		}
	}
	r.take(r.read())
}

// arm wakes the brain at its deadline, as late as schedulers are.
func (r *router) arm() {
	if r.brain == nil {
		return
	}
	r.turn++
	at, ok := r.brain.Deadline()
	if !ok {
		return
	}
	d := max(at.Sub(r.world.now), 0) + r.world.within(200*time.Microsecond)
	if r.world.scene.Equal {
		d = max(at.Sub(r.world.now), 0) // phase-locked
	}
	r.world.queue.pushWake(r.world.now.Add(d), r)
}

func (r *router) perform(a node.Action) {
	w := r.world
	switch a := a.(type) {
	case node.SendAdvert:
		w.segments[segmentOf(a.Port)].advert(r, a)
	case node.Ask:
		w.segments[segmentOf(a.Port)].ask(r, a)
	case node.Install:
		r.kernel.install(a)
	case node.Withdraw:
		r.kernel.withdraw(a.Key)
	case node.Renew:
		r.kernel.renew(a)
	case node.Announce:
		r.announce(a.Key, a.Repeat)
	case node.ReadPorts:
		r.soon(100*time.Microsecond+w.within(1500*time.Microsecond), func() { r.take(r.read()) })
	case node.Transition:
		n := r.virtual(a.Key)
		r.state[n] = a.To
		w.sayTransition(r, a)
		w.judge.moved(r, n, a)
	case node.Note:
		w.sayNote(r, a)
	case node.GroupTransition:
		w.say("%s group %s: %s", r.name, a.Name, a.To)
	}
}

// soon plans something that is void when the process or the machine ends before.
func (r *router) soon(d time.Duration, do func()) {
	boots := r.boots
	r.world.after(d, func() {
		if boots == r.boots {
			do()
		}
	})
}

// virtual is the number of a virtual router in the scene.
func (r *router) virtual(k node.Key) int {
	return slices.IndexFunc(r.config.Instances, func(i node.Instance) bool { return i.Key() == k })
}

// announce sends gratuitous messages. Where nothing gets lost one is as good as five.
func (r *router) announce(k node.Key, repeat int) {
	n := r.virtual(k)
	if r.world.weather.loss == 0 {
		repeat = 1
	}
	for v, x := range r.world.vips {
		if x.virtual == n && r.kernel.has(v) {
			for range repeat {
				r.world.segments[x.segment].announce(r, v)
			}
		}
	}
}

// answers says that the kernel answers for an address on a port.
func (r *router) answers(p *nic, a netip.Addr) bool {
	if r.dead() {
		return false
	}
	for v, x := range r.world.vips {
		if x.prefix.Addr() == a && x.segment == p.segment.number {
			return r.kernel.has(v)
		}
	}
	return slices.ContainsFunc(p.addresses(), func(o netip.Prefix) bool { return o.Addr() == a })
}

// answerTime is how long the kernel takes to answer.
func (r *router) answerTime() time.Duration { return r.world.within(40 * time.Microsecond) }

// linkChanged tells the process of a carrier in the two ways that there are: the counter
// of a heartbeat port is polled, and the kernel reports what it has to say once a second.
func (r *router) linkChanged(p *nic, up bool) {
	w := r.world
	if !up && p.segment.number == w.scene.heart() && p.adminDown+p.gone == 0 {
		poll := 10 * time.Millisecond
		if w.now.Sub(r.lastLink) < time.Second {
			poll = 2 * time.Millisecond
		}
		r.soon(w.within(poll), func() { r.take(node.CarrierLost{Port: portNames[p.segment.number]}) })
	}
	r.report(p, up)
}

// report is the kernel's word about a link, held back if the last one is young,
// and lost when the socket overflows: then everything is read anew.
func (r *router) report(p *nic, urgent bool) {
	w := r.world
	delay := 200 * time.Microsecond
	if since := w.now.Sub(r.lastLink); !urgent && since < time.Second {
		delay = time.Second - since
	}
	r.lastLink = w.now.Add(delay)
	if r.deafened > 0 {
		r.soon(delay+w.within(2*time.Second), func() { r.take(r.read()) })
		return
	}
	r.soon(delay, func() { r.take(node.PortsRead{Ports: []node.PortState{p.state()}}) })
}
