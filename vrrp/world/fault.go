package world

import "time"

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
