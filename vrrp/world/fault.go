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

// menu says of every kind what it is called in figures, how a story tells it (see
// phrase.go), and what it does. What that returns undoes it.
var menu = [NumKinds]struct {
	name string
	told string
	pull func(*World, Fault) func()
}{
	PowerOff:         {"power-off", "{R} loses power for {for}", (*World).powerOff},
	DyingPorts:       {"dying-ports", "{R} dies port by port within {ms}| and stays off until {for} have passed", (*World).dyingPorts},
	Hang:             {"hang", "{R} hangs with its links up| and is reset after {for}", (*World).hang},
	Panic:            {"panic", "{R} panics| and is reset after {for}", (*World).hang},
	Stopped:          {"sigstop", "{R}'s process is stopped for {for}", (*World).sigstop},
	Suspended:        {"suspend", "{R} is suspended for {for}", (*World).suspend},
	Killed:           {"sigkill", "{R}'s process is killed| and starts again after {for}", (*World).sigkill},
	Restarted:        {"restart", "{R}'s process is told to stop| and starts again after {for}", (*World).restart},
	Busy:             {"busy", "{R}'s process runs up to {ms} late again and again for {for}", (*World).busy},
	CableCut:         {"cable-cut", "the cable of p4p1 is cut for {for}", (*World).cableCut},
	CableFlap:        {"cable-flap", "the cable of p4p1 flaps {n} times| within {for}", (*World).cableFlap},
	OneWay:           {"one-way", "frames from {R} to {to} are lost on {S} for {for}", (*World).oneWay},
	OneWayHeartbeat:  {"one-way-heartbeat", "frames from {R} to {to} are lost on the heartbeat for {for}", (*World).oneWayHeartbeat},
	AdminDown:        {"admin-down", "{R} {P} is set down for {for}", (*World).adminDown},
	NICGone:          {"nic-gone", "{R} {P} vanishes for {for}", (*World).nicGone},
	Unplugged:        {"unplugged", "{R} {P} is unplugged for {for}", (*World).unplugged},
	EventLoss:        {"event-loss", "{R} misses what the kernel tells of links for {for}", (*World).eventLoss},
	SwitchReboot:     {"switch-reboot", "the switch of {S} reboots|: off for {for} and mute for {s} more", (*World).switchReboot},
	SwitchDead:       {"switch-dead", "the switch of {S} is dead| for {for} and mute for {s} more", (*World).switchReboot},
	LANSplit:         {"lan-split", "{S} is split: {island} apart| for {for}", (*World).lanSplit},
	Isolation:        {"isolation", "{S} carries nothing between routers for {for}", (*World).isolation},
	SpanningTree:     {"spanning-tree", "the switch does not forward for {R} {P} for {for}", (*World).spanningTree},
	WitnessDead:      {"witness-dead", "the gateway of {S} answers nobody for {for}", (*World).witnessDead},
	WitnessSlow:      {"witness-slow", "the gateway of {S} answers {ms} late for {for}", (*World).witnessSlow},
	WitnessLies:      {"witness-lies", "the gateway of {S} claims a virtual address for {for}", (*World).witnessLies},
	Stranger:         {"stranger", "a stranger on {S} has a virtual address for {for}", (*World).stranger},
	ProxyARP:         {"proxy-arp", "the gateway of {S} answers for every address for {for}", (*World).proxyARP},
	FabricCache:      {"fabric-cache", "the switch of {S} answers broadcasts from its cache for {for}", (*World).fabricCache},
	FabricInspection: {"fabric-inspection", "the switch of {S} swallows questions from 0.0.0.0 for {for}", (*World).fabricInspection},
	FrameLoss:        {"frame-loss", "{n}% of all frames are lost for {for}", (*World).frameLoss},
	FrameDouble:      {"frame-double", "{n}% of all frames come twice for {for}", (*World).frameDouble},
	FrameLate:        {"frame-late", "an eighth of all frames are up to {ms} late for {for}", (*World).frameLate},
	FrameCorrupt:     {"frame-corrupt", "{n}% of all adverts are corrupted for {for}", (*World).frameCorrupt},
	HostileAdverts:   {"hostile-adverts", "somebody forges {n} adverts to {R}| within {for}", (*World).hostileAdverts},
	StorageFails:     {"storage-fails", "{R}'s storage fails for {for}", (*World).storageFails},
	StorageSlow:      {"storage-slow", "{R}'s storage is slow for {for}", (*World).storageSlow},
	Reloaded:         {"reload", "{R} reloads its configuration", (*World).reload},
	RTNLHeld:         {"rtnl-held", "{R}'s RTNL lock is held for {for}", (*World).rtnlHeld},
	KernelSlow:       {"kernel-slow", "{R}'s kernel takes {ms} for each change for {for}", (*World).kernelSlow},
	KernelRefuses:    {"kernel-refuses", "{R}'s kernel refuses addresses for {for}", (*World).kernelRefuses},
	AddressesDeleted: {"addresses-deleted", "somebody deletes {R}'s virtual addresses", (*World).addressesDeleted},
}

// String is what figures call it.
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
	w.say(">>> %s", f)
	p := &pulled{fault: f}
	p.undo = menu[f.Kind].pull(w, f)
	w.relink()
	w.judge.look()
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
	w.say("<<< over: %s", p.fault.subject())
	undo()
	w.relink()
	w.judge.look()
}

// heal ends everything that is not over.
func (w *World) heal() {
	w.say("=== everything heals")
	for len(w.active) > 0 {
		w.end(w.active[0])
	}
	w.weather = weather{} // even the loss that was always there
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
